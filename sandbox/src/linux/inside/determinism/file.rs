//! Finds the files that a thread names.
//!
//! This process sees the same files as the thread, so it can ask the kernel itself. Only the
//! thread's working directory and its descriptors have to be looked up.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::Pid;

use super::reply::failed;
use crate::linux::sys::notify::Answer;
use crate::linux::sys::trace::path_at;

/// A file among the arguments of a call.
#[derive(Clone, Copy)]
pub(super) struct FileArgument {
    /// The descriptor of the folder at which the path begins.
    pub folder: i32,
    /// The address of the path.
    pub path: u64,
}

impl FileArgument {
    /// Returns the argument for a path that begins at the working directory.
    pub(super) const fn of_path(path: u64) -> Self {
        Self { folder: libc::AT_FDCWD, path }
    }
}

/// A file as a thread names it.
pub(super) struct File {
    /// The folder at which the path begins, unless the path is absolute.
    base: Option<OwnedFd>,
    path: CString,
    /// True if the file belongs to the thread itself, as those in `/proc/self` do.
    is_own: bool,
}

impl File {
    /// Finds the file. The error is the answer to the thread: an error number if this process can't
    /// read the path, or that the kernel shall answer.
    pub(super) fn at(pid: Pid, argument: FileArgument, flags: i32) -> Result<Self, Answer> {
        let path = match argument.path {
            0 => CString::default(),
            at => path_at(pid, at).map_err(failed)?,
        };
        let text = path.to_bytes();
        if text.starts_with(b"/") {
            let own = own(pid, text, flags & libc::AT_SYMLINK_NOFOLLOW == 0);
            let is_own = own.is_some();
            return Ok(Self { base: None, path: own.unwrap_or(path), is_own });
        }
        if text.is_empty() && flags & libc::AT_EMPTY_PATH == 0 {
            return Err(Answer::Continue);
        }
        let base = match argument.folder {
            libc::AT_FDCWD => opened(&format!("/proc/{}/cwd", pid.as_raw_nonzero())),
            fd => descriptor(pid, fd),
        };
        Ok(Self { base: Some(base.ok_or(Answer::Continue)?), path, is_own: false })
    }

    /// Returns whether the error means that the thread may look at the file and this process may
    /// not.
    pub(super) fn is_closed(&self, error: Option<&Errno>) -> bool {
        self.is_own && matches!(error, Some(&(Errno::ACCESS | Errno::PERM)))
    }

    pub(super) fn path(&self) -> &CStr {
        &self.path
    }

    /// Returns the folder at which the path begins, unless the path is absolute.
    pub(super) fn folder(&self) -> Option<&OwnedFd> {
        self.base.as_ref()
    }

    pub(super) fn base(&self) -> BorrowedFd<'_> {
        self.base.as_ref().map_or(CWD, AsFd::as_fd)
    }
}

/// Replaces "self" in a path by the number of the thread. A link at the very end of the path counts
/// if it is followed.
fn own(pid: Pid, path: &[u8], is_followed: bool) -> Option<CString> {
    const NAMES: [(&[u8], &str); 6] = [
        (b"/proc/self", ""),
        (b"/proc/thread-self", ""),
        (b"/dev/fd", "/fd"),
        (b"/dev/stdin", "/fd/0"),
        (b"/dev/stdout", "/fd/1"),
        (b"/dev/stderr", "/fd/2"),
    ];
    let (rest, place) = NAMES.iter().find_map(|(name, place)| {
        let rest = path.strip_prefix(*name)?;
        let is_meant = if rest.is_empty() { is_followed } else { rest.starts_with(b"/") };
        is_meant.then_some((rest, place))
    })?;
    let folder = format!("/proc/{}{place}", pid.as_raw_nonzero());
    CString::new([folder.as_bytes(), rest].concat()).ok()
}

/// Opens the file that a thread has open under this number.
pub(super) fn descriptor(pid: Pid, fd: i32) -> Option<OwnedFd> {
    opened(&format!("/proc/{}/fd/{fd}", pid.as_raw_nonzero()))
}

fn opened(path: &str) -> Option<OwnedFd> {
    open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()
}
