//! Converts times between nanoseconds and the structures of the kernel.

use rustix::io::{Errno, Result};
use rustix::process::Pid;

use crate::linux::sys::trace::read_memory;

/// A second has this many nanoseconds.
pub(super) const SECOND: u64 = 1_000_000_000;

/// Reads the `timespec` at an address as nanoseconds, or with a `unit` of 1000 the `timeval`. A
/// null address gives 0. Fails if this process can't read the memory.
pub(super) fn duration(pid: Pid, at: u64, unit: u64) -> Result<u64> {
    let mut bytes = [0; 16];
    if at == 0 {
        return Ok(0);
    }
    if read_memory(pid, at, &mut bytes) != Ok(bytes.len()) {
        return Err(Errno::FAULT);
    }
    let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("it is eight bytes"));
    let (seconds, rest) = (number(&bytes[..8]), number(&bytes[8..]));
    Ok(seconds.saturating_mul(SECOND).saturating_add(rest.saturating_mul(unit)))
}

pub(super) fn timespec(nanoseconds: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(nanoseconds / SECOND).to_ne_bytes());
    bytes[8..].copy_from_slice(&(nanoseconds % SECOND).to_ne_bytes());
    bytes
}
