//! Switches the loopback interface of a network namespace on.

use std::ffi::c_char;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Result;

use super::errors::check;

/// Switches the loopback interface of this network namespace on. `socket` can be any socket.
pub(in crate::linux) fn raise_loopback(socket: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: all-zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as c_char;
    request.ifr_name[1] = b'o' as c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq` with the name and the flags set.
    check(
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) }
            .into(),
    )
}
