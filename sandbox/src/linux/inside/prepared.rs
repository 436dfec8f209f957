//! Defines what the spawner prepares for the process that it clones, so that this process only has
//! to call the kernel.

use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};

use libc::sock_filter;
use rustix::process::{Resource, Rlimit};
use rustix::thread::CpuSet;

use super::determinism::Layer;
use crate::linux::sys::StringList;
use crate::linux::view::covers::Cover;
use crate::linux::wire::plan::InitLimits;
use crate::{Determinism, View};

/// Holds the standard streams that come with a request.
pub(in crate::linux) struct Streams {
    pub stdin: Option<OwnedFd>,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// Holds what the clone inherits from the spawner.
#[derive(Clone, Copy)]
pub(in crate::linux) struct Inherited<'a> {
    /// The channel that takes the reports.
    pub channel: BorrowedFd<'a>,
    pub streams: &'a Streams,
    /// The system call filter.
    pub filter: &'a [sock_filter],
    /// The spawner's process descriptor, by which the clone can see whether it still lives.
    pub spawner: BorrowedFd<'a>,
    /// The control group in which the clone starts, if it has one.
    pub group: Option<BorrowedFd<'a>>,
}

/// Holds everything that the cloned process needs.
pub(in crate::linux) struct Prepared {
    pub programs: Vec<CString>,
    pub argv: StringList,
    pub env: StringList,
    pub cwd: CString,
    pub mounts: Vec<PreparedMount>,
    pub may_drop_groups: bool,
    pub tmp_options: CString,
    pub limits: Vec<(Resource, Rlimit)>,
    pub bounds: InitLimits,
    pub cpus: Option<CpuSet>,
    pub view: View,
    /// The number before that of the first process. `None` if the first process has the usual
    /// number.
    pub last_process: Option<String>,
    /// The fixed files of `/etc`.
    pub system_files: Vec<(CString, String)>,
    pub determinism: Option<PreparedDeterminism>,
    pub trial: bool,
    /// A descriptor that becomes readable when the maps of the user namespace are written.
    pub mapped: OwnedFd,
}

/// Holds what the determinism layer needs.
pub(in crate::linux) struct PreparedDeterminism {
    pub settings: Determinism,
    /// The number of CPUs from the limits, if they have one.
    pub cpus: Option<u32>,
    /// The covers for the files that describe the machine.
    pub covers: Vec<Cover>,
}

pub(in crate::linux) struct PreparedMount {
    pub target: CString,
    /// The folders that lead to the target, outermost first.
    pub parents: Vec<CString>,
    pub kind: PreparedKind,
}

pub(in crate::linux) enum PreparedKind {
    Folder,
    /// It is a mount, which is still detached.
    Tree {
        tree: OwnedFd,
        is_folder: bool,
    },
    Scratch {
        lower: OwnedFd,
        upper: OwnedFd,
    },
    Symlink(CString),
}

impl PreparedDeterminism {
    /// Creates the layer of a command whose calls arrive at `listener`.
    pub(super) fn begin(&self, listener: BorrowedFd<'static>) -> Layer {
        Layer::new(self.settings, self.cpus, listener)
    }
}
