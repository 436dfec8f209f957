//! Changes which descriptors of this process are open, and under which numbers. A program expects
//! its standard streams under the numbers 0 to 2.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::io::Result;

use super::errors::check;

/// Closes every descriptor from `first` on.
///
/// Call this only just before this process becomes another program or takes another role, when no
/// owner of such a descriptor is used again.
pub(in crate::linux) fn close_from(first: u32) -> Result<()> {
    // SAFETY: by this function's contract no owner of these descriptors is used again.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) })
}

/// Makes `fd` the descriptor `number` of this process, and keeps it open across
/// [`execute`](super::execute). A descriptor that had this number before is closed.
///
/// Call this only where no owner of `number` is used again.
pub(in crate::linux) fn place(fd: BorrowedFd<'_>, number: RawFd) -> Result<()> {
    let result = match fd.as_raw_fd() == number {
        // SAFETY: changes a flag of a descriptor that is borrowed.
        true => unsafe { libc::fcntl(number, libc::F_SETFD, 0) },
        // SAFETY: by this function's contract nobody else relies on `number`.
        false => unsafe { libc::dup2(fd.as_raw_fd(), number) },
    };
    check(result.into())
}

/// Returns the descriptor `number`, which must be open: [`place`] has put it there.
pub(in crate::linux) fn placed(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the caller has placed this descriptor and never closes it.
    unsafe { BorrowedFd::borrow_raw(number) }
}
