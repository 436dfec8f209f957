//! Restricts by Landlock what a command without namespaces may open: see `landlock(7)`.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};
use rustix::io::Errno;

use crate::linux::wire::plan::{PlannedKind, PlannedMount};

/// Older versions don't allow a file to be moved from one folder to another, and builds do that.
const NEEDED: ABI = ABI::V2;

/// Newer kernels also restrict `truncate`, TCP, devices, abstract sockets and signals, up to this
/// version.
const WANTED: ABI = ABI::V6;

/// Restricts this thread, and every process that it starts, to the file tree. This can't be undone.
pub(in crate::linux::inside) fn restrict(
    mounts: &[PlannedMount],
    copies: &CStr,
) -> Result<(), Errno> {
    match try_to_restrict(mounts, copies) {
        Ok(RestrictionStatus { ruleset: RulesetStatus::NotEnforced, .. }) | Err(_) => {
            Err(Errno::OPNOTSUPP)
        }
        Ok(_) => Ok(()),
    }
}

fn try_to_restrict(
    mounts: &[PlannedMount],
    copies: &CStr,
) -> Result<RestrictionStatus, RulesetError> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))?
        .handle_access(AccessNet::from_all(WANTED))?
        .scope(Scope::from_all(WANTED))?
        .create()?;
    let read = AccessFs::from_read(WANTED);
    let rules = allow(rules, copies, read)?;
    let rules = mounts.iter().try_fold(rules, |rules, mount| match &mount.kind {
        PlannedKind::ReadOnly(host) => allow(rules, host, read),
        PlannedKind::Writable(host) => allow(rules, host, AccessFs::from_all(WANTED)),
        PlannedKind::Folder | PlannedKind::Scratch { .. } | PlannedKind::Symlink(_) => Ok(rules),
    })?;
    rules.restrict_self()
}

fn allow(
    rules: RulesetCreated,
    host: &CStr,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    // A path that does not exist needs no rule.
    match PathFd::new(Path::new(OsStr::from_bytes(host.to_bytes()))) {
        Ok(file) => rules.add_rule(PathBeneath::new(file, access)),
        Err(_) => Ok(rules),
    }
}
