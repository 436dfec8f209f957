//! Mounts covers over files and folders that describe the machine, and makes mounts read-only.
//!
//! It allocates no memory, as it runs in the cloned process.

use std::ffi::CStr;

use rustix::fs::{CWD, Mode, OFlags, mkdir, open, openat, rmdir, unlink};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountFlags, mount, mount_bind};

use crate::linux::sys::files::write_all;
use crate::linux::sys::{MountAttributes, mount_setattr};
use crate::linux::view::covers::{Content, Cover};

/// Folders that the sandbox creates have this mode.
pub(super) const FOLDER: Mode = Mode::from_raw_mode(0o755);

/// Covers files and folders by others, where they exist. This also makes the covered parts of
/// `/proc` read-only.
pub(super) fn hide(covers: &[Cover]) -> rustix::io::Result<()> {
    const NEW: &CStr = c"/.run-file";
    const EMPTY: &CStr = c"/.run-empty";
    const NONE: &CStr = c"/.run-none";
    write_new(EMPTY, &[])?;
    mkdir(NONE, Mode::from_raw_mode(0o555))?;
    for Cover { path, content } in covers {
        if open_existing(path, OFlags::empty()) == Err(Errno::NOENT) {
            continue;
        }
        match content {
            Content::File(bytes) if bytes.is_empty() => mount_bind(EMPTY, path)?,
            Content::File(bytes) => {
                write_new(NEW, bytes)?;
                mount_bind(NEW, path)?;
                seal(path, 0)?;
                unlink(NEW)?;
            }
            Content::Folder(files) if files.is_empty() => mount_bind(NONE, path)?,
            Content::Folder(files) => {
                let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
                mount(c"tmpfs", path, c"tmpfs", flags, c"mode=0555,size=1m,nr_inodes=256")?;
                files.iter().try_for_each(|(file, bytes)| match bytes {
                    Some(bytes) => write_new(file, bytes),
                    None => mkdir(file, FOLDER),
                })?;
            }
        }
    }
    unlink(EMPTY)?;
    rmdir(NONE)
}

/// Creates a file that is only read.
fn write_new(path: &CStr, content: &[u8]) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    write_all(&open(path, flags, Mode::from_raw_mode(0o444))?, content)
}

/// Makes a mount read-only. With [`AT_RECURSIVE`](libc::AT_RECURSIVE) it also changes the mounts
/// below it.
pub(super) fn seal(path: &CStr, flags: i32) -> rustix::io::Result<()> {
    let read_only = MountAttributes {
        set: MountAttrFlags::MOUNT_ATTR_RDONLY.bits().into(),
        ..Default::default()
    };
    mount_setattr(CWD, path, flags, &read_only)
}

pub(super) fn open_existing(path: &CStr, kind: OFlags) -> rustix::io::Result<()> {
    openat(CWD, path, kind | OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map(drop)
}
