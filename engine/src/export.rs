//! Outputs in the user's own folder: written when they differ from what the build gave, and
//! otherwise left alone after a single `lstat`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cache::{Digest, DiskStore};

use crate::clock;
use crate::stat::{Moment, Stat};
use crate::{ActionId, Label};

/// An output file that the user wants to have somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The action that makes it.
    pub action: ActionId,
    /// Which of its declared outputs it is. It has to be a file.
    pub output: String,
    /// The absolute path it is written to. Folders above it are made as needed.
    pub to: PathBuf,
}

/// Why an output could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The action does not declare such an output.
    #[error("`{label}` has no output `{output}`")]
    Undeclared {
        /// The action.
        label: Label,
        /// What was asked for.
        output: String,
    },
    /// The output is a folder.
    #[error("`{output}` of `{label}` is a folder, only files can be exported")]
    Folder {
        /// The action.
        label: Label,
        /// What was asked for.
        output: String,
    },
    /// It could not be written.
    #[error("can't write `{}`", .to.display())]
    Write {
        /// Where to.
        to: PathBuf,
        /// Why.
        source: cache::ExportError,
    },
    /// It was written and could not be found again.
    #[error("can't look at `{}`", .to.display())]
    Look {
        /// Which file.
        to: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What an exported file looked like when it was last known to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportRecord {
    pub(crate) stat: Stat,
    pub(crate) digest: Digest,
    pub(crate) executable: bool,
    /// Whether the stat proves the content, in another session too.
    pub(crate) settled: bool,
}

impl ExportRecord {
    /// Whether the file at `path` is as it was exported, by one `lstat`.
    #[must_use]
    pub fn is_untouched(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|metadata| Stat::of(&metadata) == self.stat)
    }

    /// What was exported.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// Writes a blob to `to` unless it is there, and says what the file looks like now.
pub(crate) fn write(
    store: &DiskStore,
    (digest, executable): (Digest, bool),
    to: &Path,
) -> Result<(bool, ExportRecord), ExportError> {
    // Taken before the store compares what is there: later writes can't hide before it.
    let moment = to.parent().and_then(|folder| clock::now(folder).ok()).unwrap_or(Moment::NEVER);
    let written = store
        .export_file(&digest, executable, to)
        .map_err(|source| ExportError::Write { to: to.to_owned(), source })?;
    let metadata = fs::symlink_metadata(to)
        .map_err(|source| ExportError::Look { to: to.to_owned(), source })?;
    let stat = Stat::of(&metadata);
    Ok((written, ExportRecord { stat, digest, executable, settled: stat.is_settled(moment) }))
}
