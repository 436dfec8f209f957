//! Writes blobs to the user's folders.
//!
//! An exported file belongs to the user: it is an ordinary file with an ordinary mode and the current time. It shares
//! its blocks with the blob where the file system supports that, but it is never a hard link to the blob, so that
//! nothing the user does to it can damage the store. The bytes are verified before the file gets its name. A file that
//! is there already with the same content is left alone, with its time.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::blob::{is_executable, open_no_follow};
use super::disk::DiskStore;
use super::error::StoreError;
use crate::digest::Digest;
use crate::hasher::digest_open_file;

/// The reason why a file or a tree could not be written to the user's folder.
#[derive(Debug, thiserror::Error)]
pub enum StoreExportError {
    /// The blob is not in the store, or was damaged and is quarantined now.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// The user's folder can't be written to.
    #[error("cannot {action} `{}`", .path.display())]
    Target {
        /// The operation that failed, as a verb.
        action: &'static str,
        /// The file or folder of the operation.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for StoreExportError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(digest) => Self::Missing(digest),
            error => Self::Store(error),
        }
    }
}

impl DiskStore {
    /// Writes a blob to the file `to`, with mode 0644 or 0755 less the umask, and creates the file's folder if that is
    /// missing. Returns `false` if nothing had to change, because the file had the same bytes and mode before.
    pub fn export_file(
        &self,
        digest: &Digest,
        executable: bool,
        to: &Path,
    ) -> Result<bool, StoreExportError> {
        if is_same_file(digest, executable, to) {
            return Ok(false);
        }
        let folder = to.parent().unwrap_or(to);
        std::fs::create_dir_all(folder).map_err(|error| failed("create", folder, error))?;
        let temp = TempFile(self.temp_beside(to));
        self.write_file(digest, executable, &temp.0)?;
        std::fs::rename(&temp.0, to).map_err(|error| failed("replace", to, error))?;
        Ok(true)
    }

    /// Creates the file at `path` and verifies its bytes.
    fn write_file(
        &self,
        digest: &Digest,
        executable: bool,
        path: &Path,
    ) -> Result<(), StoreExportError> {
        let mode = if executable { 0o777 } else { 0o666 };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(mode);
        let file = options.open(path).map_err(|error| failed("create", path, error))?;
        if self.copy_blob(digest, &file)? {
            Ok(())
        } else {
            Err(StoreExportError::Missing(*digest))
        }
    }

    /// Returns a hidden temporary name in the same folder as `to`, so that a rename is enough to replace `to`.
    fn temp_beside(&self, to: &Path) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(to.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", self.inner.session.unique_name()));
        to.with_file_name(name)
    }
}

/// A temporary file in the user's folder, removed when this is dropped.
struct TempFile(PathBuf);

impl Drop for TempFile {
    fn drop(&mut self) {
        // An error here can be returned to nobody, and concerns no file that a user would miss.
        _ = std::fs::remove_file(&self.0);
    }
}

/// Tells if `path` is a file with this content and mode, and without a second hard link.
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

fn failed(action: &'static str, path: &Path, source: io::Error) -> StoreExportError {
    StoreExportError::Target { action, path: path.to_owned(), source }
}
