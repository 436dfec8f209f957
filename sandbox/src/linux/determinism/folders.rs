//! The listings of folders that are being read, in the order of their names.
//!
//! At the first question the whole folder is read, through a copy of the thread's own descriptor;
//! then it is handed out bit by bit. The descriptor stands at the folder's end meanwhile. When it
//! stands anywhere else, the thread has moved it: at the beginning the folder is read again, and any
//! other place is the kernel's to know.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{SeekFrom, fstat, seek};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::inodes::Inodes;
use super::listing;
use super::thread::Thread;
use crate::Listing;
use crate::linux::sys::{files, notify};

/// Folders by process and descriptor.
pub(super) struct Folders {
    open: HashMap<(Pid, i32), Folder>,
    order: Listing,
}

struct Folder {
    entries: VecDeque<Vec<u8>>,
    /// Where the descriptor stands.
    end: u64,
}

/// The process of a thread.
pub(super) struct Process {
    pub id: Pid,
    pub pidfd: OwnedFd,
}

impl Folders {
    pub(super) fn new(order: Listing) -> Self {
        Self { open: HashMap::new(), order }
    }

    /// The next entries of a folder, at most `room` bytes; none at the end. `None` if the kernel has
    /// to answer.
    pub(super) fn list(
        &mut self,
        pid: Pid,
        thread: &mut Thread,
        fd: i32,
        (room, inodes): (usize, &mut Inodes),
    ) -> Option<Result<Vec<u8>, Errno>> {
        let process = thread.process_of(pid)?;
        let descriptor = notify::descriptor_of(process.pidfd.as_fd(), fd).ok()?;
        let at = seek(&descriptor, SeekFrom::Current(0)).ok()?;
        let key = (process.id, fd);
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

/// Everything that there is to be listed.
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

impl Thread {
    /// The process that it belongs to; nothing if it could not be found.
    pub(super) fn process_of(&mut self, pid: Pid) -> Option<&Process> {
        self.process.get_or_insert_with(|| Process::of(pid)).as_ref()
    }
}

impl Process {
    fn of(thread: Pid) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", thread.as_raw_nonzero()));
        let status = status.ok()?;
        let id = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()?;
        let id = Pid::from_raw(id)?;
        Some(Self { id, pidfd: pidfd_open(id, PidfdFlags::empty()).ok()? })
    }
}
