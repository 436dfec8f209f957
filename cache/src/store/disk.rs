//! The handle to a store, and what can go wrong with it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::action::UnusableEntries;
use super::layout::Layout;
use super::materialise::CheckedTrees;
use super::quarantine::{Quarantine, Quarantined};
use super::scratch::Remover;
use super::session::Session;
use crate::digest::{Digest, DigestFunction};
use crate::tree::TreeError;

/// A folder with blobs, trees and action results. Clones are cheap and share one state.
///
/// Safe for any number of threads and processes at once. Methods block; a caller that must not
/// block runs them on a thread of its own.
///
/// **What is promised.** A blob is visible only under the digest of its bytes. Every file under
/// `cas/` and `trees/` has mode 0444 or 0555 and one modification time, set last:
/// [`FIXED_MTIME`](crate::FIXED_MTIME). An ordinary write to it changes size or time, so a `stat` on
/// use notices; the blob is hashed again and, if it's bad, quarantined. Bytes that the store reads
/// are always hashed.
///
/// **What a crash leaves.** `kill -9` leaves files under `tmp/`, nothing else. Blobs and results are
/// not fsynced: a power cut may lose the youngest, which is a cache miss, or leave them torn.
/// Files are only ever appended to and never preallocated, so a torn one is too short on every file
/// system that writes data before its metadata (ext4, xfs, btrfs in their default modes), and the
/// `stat` notices; action results carry a checksum.
#[derive(Debug, Clone)]
pub struct DiskStore {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) function: DigestFunction,
    pub(super) layout: Layout,
    pub(super) id: String,
    pub(super) session: Arc<Session>,
    pub(super) remover: Remover,
    pub(super) quarantine: Quarantine,
    pub(super) unusable: UnusableEntries,
    pub(super) trees: CheckedTrees,
    /// Names that one file may have before it's copied instead. The file system has a limit of its
    /// own (ext4: 65000); this one exists so that a test can reach it.
    pub(super) link_limit: u64,
}

impl DiskStore {
    /// Opens the store at `root`, creating it if needed. New blobs are named by `function`; blobs
    /// of the other function live beside them and can be read as well.
    ///
    /// Fails with [`StoreError::NotWritable`], [`StoreError::NotAStore`] or [`StoreError::Format`] if the folder can't be used.
    pub fn open(root: &Path, function: DigestFunction) -> Result<Self, StoreError> {
        Self::open_with_link_limit(root, function, u64::MAX)
    }

    pub(super) fn open_with_link_limit(
        root: &Path,
        function: DigestFunction,
        link_limit: u64,
    ) -> Result<Self, StoreError> {
        let layout = Layout::open(root)?;
        let id = layout.read_id()?;
        let session = Session::create(&layout.tmp())
            .map_err(|source| StoreError::NotWritable { root: layout.root().to_owned(), source })?;
        let session = Arc::new(session);
        let inner = Inner {
            function,
            layout,
            id,
            remover: Remover::new(Arc::clone(&session)),
            session,
            quarantine: Quarantine::default(),
            unusable: UnusableEntries::default(),
            trees: CheckedTrees::default(),
            link_limit,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The store's folder, as an absolute path.
    pub fn root(&self) -> &Path {
        self.inner.layout.root()
    }

    /// The function that names new blobs.
    pub fn function(&self) -> DigestFunction {
        self.inner.function
    }

    /// A random name made with the store: state kept elsewhere about what the store holds is void
    /// when this differs.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The blobs that were found damaged since the last call, oldest first.
    pub fn take_quarantined(&self) -> Vec<Quarantined> {
        self.inner.quarantine.take()
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.inner.layout
    }
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// A verb: what was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The store's folder can't be created or written to.
    #[error("cannot write to the store at `{}`", .root.display())]
    NotWritable {
        /// The store's folder.
        root: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The folder is in use for something else.
    #[error("`{}` is no store: it holds `{found}`, which no store does", .root.display())]
    NotAStore {
        /// The folder.
        root: PathBuf,
        /// A name in it.
        found: String,
    },
    /// The folder holds a store that another version of this program made.
    #[error("the store at `{}` has the format `{found}`, this version reads `{expected}`", .root.display())]
    Format {
        /// The store's folder.
        root: PathBuf,
        /// What its format file says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// The operation needs a blob that is not in the store, or was damaged and is quarantined now.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// The blob has the bytes that its digest promises, but they are no `Directory` message.
    #[error("blob {0} is not a directory")]
    NotADirectory(Digest),
    /// The blob is a `Directory` message that can't be a directory on disk.
    #[error("directory {digest} is not usable")]
    Directory {
        /// The directory.
        digest: Digest,
        /// What is wrong with it.
        source: Box<TreeError>,
    },
    /// The tree has more entries than any sound tree (directories count once per path).
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

/// Says where an error of the operating system came from.
pub(super) trait At<T> {
    /// `action` is a verb that completes "cannot … `path`".
    fn at(self, action: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::Io { action, path: path.to_owned(), source: error.into() })
    }
}
