//! The errors that the methods of a store return.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::tree::TreeError;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused an operation.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// The operation that failed, as a verb.
        action: &'static str,
        /// The file or folder of the operation.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The store's folder can't be created or written to.
    #[error("cannot write to the store at `{}`", .root.display())]
    NotWritable {
        /// The store's folder.
        root: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The folder is in use for something else.
    #[error("`{}` is not a store: it holds `{found}`, which does not belong to a store", .root.display())]
    NotAStore {
        /// The folder.
        root: PathBuf,
        /// A name in the folder that no store has.
        found: String,
    },
    /// The folder holds a store that another version of this program made.
    #[error("the store at `{}` has the format `{found}`, this version reads `{expected}`", .root.display())]
    Format {
        /// The store's folder.
        root: PathBuf,
        /// The content of its format file.
        found: String,
        /// The content that this version expects.
        expected: &'static str,
    },
    /// The operation needs a blob that is not in the store, or was damaged and is quarantined now.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// The blob is sound, but its bytes are not a `Directory` message.
    #[error("blob {0} is not a directory")]
    NotADirectory(Digest),
    /// The blob is a `Directory` message that describes a directory which can't exist on disk.
    #[error("directory {digest} is not usable")]
    Directory {
        /// The directory.
        digest: Digest,
        /// The error in the message.
        source: Box<TreeError>,
    },
    /// The tree has more entries than are accepted. A directory counts once for each path at which it occurs.
    #[error("tree {digest} has more than {limit} entries")]
    TooLarge {
        /// The tree.
        digest: Digest,
        /// The limit.
        limit: usize,
    },
    /// A tree can't be stored or merged.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Adds the operation and the path to an error of the operating system.
pub(super) trait IoErrorContext<T> {
    /// Turns the error into [`StoreError::Io`]. `action` is a verb that completes the message "cannot … `path`".
    fn at(self, action: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T, E: Into<io::Error>> IoErrorContext<T> for Result<T, E> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::Io { action, path: path.to_owned(), source: error.into() })
    }
}
