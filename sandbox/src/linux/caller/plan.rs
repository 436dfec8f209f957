//! Turns a specification into the plan that the spawner gets. All decisions are taken here, and all
//! strings are made ready for the kernel.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::layout::{EntryKind, TreeEntry};
use crate::Spec;
use crate::linux::wire::plan::{
    Account, CpuShare, InitLimits, Plan, PlannedKind, PlannedLimits, PlannedMount,
};

/// Plans a validated specification. `slot` is a number that no other running command has.
pub(super) fn plan(spec: &Spec, entries: &[TreeEntry], account: Account, slot: u32) -> Plan {
    let limits = &spec.limits;
    let cpus = limits
        .cpus
        .map(|count| CpuShare { first: u64::from(slot) * u64::from(count), count: count.into() });
    Plan {
        account,
        programs: programs(spec),
        argv: spec.argv.iter().map(|argument| text(argument)).collect(),
        env: spec.env.iter().map(variable).collect(),
        cwd: path(&spec.cwd),
        mounts: entries.iter().map(mount).collect(),
        limits: PlannedLimits {
            bounds: InitLimits { memory: limits.memory, timeout: limits.timeout },
            processes: limits.processes.into(),
            tmp_bytes: limits.tmp_bytes,
            file_size: limits.file_size,
            open_files: limits.open_files.into(),
            cpus,
        },
        view: spec.view.clone(),
        determinism: spec.determinism,
        translated: None,
        has_group: false,
        trial: false,
    }
}

fn mount(entry: &TreeEntry) -> PlannedMount {
    let kind = match &entry.kind {
        EntryKind::Folder => PlannedKind::Folder,
        EntryKind::ReadOnly(source) => PlannedKind::ReadOnly(path(source)),
        EntryKind::Writable(source) => PlannedKind::Writable(path(source)),
        EntryKind::Scratch { lower, upper } => {
            PlannedKind::Scratch { lower: path(lower), upper: path(upper) }
        }
        EntryKind::Symlink(to) => PlannedKind::Symlink(text(to)),
    };
    PlannedMount { target: path(&entry.target), kind }
}

/// Returns the paths that `execvp` would try.
fn programs(spec: &Spec) -> Vec<CString> {
    let program = spec.argv[0].as_os_str();
    if program.as_bytes().contains(&b'/') {
        return vec![text(program)];
    }
    let search =
        spec.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
    let folders =
        search.unwrap_or(OsStr::new("/usr/bin:/bin")).as_bytes().split(|byte| *byte == b':');
    folders.map(|folder| path(&Path::new(OsStr::from_bytes(folder)).join(program))).collect()
}

fn variable((name, value): &(OsString, OsString)) -> CString {
    text(&[name.as_os_str(), value].join(OsStr::new("=")))
}

pub(super) fn path(path: &Path) -> CString {
    text(path.as_os_str())
}

fn text(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).expect("a validated specification has no NUL")
}
