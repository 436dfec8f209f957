//! Answers a thread that asks for its scheduling priority, which the caller has chosen and programs
//! don't need.
//!
//! The kernel still uses the real priority; only the answers are the same everywhere.

use rustix::process::Pid;

use super::reply::written;
use crate::linux::sys::notify::Answer;
use crate::linux::sys::trace::write_memory;

/// The niceness 0, as the kernel returns it.
pub(super) const NICE: Answer = Answer::Result(20);

/// The usual policy for processors and for disks.
pub(super) const ORDINARY: Answer = Answer::Result(0);

/// Answers with the only parameter, which is the priority of real-time policies.
pub(super) fn parameter(pid: Pid, to: u64) -> Answer {
    written(write_memory(pid, to, &[0; 4]), 0)
}

/// Answers `sched_getattr(2)` with the first version of the structure, which holds its size and is
/// zero otherwise.
pub(super) fn attributes(pid: Pid, to: u64, size: u64) -> Answer {
    const SIZE: usize = 48;
    if size < SIZE as u64 {
        return Answer::Result(-i64::from(libc::EINVAL));
    }
    let mut bytes = [0; SIZE];
    bytes[..4].copy_from_slice(&(SIZE as u32).to_ne_bytes());
    written(write_memory(pid, to, &bytes), 0)
}
