//! Makes the answers that a thread gets for its system calls: results and errors.
//!
//! The files of the layer that answer calls share these functions, which do not know the calls.
//! Process 1 writes to the thread's memory in the kernel's place. If that fails, the thread gets
//! the error that the kernel would give: `EFAULT`.

use rustix::io::{Errno, Result};

use crate::linux::sys::notify::Answer;

/// The size of a `rusage` of 64-bit Linux, in bytes.
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
