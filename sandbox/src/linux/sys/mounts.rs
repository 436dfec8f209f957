//! Changes and attaches mounts, where `rustix` has no function for it.

use std::ffi::{CStr, c_int};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use rustix::io::Result;
use rustix::mount::{MoveMountFlags, move_mount};

use super::errors::check;

/// Says what to change about a mount: see `mount_setattr(2)`.
#[repr(C)]
#[derive(Default)]
pub(in crate::linux) struct MountAttributes {
    pub set: u64,
    pub clear: u64,
    pub propagation: u64,
    pub user_namespace: u64,
}

/// Changes a mount. With [`AT_RECURSIVE`](libc::AT_RECURSIVE) it also changes the mounts below it:
/// all of them or none.
pub(in crate::linux) fn mount_setattr(
    at: BorrowedFd<'_>,
    path: &CStr,
    flags: c_int,
    attributes: &MountAttributes,
) -> Result<()> {
    // SAFETY: the structure has the layout and the size that are passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_raw_fd(),
            path.as_ptr(),
            flags,
            ptr::from_ref(attributes),
            size_of::<MountAttributes>(),
        )
    };
    check(result)
}

/// Attaches a detached mount at `path`.
pub(in crate::linux) fn attach(tree: &OwnedFd, at: BorrowedFd<'_>, path: &CStr) -> Result<()> {
    move_mount(tree, c"", at, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}
