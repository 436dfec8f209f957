//! What a command looks for and does not find: files that it would have read on a machine that has
//! them.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::readlink;
use rustix::io::Errno;
use rustix::process::Pid;

use super::paths::File;
use crate::linux::sys::files;

/// More paths than anybody wants to read.
const MOST: usize = 10_000;

/// Paths, each from the root.
#[derive(Debug, Default)]
pub(super) struct Missing(BTreeSet<Vec<u8>>);

impl Missing {
    /// A thread opens or looks for the file at `place`, a descriptor and the address of a path.
    pub(super) fn look(&mut self, pid: Pid, place: (i32, u64)) {
        let Ok(file) = File::at(pid, place, 0) else { return };
        if is_of_the_view(&file) {
            return;
        }
        self.note(&file, files::stat(file.base(), file.path(), 0).err());
    }

    /// That is what came of a look at a file.
    pub(super) fn note(&mut self, file: &File, error: Option<Errno>) {
        if error != Some(Errno::NOENT) || self.0.len() >= MOST || is_of_the_view(file) {
            return;
        }
        let path = file.path().to_bytes();
        match file.folder() {
            None => _ = self.0.insert(path.to_vec()),
            Some(folder) => {
                if let Some(folder) = path_of(folder) {
                    self.0.insert([&folder, &b"/"[..], path].concat());
                }
            }
        }
    }

    pub(super) fn into_paths(self) -> Vec<Vec<u8>> {
        self.0.into_iter().collect()
    }
}

/// Whether no input can lie there.
fn is_of_the_view(file: &File) -> bool {
    let path = file.path().to_bytes();
    path.starts_with(b"/proc") || path.starts_with(b"/dev")
}

/// The path of a folder that is open.
fn path_of(folder: &OwnedFd) -> Option<Vec<u8>> {
    let link = readlink(format!("/proc/self/fd/{}", folder.as_raw_fd()), Vec::new()).ok()?;
    Some(link.into_bytes())
}
