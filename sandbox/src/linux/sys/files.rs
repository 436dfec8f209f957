//! What the kernel tells of files, as the bytes in which it tells it; and files in memory.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::raw::c_int;

use rustix::fs::{MemfdFlags, SeekFrom, memfd_create, seek};
use rustix::io::{Result, retry_on_intr, write};

use super::check;

/// The size of a `stat` of 64-bit Linux, and of a `statx`.
pub(in crate::linux) const STAT: usize = size_of::<libc::stat>();
pub(in crate::linux) const STATX: usize = size_of::<libc::statx>();

/// The size of a `statfs`.
pub(in crate::linux) const STATFS: usize = size_of::<libc::statfs>();

/// A file that is in no folder, with this content, to be read from its beginning.
pub(in crate::linux) fn in_memory(name: &CStr, content: &[u8]) -> Result<OwnedFd> {
    let file = memfd_create(name, MemfdFlags::CLOEXEC)?;
    write_all(&file, content)?;
    seek(&file, SeekFrom::Start(0))?;
    Ok(file)
}

/// Writes to the last byte. Allocates nothing.
pub(in crate::linux) fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        bytes = &bytes[retry_on_intr(|| write(&file, bytes))?..];
    }
    Ok(())
}

/// `newfstatat(2)`.
pub(in crate::linux) fn stat(at: BorrowedFd<'_>, path: &CStr, flags: c_int) -> Result<[u8; STAT]> {
    let mut buffer = [0; STAT];
    // SAFETY: the buffer is as large as what the kernel writes.
    let result = unsafe {
        libc::syscall(
            libc::SYS_newfstatat,
            at.as_raw_fd(),
            path.as_ptr(),
            buffer.as_mut_ptr(),
            flags,
        )
    };
    check(result).map(|()| buffer)
}

/// `statx(2)`.
pub(in crate::linux) fn statx(
    at: BorrowedFd<'_>,
    path: &CStr,
    (flags, mask): (c_int, u32),
) -> Result<[u8; STATX]> {
    let mut buffer = [0; STATX];
    // SAFETY: the buffer is as large as what the kernel writes.
    let result = unsafe {
        libc::syscall(
            libc::SYS_statx,
            at.as_raw_fd(),
            path.as_ptr(),
            flags,
            mask,
            buffer.as_mut_ptr(),
        )
    };
    check(result).map(|()| buffer)
}

/// `getdents64(2)`: the number of bytes that were written, 0 at the end.
pub(in crate::linux) fn list(folder: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes no more than the size that is passed.
    let result = unsafe {
        libc::syscall(libc::SYS_getdents64, folder.as_raw_fd(), buffer.as_mut_ptr(), buffer.len())
    };
    check(result).map(|()| result as usize)
}

/// `fstatfs(2)`.
pub(in crate::linux) fn statfs(file: BorrowedFd<'_>) -> Result<[u8; STATFS]> {
    let mut buffer = [0; STATFS];
    // SAFETY: the buffer is as large as what the kernel writes.
    let result = unsafe { libc::syscall(libc::SYS_fstatfs, file.as_raw_fd(), buffer.as_mut_ptr()) };
    check(result).map(|()| buffer)
}
