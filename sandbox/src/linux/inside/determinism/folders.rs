//! Lists folders in the order of their names.
//!
//! When a thread begins to list a folder, the whole folder is read through a copy of the thread's
//! own descriptor. Then the entries are returned bit by bit, while the descriptor is at the end of
//! the folder. If it is anywhere else, the thread has moved it. At the beginning, the folder is
//! read again; at any other position, the kernel answers.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{SeekFrom, fstat, seek};
use rustix::io::Errno;
use rustix::process::Pid;

use super::inodes::Inodes;
use super::listing;
use super::thread::Thread;
use crate::Listing;
use crate::linux::sys::files;

/// Holds the folders that are being listed, by process and descriptor.
pub(super) struct Folders {
    open: HashMap<(Pid, i32), Folder>,
    order: Listing,
}

struct Folder {
    entries: VecDeque<Vec<u8>>,
    /// The position of the descriptor.
    end: u64,
}

/// Holds the arguments of `getdents64`.
pub(super) struct List {
    /// The descriptor of the folder.
    pub fd: i32,
    /// The number of bytes that may be returned.
    pub room: usize,
}

impl Folders {
    pub(super) fn new(order: Listing) -> Self {
        Self { open: HashMap::new(), order }
    }

    /// Returns the next entries of a folder, as far as there is room, and none at the end. Returns
    /// `None` if the kernel has to answer.
    pub(super) fn list(
        &mut self,
        pid: Pid,
        thread: &mut Thread,
        arguments: &List,
        inodes: &mut Inodes,
    ) -> Option<Result<Vec<u8>, Errno>> {
        let &List { fd, room } = arguments;
        let descriptor = thread.descriptor(pid, fd)?;
        let at = seek(&descriptor, SeekFrom::Current(0)).ok()?;
        let key = (thread.process_of(pid)?.id, fd);
        if at == 0 {
            let device = fstat(&descriptor).ok()?.st_dev;
            let mut entries = listing::sorted(&whole(&descriptor)?, self.order)?;
            listing::renumber(&mut entries, |inode| inodes.of(device, inode).1);
            let entries = entries.into();
            let end = seek(&descriptor, SeekFrom::Current(0)).ok()?;
            self.open.insert(key, Folder { entries, end });
        }
        let folder = self.open.get_mut(&key).filter(|folder| at == 0 || folder.end == at)?;
        let mut listed = Vec::new();
        while let Some(entry) = folder.entries.front() {
            if listed.len() + entry.len() > room {
                return Some(if listed.is_empty() { Err(Errno::INVAL) } else { Ok(listed) });
            }
            listed.extend(folder.entries.pop_front().into_iter().flatten());
        }
        if listed.is_empty() {
            self.open.remove(&key);
        }
        Some(Ok(listed))
    }
}

/// Reads all entries of a folder.
fn whole(folder: &OwnedFd) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 1 << 15];
    loop {
        match files::list(folder.as_fd(), &mut buffer).ok()? {
            0 => return Some(all),
            length => all.extend_from_slice(&buffer[..length]),
        }
    }
}
