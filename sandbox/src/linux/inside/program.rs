//! Holds the steps on the way to the program that all commands have in common, with and without
//! namespaces.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::prepared::Streams;
use crate::linux::sys::files::in_memory;
use crate::linux::sys::{self, StringList};
use crate::linux::wire::channel;
use crate::linux::wire::report::Report;
use crate::linux::wire::step::{AtStep, Failure, Step};

/// Has the kernel kill this process when the spawner dies. This comes after the change of user,
/// which would undo it. The spawner may have died before, so that is checked as well.
pub(super) fn die_with(spawner: BorrowedFd<'_>) -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::KILL)).at(Step::ParentDeath)?;
    let mut spawner = [PollFd::from_borrowed_fd(spawner, PollFlags::IN)];
    match poll(&mut spawner, Some(&rustix::time::Timespec::default())).at(Step::ParentDeath)? {
        0 => Ok(()),
        _ => sys::exit(1),
    }
}

pub(super) fn connect_stdio(streams: &Streams) -> rustix::io::Result<()> {
    let null;
    let stdin = match &streams.stdin {
        Some(stdin) => stdin.as_fd(),
        None => {
            null = open(c"/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            null.as_fd()
        }
    };
    sys::place(stdin, 0)?;
    sys::place(streams.stdout.as_fd(), 1)?;
    sys::place(streams.stderr.as_fd(), 2)
}

/// Tries the paths of a program in the same way as `execvp`. The first error counts that says more
/// than that the file doesn't exist.
pub(super) fn execute(programs: &[CString], argv: &StringList, env: &StringList) -> Errno {
    let mut reason = Errno::NOENT;
    for program in programs {
        match sys::execute(program, argv, env) {
            Errno::NOENT | Errno::NOTDIR => {}
            Errno::ACCESS => reason = Errno::ACCESS,
            error => return error,
        }
    }
    reason
}

/// Returns a descriptor that no owner closes any more.
pub(super) fn for_good(fd: OwnedFd) -> BorrowedFd<'static> {
    sys::placed(fd.into_raw_fd())
}

/// Closes all other descriptors, so that pipes end when the last process of the command ends. The
/// descriptors that are kept get new numbers, in this order.
///
/// Call this only where no owner of a descriptor is used again.
pub(super) fn keep_only(fds: &[BorrowedFd<'_>]) -> Vec<BorrowedFd<'static>> {
    const FIRST: i32 = 3;
    let end = FIRST + fds.len() as i32;
    let keep = || {
        // One of them could be in the place of another one.
        let copies = fds.iter().map(|fd| fcntl_dupfd_cloexec(fd, end));
        let copies = copies.collect::<rustix::io::Result<Vec<_>>>()?;
        for (number, copy) in (FIRST..).zip(copies) {
            sys::place(for_good(copy), number)?;
        }
        sys::close_from(end as u32)
    };
    match keep() {
        Ok(()) => (FIRST..end).map(sys::placed).collect(),
        Err(_) => sys::exit(1),
    }
}

/// Reports how the command ended, and which files it looked for and did not find.
pub(super) fn report_end(channel: BorrowedFd<'_>, report: Report, missing: &[u8]) {
    // A message has a maximum size, and a file in memory has none.
    let missing = (!missing.is_empty()).then(|| in_memory(c"missing", missing).ok()).flatten();
    let fds: Vec<BorrowedFd<'_>> = missing.iter().map(AsFd::as_fd).collect();
    // This fails only if the caller is gone, and then nobody waits for it.
    let _ = channel::report(channel, report, &fds);
}
