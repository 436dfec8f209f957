//! Reads what the kernel knows about files, as the bytes of its own structures, and creates files
//! in memory.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::raw::c_int;

use rustix::fs::{MemfdFlags, Mode, OFlags, SeekFrom, memfd_create, open, seek};
use rustix::io::{Result, retry_on_intr, write};

use super::errors::check;

/// These are the sizes of a `stat` and of a `statx` of 64-bit Linux.
pub(in crate::linux) const STAT: usize = size_of::<libc::stat>();
pub(in crate::linux) const STATX: usize = size_of::<libc::statx>();

/// This is the size of a `statfs`.
pub(in crate::linux) const STATFS: usize = size_of::<libc::statfs>();

/// Creates a file with this content that lies in no folder. It is read from its beginning.
pub(in crate::linux) fn in_memory(name: &CStr, content: &[u8]) -> Result<OwnedFd> {
    let file = memfd_create(name, MemfdFlags::CLOEXEC)?;
    write_all(&file, content)?;
    seek(&file, SeekFrom::Start(0))?;
    Ok(file)
}

/// Writes all bytes. It allocates no memory.
pub(in crate::linux) fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        bytes = &bytes[retry_on_intr(|| write(&file, bytes))?..];
    }
    Ok(())
}

/// Writes to a kernel setting, which is a file that exists. It allocates no memory.
pub(in crate::linux) fn write_setting(setting: &CStr, value: &[u8]) -> Result<()> {
    let file = open(setting, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(&file, value).map(drop)
}

/// Calls `newfstatat(2)`.
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

/// Calls `statx(2)`.
pub(in crate::linux) fn statx(
    at: BorrowedFd<'_>,
    path: &CStr,
    flags: c_int,
    mask: u32,
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

/// Calls `getdents64(2)` and returns the number of bytes that it has written, which is 0 at the
/// end.
pub(in crate::linux) fn list(folder: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes no more than the size that is passed.
    let result = unsafe {
        libc::syscall(libc::SYS_getdents64, folder.as_raw_fd(), buffer.as_mut_ptr(), buffer.len())
    };
    check(result).map(|()| result as usize)
}

/// Calls `fstatfs(2)`.
pub(in crate::linux) fn statfs(file: BorrowedFd<'_>) -> Result<[u8; STATFS]> {
    let mut buffer = [0; STATFS];
    // SAFETY: the buffer is as large as what the kernel writes.
    let result = unsafe { libc::syscall(libc::SYS_fstatfs, file.as_raw_fd(), buffer.as_mut_ptr()) };
    check(result).map(|()| buffer)
}
