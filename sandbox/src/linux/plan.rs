//! What the spawner is asked to do: a specification with every decision taken and every string
//! ready for the kernel.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::identity::Account;
use super::init::Bounds;
use super::layout::{Entry, Kind};
use crate::{Determinism, Spec, View};

/// One command, ready to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The host's user and group that the sandbox's user is.
    pub account: Account,
    /// Where the program may be, to be tried in order.
    pub programs: Vec<CString>,
    pub argv: Vec<CString>,
    pub env: Vec<CString>,
    pub cwd: CString,
    pub mounts: Vec<PlannedMount>,
    pub limits: PlannedLimits,
    pub view: View,
    pub determinism: Option<Determinism>,
    /// How it sees its mounts where there are no namespaces.
    pub translated: Option<Translated>,
    /// Whether a control group comes with it, which limits memory and processes.
    pub has_group: bool,
    /// Whether to do everything but run the program, to find out whether it works.
    pub trial: bool,
}

/// What a command without namespaces needs. Its mounts are all that it sees, read-only or writable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Translated {
    /// A folder for changed copies of programs.
    pub copies: CString,
    /// Whether it is kept from going around the translation.
    pub is_guarded: bool,
}

/// One entry of the file tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedMount {
    pub target: CString,
    pub kind: PlannedKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlannedKind {
    Folder,
    ReadOnly(CString),
    Writable(CString),
    Scratch { lower: CString, upper: CString },
    Symlink(CString),
}

/// [`Limits`](crate::Limits), sorted by who enforces them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedLimits {
    pub bounds: Bounds,
    pub processes: u64,
    pub tmp_bytes: u64,
    pub file_size: Option<u64>,
    pub open_files: u64,
    /// The first CPU to use and how many, counted among those that the spawner may use.
    pub cpus: Option<(u64, u64)>,
}

impl Plan {
    /// Plans a validated specification. `slot` tells actions that run at the same time apart.
    pub(super) fn new(spec: &Spec, entries: &[Entry], account: Account, slot: u32) -> Self {
        let limits = &spec.limits;
        let cpus = limits.cpus.map(|count| (u64::from(slot) * u64::from(count), count.into()));
        Self {
            account,
            programs: programs(spec),
            argv: spec.argv.iter().map(|argument| text(argument)).collect(),
            env: spec.env.iter().map(variable).collect(),
            cwd: path(&spec.cwd),
            mounts: entries.iter().map(PlannedMount::new).collect(),
            limits: PlannedLimits {
                bounds: Bounds { memory: limits.memory, timeout: limits.timeout },
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
}

impl Plan {
    /// What process 1 has to enforce.
    pub(super) fn bounds(&self) -> Bounds {
        let bounds = self.limits.bounds;
        if self.has_group { Bounds { memory: None, ..bounds } } else { bounds }
    }
}

impl PlannedLimits {
    /// How many CPUs it may use, if that is limited.
    pub(super) fn cpu_count(&self) -> Option<u32> {
        self.cpus.map(|(_, count)| u32::try_from(count).unwrap_or(u32::MAX))
    }
}

impl PlannedKind {
    /// The file or folder of the host that is shown as it is, and whether it can be written to.
    pub(super) fn shown(&self) -> Option<(&CStr, bool)> {
        match self {
            Self::ReadOnly(host) => Some((host, false)),
            Self::Writable(host) => Some((host, true)),
            Self::Folder | Self::Scratch { .. } | Self::Symlink(_) => None,
        }
    }
}

impl PlannedMount {
    fn new(entry: &Entry) -> Self {
        let kind = match &entry.kind {
            Kind::Folder => PlannedKind::Folder,
            Kind::ReadOnly(source) => PlannedKind::ReadOnly(path(source)),
            Kind::Writable(source) => PlannedKind::Writable(path(source)),
            Kind::Scratch { lower, upper } => {
                PlannedKind::Scratch { lower: path(lower), upper: path(upper) }
            }
            Kind::Symlink(to) => PlannedKind::Symlink(text(to)),
        };
        Self { target: path(&entry.target), kind }
    }
}

/// The paths that `execvp` would try.
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
