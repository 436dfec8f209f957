//! Writing blobs and trees to the user's folders.
//!
//! What lands there is the user's: an ordinary file with an ordinary mode and the current time, its
//! blocks shared with the blob where the file system can, but never a link to it, so that nothing
//! the user does to it can damage the store. Bytes are verified before they get their name, and what
//! is there already with the same content is left alone, time and all.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::blob::{is_executable, open_no_follow};
use super::disk::{DiskStore, StoreError};
use super::folders::Folder;
use super::materialise::exchange;
use super::remove::remove_tree;
use crate::digest::Digest;
use crate::hasher::digest_open_file;
use crate::tree::Entry;

/// Why a file or a tree could not be written to the user's folder.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The blob is not in the store, or was damaged and is quarantined now.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// The user's folder can't be written to.
    #[error("cannot {action} `{}`", .path.display())]
    Target {
        /// A verb: what was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(digest) => Self::Missing(digest),
            error => Self::Store(error),
        }
    }
}

impl DiskStore {
    /// Writes a blob to the file `to`, whose folder is created if needed, with mode 0644 or 0755
    /// less the umask. Returns whether anything changed: a file with the same bytes and mode stays.
    pub fn export_file(
        &self,
        digest: &Digest,
        executable: bool,
        to: &Path,
    ) -> Result<bool, ExportError> {
        if is_same_file(digest, executable, to) {
            return Ok(false);
        }
        let folder = to.parent().unwrap_or(to);
        std::fs::create_dir_all(folder).map_err(|error| failed("create", folder, error))?;
        let temp = Temp(self.temp_beside(to));
        self.write_file(digest, executable, &temp.0)?;
        std::fs::rename(&temp.0, to).map_err(|error| failed("replace", to, error))?;
        Ok(true)
    }

    /// Writes a tree to the folder `to`, replacing whatever is there at once. Returns whether
    /// anything changed: a folder with just this content stays.
    pub fn export_tree(&self, digest: &Digest, to: &Path) -> Result<bool, ExportError> {
        let folders = self.folders(digest)?;
        if is_same_tree(to, &folders) {
            return Ok(false);
        }
        let parent = to.parent().unwrap_or(to);
        std::fs::create_dir_all(parent).map_err(|error| failed("create", parent, error))?;
        let temp = Temp(self.temp_beside(to));
        for folder in &folders {
            let path = temp.0.join(&folder.path);
            std::fs::create_dir(&path).map_err(|error| failed("create", &path, error))?;
        }
        folders.par_iter().try_for_each(|folder| self.write_folder(&temp.0, folder))?;
        match std::fs::rename(&temp.0, to) {
            Err(_) if to.symlink_metadata().is_ok() => {
                exchange(&temp.0, to).map_err(|error| failed("replace", to, error.into()))?;
            }
            other => other.map_err(|error| failed("create", to, error))?,
        }
        Ok(true)
    }

    fn write_folder(&self, root: &Path, folder: &Folder) -> Result<(), ExportError> {
        let path = root.join(&folder.path);
        for (name, entry) in &folder.tree.entries {
            let path = path.join(name);
            match entry {
                Entry::File { digest, executable } => {
                    self.write_file(digest, *executable, &path)?;
                }
                Entry::Symlink { target } => {
                    std::os::unix::fs::symlink(target, &path)
                        .map_err(|error| failed("create", &path, error))?;
                }
                Entry::Directory(_) | Entry::Subtree(_) => {}
            }
        }
        Ok(())
    }

    /// Creates the file at `path`, complete and verified.
    fn write_file(
        &self,
        digest: &Digest,
        executable: bool,
        path: &Path,
    ) -> Result<(), ExportError> {
        let mode = if executable { 0o777 } else { 0o666 };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(mode);
        let file = options.open(path).map_err(|error| failed("create", path, error))?;
        if self.copy_blob(digest, &file)? { Ok(()) } else { Err(ExportError::Missing(*digest)) }
    }

    /// A hidden name in the same folder, so that a rename is enough to replace `to`.
    fn temp_beside(&self, to: &Path) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(to.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", self.inner.session.unique_name()));
        to.with_file_name(name)
    }
}

/// A path in the user's folder that doesn't outlive the export.
struct Temp(PathBuf);

impl Drop for Temp {
    fn drop(&mut self) {
        // Nobody to tell, and nothing that a user would miss.
        _ = remove_tree(&self.0);
    }
}

/// Whether `path` is a file of its own (no second name anywhere) with this content and mode.
fn is_same_file(digest: &Digest, executable: bool, path: &Path) -> bool {
    let same = |file: &File| {
        let metadata = file.metadata()?;
        let same_stat = metadata.is_file()
            && metadata.len() == digest.size()
            && metadata.nlink() == 1
            && metadata.mode() & 0o600 == 0o600
            && is_executable(&metadata) == executable;
        io::Result::Ok(same_stat && digest_open_file(digest.function(), file)? == *digest)
    };
    matches!(open_no_follow(path), Ok(Some(file)) if same(&file).unwrap_or(false))
}

/// Whether the folder at `root` has exactly this content.
fn is_same_tree(root: &Path, folders: &[Folder]) -> bool {
    folders.par_iter().all(|folder| is_same_folder(&root.join(&folder.path), folder))
}

fn is_same_folder(path: &Path, folder: &Folder) -> bool {
    let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    let Ok(names) = std::fs::read_dir(path) else { return false };
    let entries = &folder.tree.entries;
    is_folder
        && names.count() == entries.len()
        && entries.iter().all(|(name, entry)| is_same_entry(&path.join(name), entry))
}

fn is_same_entry(path: &Path, entry: &Entry) -> bool {
    match entry {
        Entry::File { digest, executable } => is_same_file(digest, *executable, path),
        Entry::Symlink { target } => {
            std::fs::read_link(path).is_ok_and(|actual| actual.as_os_str() == target.as_str())
        }
        // A folder of its own in the list.
        Entry::Directory(_) | Entry::Subtree(_) => true,
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> ExportError {
    ExportError::Target { action, path: path.to_owned(), source }
}
