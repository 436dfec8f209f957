//! Asks for the size of a page of memory, and for the shared memory of System V.

use std::ffi::c_int;

use rustix::io::{Errno, Result};

use super::errors::check;

/// Returns how many bytes of System V shared memory of this namespace are in memory, attached or
/// not.
pub(in crate::linux) fn segments() -> Result<u64> {
    // The number and the structure are those of `shmctl(2)`.
    const SHM_INFO: c_int = 14;
    #[repr(C)]
    #[derive(Default)]
    struct Segments {
        used_ids: c_int,
        total: libc::c_ulong,
        resident: libc::c_ulong,
        swapped: libc::c_ulong,
        attempts: libc::c_ulong,
        successes: libc::c_ulong,
    }
    let mut told = Segments::default();
    // SAFETY: the kernel fills a structure of this layout.
    let done = unsafe { libc::shmctl(0, SHM_INFO, (&raw mut told).cast()) };
    match check(done.into()) {
        // This kernel has no System V shared memory.
        Err(Errno::NOSYS) => Ok(0),
        Err(error) => Err(error),
        Ok(()) => Ok(told.resident * page_size()),
    }
}

/// Returns the bytes of a page of memory.
///
/// The C library got this number from the kernel when the program began. Other ways read it from
/// `/proc` when they are first used, which process 1 may not do.
fn page_size() -> u64 {
    // SAFETY: this asks for a number.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}
