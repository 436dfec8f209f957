//! Exports outputs: writes them to the user's folders if they differ from the result of the build. A file that is as
//! it was exported costs a single `lstat`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cache::{Digest, DiskStore};

use crate::clock;
use crate::stat::{Moment, Stat};
use crate::{ActionId, Label};

/// An output file that is written to a path that the user wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The action that makes it.
    pub action: ActionId,
    /// The declared output of that action. It has to be a file.
    pub output: String,
    /// The absolute path to which the file is written. Missing folders above it are made.
    pub to: PathBuf,
}

/// The reason why an output could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The action does not declare such an output.
    #[error("`{label}` has no output `{output}`")]
    Undeclared {
        /// The action.
        label: Label,
        /// The path of the output.
        output: String,
    },
    /// The output is a folder.
    #[error("`{output}` of `{label}` is a folder, only files can be exported")]
    Folder {
        /// The action.
        label: Label,
        /// The path of the output.
        output: String,
    },
    /// The file could not be written.
    #[error("can't write `{}`", .to.display())]
    Write {
        /// The path of the file.
        to: PathBuf,
        /// The error of the store.
        source: cache::StoreExportError,
    },
    /// The file was written, but its stat can't be read.
    #[error("can't look at `{}`", .to.display())]
    Look {
        /// The path of the file.
        to: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// The stat that an exported file had when its content was last known to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportRecord {
    pub(crate) stat: Stat,
    pub(crate) digest: Digest,
    pub(crate) executable: bool,
    /// True if the stat proves the content in later builds, too.
    pub(crate) settled: bool,
}

impl ExportRecord {
    /// Tells by one `lstat` if the file at `path` is as it was exported.
    #[must_use]
    pub fn is_untouched(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|metadata| Stat::of(&metadata) == self.stat)
    }

    /// Returns the digest of the blob that was exported.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// A file to export: a blob of the store, and the path to which it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExportedFile<'a> {
    pub(crate) digest: Digest,
    pub(crate) executable: bool,
    pub(crate) to: &'a Path,
}

impl ExportedFile<'_> {
    /// Returns the stat of the file at the path, if there is one. This is one `lstat`.
    pub(crate) fn look_at(&self) -> Option<Stat> {
        fs::symlink_metadata(self.to).ok().as_ref().map(Stat::of)
    }
}

/// Writes a file unless it has that content already. Returns whether it was written, and the record of the file.
pub(crate) fn write(
    store: &DiskStore,
    file: &ExportedFile<'_>,
) -> Result<(bool, ExportRecord), ExportError> {
    let &ExportedFile { digest, executable, to } = file;
    // The time is read before the store compares the file, so that a later write has a later time.
    let moment = to.parent().and_then(|folder| clock::now(folder).ok()).unwrap_or(Moment::NEVER);
    let written = store
        .export_file(&digest, executable, to)
        .map_err(|source| ExportError::Write { to: to.to_owned(), source })?;
    let metadata = fs::symlink_metadata(to)
        .map_err(|source| ExportError::Look { to: to.to_owned(), source })?;
    let stat = Stat::of(&metadata);
    Ok((written, ExportRecord { stat, digest, executable, settled: stat.is_settled(moment) }))
}
