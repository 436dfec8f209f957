//! Starts a command as far as the spawner does that: opens what is to be mounted, prepares
//! everything that would need an allocation later, clones the spawner, and maps the users of the
//! clone.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{FileType, fstat};
use rustix::io::write;
use rustix::mount::MountAttrFlags;
use rustix::process::{Pid, Signal, pidfd_send_signal};

use super::stage::{Owner, Stage, open_source, set_attributes};
use crate::linux::inside::child;
use crate::linux::inside::limits::{cpu_set, resource_limits};
use crate::linux::inside::prepared::{
    Inherited, Prepared, PreparedDeterminism, PreparedKind, PreparedMount,
};
use crate::linux::inside::without_namespaces::Command;
use crate::linux::sys::{self, StringList};
use crate::linux::view::covers::hide_machine;
use crate::linux::wire::plan::{Account, Plan, PlannedKind, PlannedMount, TranslationPlan};
use crate::linux::wire::step::{AtStep, Failure, Step};
use crate::{Determinism, View};

/// Starts a command. The clone itself reports what fails later.
pub(super) fn launch(
    stage: &mut Stage,
    plan: Plan,
    inherited: Inherited<'_>,
) -> Result<(Pid, OwnedFd), Failure> {
    let (account, user) = (plan.account, plan.view.user);
    let prepared = prepare(stage, plan)?;
    let clone = || child::become_command(&prepared, inherited);
    let (pid, pidfd) =
        sys::clone_into(sys::ALL_NAMESPACES, inherited.group, clone).at(Step::Clone)?;
    let mapped = stage
        .map_account(pid, Owner { uid: user, gid: user }, account)
        .and_then(|()| write(&prepared.mapped, &1_u64.to_ne_bytes()));
    if let Err(error) = mapped {
        // Without its maps the clone would wait for ever.
        pidfd_send_signal(&pidfd, Signal::KILL).at(Step::IdMap)?;
        sys::wait4(Some(pid), 0).at(Step::IdMap)?;
        return Err(Failure::new(Step::IdMap, error));
    }
    Ok((pid, pidfd))
}

/// Starts a command that has no namespaces. Process 1 reports what fails later.
pub(super) fn launch_without_namespaces(
    plan: &Plan,
    translated: &TranslationPlan,
    inherited: Inherited<'_>,
) -> Result<(Pid, OwnedFd), Failure> {
    let clone = || Command { plan, translated, inherited }.become_process_one();
    sys::clone_into(0, inherited.group, clone).at(Step::Clone)
}

fn prepare(stage: &mut Stage, plan: Plan) -> Result<Prepared, Failure> {
    let bounds = plan.bounds();
    let mounts = prepare_mounts(stage, plan.mounts, plan.account)?;
    let (cpus, host) = (plan.limits.cpu_count(), &plan.view.host);
    let determinism = plan.determinism.map(|settings| deterministic(settings, cpus, host));
    let determinism = determinism.transpose()?;
    Ok(Prepared {
        programs: plan.programs,
        argv: StringList::new(plan.argv),
        env: StringList::new(plan.env),
        cwd: plan.cwd,
        mounts,
        may_drop_groups: !plan.account.is_caller,
        tmp_options: tmp_options(plan.limits.tmp_bytes),
        limits: resource_limits(&plan.limits),
        bounds,
        cpus: plan.limits.cpus.map(cpu_set).transpose().at(Step::Cpus)?,
        last_process: last_process(&plan.view),
        system_files: system_files(&plan.view),
        view: plan.view,
        determinism,
        trial: plan.trial,
        mapped: eventfd(0, EventfdFlags::CLOEXEC).at(Step::Request)?,
    })
}

fn deterministic(
    settings: Determinism,
    cpus: Option<u32>,
    host: &str,
) -> Result<PreparedDeterminism, Failure> {
    let covers = hide_machine(settings, cpus, host);
    let covers = covers.map_err(|error| Failure::from_io(Step::HideMachine, &error))?;
    Ok(PreparedDeterminism { settings, cpus, covers })
}

/// Opens all sources in the host tree. It leaves the host tree even if that fails.
fn prepare_mounts(
    stage: &mut Stage,
    mounts: Vec<PlannedMount>,
    account: Account,
) -> Result<Vec<PreparedMount>, Failure> {
    stage.enter_host().at(Step::HostTree)?;
    let prepare = |(index, mount)| {
        prepare_mount(stage, mount, account).map_err(|failure: Failure| failure.of_mount(index))
    };
    let prepared = mounts.into_iter().enumerate().map(prepare).collect();
    if stage.leave_host().is_err() {
        // A clone that is made here would see the host's files. So the spawner ends, and with it
        // all commands.
        sys::exit(1);
    }
    prepared
}

fn prepare_mount(
    stage: &mut Stage,
    mount: PlannedMount,
    account: Account,
) -> Result<PreparedMount, Failure> {
    let kind = match mount.kind {
        PlannedKind::Folder => PreparedKind::Folder,
        PlannedKind::ReadOnly(source) => read_only(stage, &source, account)?.0,
        PlannedKind::Writable(source) => {
            PreparedKind::Tree { tree: open(&source, MountAttrFlags::empty())?, is_folder: true }
        }
        PlannedKind::Scratch { lower, upper } => scratch(stage, &lower, &upper, account)?,
        PlannedKind::Symlink(to) => PreparedKind::Symlink(to),
    };
    Ok(PreparedMount { parents: parents(&mount.target), target: mount.target, kind })
}

/// Returns the tree, and whether its files belong to the sandbox's user.
fn read_only(
    stage: &mut Stage,
    source: &CStr,
    account: Account,
) -> Result<(PreparedKind, bool), Failure> {
    let tree = open(source, MountAttrFlags::MOUNT_ATTR_RDONLY)?;
    let is_owned = stage.map_owner(tree.as_fd(), account).at(Step::MapOwner)?;
    let is_folder = FileType::from_raw_mode(fstat(&tree).at(Step::Open)?.st_mode).is_dir();
    Ok((PreparedKind::Tree { tree, is_folder }, is_owned))
}

/// Opens both folders of an overlay. An overlay can only write to files of the sandbox's user, so
/// the lower folder must belong to it.
fn scratch(
    stage: &mut Stage,
    lower: &CStr,
    upper: &CStr,
    account: Account,
) -> Result<PreparedKind, Failure> {
    match read_only(stage, lower, account)? {
        (PreparedKind::Tree { tree, .. }, true) => {
            Ok(PreparedKind::Scratch { lower: tree, upper: open(upper, MountAttrFlags::empty())? })
        }
        _ => Err(Failure::new(Step::MapOwner, rustix::io::Errno::OPNOTSUPP)),
    }
}

fn open(source: &CStr, attributes: MountAttrFlags) -> Result<OwnedFd, Failure> {
    let tree = open_source(source).at(Step::Open)?;
    let safe = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    set_attributes(&tree, attributes | safe).at(Step::MakeReadOnly)?;
    Ok(tree)
}

/// Returns the parent folders of a path: `/a/b/c` has `/a` and `/a/b`.
fn parents(target: &CStr) -> Vec<CString> {
    let bytes = target.to_bytes();
    let slashes = bytes.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
    slashes.filter_map(|(end, _)| CString::new(&bytes[..end]).ok()).collect()
}

fn last_process(view: &View) -> Option<String> {
    let first = view.first_process;
    (first != View::STANDARD.first_process).then(|| (first - 1).to_string())
}

fn system_files(view: &View) -> Vec<(CString, String)> {
    let file = |(path, content)| (CString::new(path).expect("a plain path"), content);
    view.system_files().into_iter().map(file).collect()
}

/// Returns the options of the tmpfs for `/tmp`. It may hold as many files as pages, between 1024
/// and about a million.
fn tmp_options(bytes: u64) -> CString {
    // For the kernel, a size of 0 means that there is no limit.
    let bytes = bytes.max(4096);
    let inodes = (bytes / 4096).clamp(1024, 1 << 20);
    CString::new(format!("mode=0755,size={bytes},nr_inodes={inodes}")).expect("digits hold no NUL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_the_folders_on_the_way() {
        let check = |target: &CStr, expect: &[&CStr]| {
            let found = parents(target);
            assert_eq!(found.iter().map(CString::as_c_str).collect::<Vec<_>>(), expect);
        };
        check(c"/usr", &[]);
        check(c"/deps/a", &[c"/deps"]);
        check(c"/a/b/c", &[c"/a", c"/a/b"]);
    }
}
