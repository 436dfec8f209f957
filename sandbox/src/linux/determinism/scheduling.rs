//! What share of the machine a process gets: the caller's wish, which a program has no use for.
//!
//! The kernel goes on by what it was; only what is told is the same everywhere.

use rustix::process::Pid;

use super::answers::written;
use crate::linux::sys::notify::Answer;
use crate::linux::sys::trace::write_memory;

/// The niceness 0, as the kernel returns it.
pub(super) const NICE: Answer = Answer::Result(20);

/// The ordinary policy, of processors and of disks.
pub(super) const ORDINARY: Answer = Answer::Result(0);

/// The only parameter is the priority of real-time policies.
pub(super) fn parameter(pid: Pid, to: u64) -> Answer {
    written(write_memory(pid, to, &[0; 4]), 0)
}

/// `sched_getattr(2)`: the first version of the structure, with its size and nothing else.
pub(super) fn attributes(pid: Pid, to: u64, size: u64) -> Answer {
    const SIZE: usize = 48;
    if size < SIZE as u64 {
        return Answer::Result(-i64::from(libc::EINVAL));
    }
    let mut bytes = [0; SIZE];
    bytes[..4].copy_from_slice(&(SIZE as u32).to_ne_bytes());
    written(write_memory(pid, to, &bytes), 0)
}
