//! Remembers which files a command looks for and does not find. On a machine that has them, it
//! would read them.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::readlink;
use rustix::io::Errno;
use rustix::process::Pid;

use super::file::{File, FileArgument};
use crate::linux::sys::files;

/// Nobody wants to read more paths than this.
const MOST: usize = 10_000;

/// Holds absolute paths.
#[derive(Debug, Default)]
pub(super) struct MissingFiles(BTreeSet<Vec<u8>>);

impl MissingFiles {
    /// Looks for a file that a thread opens or looks for.
    pub(super) fn look(&mut self, pid: Pid, argument: FileArgument) {
        let Ok(file) = File::at(pid, argument, 0) else { return };
        if is_of_the_view(&file) {
            return;
        }
        self.note(&file, files::stat(file.base(), file.path(), 0).err());
    }

    /// Remembers the file if the error says that it does not exist.
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

/// Returns whether no input of an action can lie there.
fn is_of_the_view(file: &File) -> bool {
    let path = file.path().to_bytes();
    path.starts_with(b"/proc") || path.starts_with(b"/dev")
}

/// Returns the path of an open folder.
fn path_of(folder: &OwnedFd) -> Option<Vec<u8>> {
    let link = readlink(format!("/proc/self/fd/{}", folder.as_raw_fd()), Vec::new()).ok()?;
    Some(link.into_bytes())
}
