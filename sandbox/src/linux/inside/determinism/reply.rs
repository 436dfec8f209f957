//! Makes the answers that a thread gets for its calls: results and errors.

use rustix::io::{Errno, Result};

use crate::linux::sys::notify::Answer;

/// Is the size of a `rusage`.
pub(super) const RUSAGE: usize = 144;

/// Returns the result, if the answer could be written to the thread's memory.
pub(super) fn written(done: Result<()>, result: i64) -> Answer {
    Answer::Result(if done.is_ok() { result } else { -i64::from(libc::EFAULT) })
}

/// Writes to an address, unless it is null.
pub(super) fn optional(at: u64, write: impl FnOnce(u64) -> Result<()>) -> Result<()> {
    if at == 0 { Ok(()) } else { write(at) }
}

/// Returns the answer of a call that fails.
pub(super) fn failed(error: Errno) -> Answer {
    Answer::Result(-i64::from(error.raw_os_error()))
}
