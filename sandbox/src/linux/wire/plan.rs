//! Defines the request to the spawner: a specification for which every decision is taken and every
//! string is ready for the kernel.

use std::ffi::{CStr, CString};
use std::time::Duration;

use rustix::process::Signal;

use crate::{Determinism, View};

/// Describes one command that is ready to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux) struct Plan {
    /// The host's user and group that the command runs as.
    pub account: Account,
    /// The paths at which the program may be; they are tried in this order.
    pub programs: Vec<CString>,
    pub argv: Vec<CString>,
    pub env: Vec<CString>,
    pub cwd: CString,
    pub mounts: Vec<PlannedMount>,
    pub limits: PlannedLimits,
    pub view: View,
    pub determinism: Option<Determinism>,
    /// The way in which the command sees its mounts if it has no namespaces.
    pub translated: Option<TranslationPlan>,
    /// True if a control group comes with the request. The group limits memory and processes.
    pub has_group: bool,
    /// True for a trial, which does everything except running the program, to find out whether
    /// it works here.
    pub trial: bool,
}

/// Says how the command sees its mounts if it has no namespaces. All its mounts are read-only or
/// writable then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux) struct TranslationPlan {
    /// The folder for changed copies of programs.
    pub copies: CString,
    /// True if Landlock and the system call filter keep the command from going around the
    /// translation.
    pub is_guarded: bool,
}

/// Describes one entry of the command's file tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux) struct PlannedMount {
    pub target: CString,
    pub kind: PlannedKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux) enum PlannedKind {
    Folder,
    ReadOnly(CString),
    Writable(CString),
    Scratch { lower: CString, upper: CString },
    Symlink(CString),
}

/// Holds the [`Limits`](crate::Limits) of a command, sorted by who enforces them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux) struct PlannedLimits {
    pub bounds: InitLimits,
    pub processes: u64,
    pub tmp_bytes: u64,
    pub file_size: Option<u64>,
    pub open_files: u64,
    pub cpus: Option<CpuShare>,
}

impl Plan {
    /// Returns the limits that process 1 has to enforce, which are fewer if there is a control
    /// group.
    pub(in crate::linux) fn bounds(&self) -> InitLimits {
        let bounds = self.limits.bounds;
        if self.has_group { InitLimits { memory: None, ..bounds } } else { bounds }
    }

    /// Returns the signal that ends process 1 of the command. Without namespaces it is one that
    /// process 1 can catch, because process 1 has to end the other processes first.
    pub(in crate::linux) fn deadly_signal(&self) -> Signal {
        if self.translated.is_none() { Signal::KILL } else { Signal::TERM }
    }
}

impl PlannedLimits {
    /// Returns how many CPUs the command may use, if that is limited.
    pub(in crate::linux) fn cpu_count(&self) -> Option<u32> {
        self.cpus.map(|share| u32::try_from(share.count).unwrap_or(u32::MAX))
    }
}

impl PlannedKind {
    /// Returns the file or folder of the host that is shown unchanged, and whether the command can
    /// write to it.
    pub(in crate::linux) fn shown(&self) -> Option<(&CStr, bool)> {
        match self {
            Self::ReadOnly(host) => Some((host, false)),
            Self::Writable(host) => Some((host, true)),
            Self::Folder | Self::Scratch { .. } | Self::Symlink(_) => None,
        }
    }
}

/// Says which CPUs a command may use, counted among those that the spawner may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) struct CpuShare {
    pub first: u64,
    pub count: u64,
}

/// Holds the limits that process 1 enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) struct InitLimits {
    pub memory: Option<u64>,
    pub timeout: Option<Duration>,
}

/// Names a user and a group of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) struct Account {
    pub uid: u32,
    pub gid: u32,
    /// True if this is the caller's own account. Otherwise the account belongs to one command.
    pub is_caller: bool,
}
