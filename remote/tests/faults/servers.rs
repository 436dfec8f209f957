//! Servers that stop, or whose disk is full.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, mount_remount, unmount,
};
use rustix::thread::UnshareFlags;

use crate::fault::Fault;
use crate::runner::try_all;

#[test]
fn servers_that_restart_during_an_upload() {
    try_all(&[Fault::Restart]);
}

#[test]
fn servers_whose_disk_is_full() {
    try_all(&[Fault::FullDisk]);
}

/// A file system in memory, which only this thread and those that it starts can see.
pub(crate) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts the file system with ample room.
    pub(crate) fn mount(folder: &Path) -> Self {
        let needs = "this needs root, because it mounts a small tmpfs in a mount namespace";
        // SAFETY: the flag gives this thread its own mounts and working folder. No code relies on sharing those.
        #[expect(unsafe_code, reason = "a namespace of one thread has no safe interface")]
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }.expect(needs);
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).expect(needs);
        mount("tmpfs", folder, "tmpfs", MountFlags::empty(), &*size(64 << 20)).expect(needs);
        Self { folder: folder.to_owned() }
    }

    /// Leaves some room, which depends on the seed: none, or too little for all uploads.
    pub(crate) fn leave(&self, seed: usize) {
        let stat = rustix::fs::statvfs(&self.folder).unwrap();
        let used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize;
        self.resize(used + [0, 1 << 20, 30 << 10, 4 << 20, 200 << 10][seed]);
    }

    /// Makes room.
    pub(crate) fn grow(&self) {
        self.resize(64 << 20);
    }

    fn resize(&self, bytes: u64) {
        let options = size(bytes);
        mount_remount(&self.folder, MountFlags::empty(), &*options).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It also goes away with its namespace.
        let _ = unmount(&self.folder, UnmountFlags::DETACH);
    }
}

fn size(bytes: u64) -> CString {
    CString::new(format!("size={bytes}")).unwrap()
}
