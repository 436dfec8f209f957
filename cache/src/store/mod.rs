//! The disk store. This is the API with its signatures only; the bodies follow.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::{Digest, DigestFunction};
use crate::reapi;
use crate::tree::{Entry, Tree, TreeError};

/// The modification time of every file and directory that an action may see, in seconds since the
/// Unix epoch: 1980-01-02T00:00:00Z. A day after the first one that a zip archive can hold, so that
/// it is valid there in every time zone.
pub const FIXED_MTIME: i64 = 315_619_200;

/// A folder with blobs, trees and action results; a cheap handle.
#[derive(Debug, Clone)]
pub struct DiskStore {}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// A verb for the message.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder holds a store of another version.
    #[error("the store at `{}` has the format {found:?}, this version needs {expected:?}", .root.display())]
    Format {
        /// The store.
        root: PathBuf,
        /// Content of its format file.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// A blob that the operation needs is not in the store.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// A tree can't be built, merged or read.
    #[error("tree error")]
    Tree(#[from] TreeError),
    /// The blob has its digest's bytes, but they are no `Directory` message.
    #[error("blob {digest} is not a directory")]
    NotADirectory {
        /// The blob.
        digest: Digest,
    },
}

/// Why a tree could not be put on disk.
#[derive(Debug, thiserror::Error)]
pub enum MaterialiseError {
    /// The blob is not in the store, or was damaged and has been quarantined.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// Anything else.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why outputs could not be taken into the store.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Anything else.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a file or tree could not be written to the user's folder.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The blob is not in the store, or was damaged and has been quarantined.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// Anything else.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A blob that was found damaged and has been moved out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// What the blob should have been.
    pub digest: Digest,
    /// Where its bytes are now.
    pub path: PathBuf,
}

/// Streams a new blob into the store; nothing is visible before [`BlobWriter::finish`].
#[derive(Debug)]
pub struct BlobWriter {}

impl io::Write for BlobWriter {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        todo!()
    }
    fn flush(&mut self) -> io::Result<()> {
        todo!()
    }
}

impl BlobWriter {
    /// Makes the blob visible under its digest.
    pub fn finish(self) -> Result<Digest, StoreError> {
        todo!()
    }
}

/// A private folder below the store; removed in the background when dropped.
#[derive(Debug)]
pub struct ScratchDir {}

impl ScratchDir {
    /// The folder, empty at first, mode 0700.
    pub fn path(&self) -> &Path {
        todo!()
    }
    /// Keeps the folder for good, for debugging; the path stays the same.
    pub fn keep(self) -> PathBuf {
        todo!()
    }
}

/// Removes a folder and everything in it, whatever the modes; missing is fine.
pub fn remove_tree(_path: &Path) -> io::Result<()> {
    todo!()
}

impl DiskStore {
    /// Opens the store at `root`, creating it if needed. `function` names new blobs.
    pub fn open(_root: &Path, _function: DigestFunction) -> Result<Self, StoreError> {
        todo!()
    }
    /// The store's folder.
    pub fn root(&self) -> &Path {
        todo!()
    }
    /// The function that names new blobs; blobs of the other one can be read as well.
    pub fn function(&self) -> DigestFunction {
        todo!()
    }
    /// Random, made when the store was created: tells that a store was replaced.
    pub fn id(&self) -> &str {
        todo!()
    }
    /// Whether the blob is there, by a stat (size, fixed mtime, mode); nothing is read.
    pub fn contains(&self, _digest: &Digest) -> bool {
        todo!()
    }
    /// The blob's bytes, verified; a damaged blob is quarantined and gives `None`.
    pub fn get(&self, _digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        todo!()
    }
    /// Stores `bytes`.
    pub fn put(&self, _bytes: &[u8]) -> Result<Digest, StoreError> {
        todo!()
    }
    /// Stores a file's content, hashing while copying.
    pub fn put_file(&self, _path: &Path) -> Result<Digest, StoreError> {
        todo!()
    }
    /// Starts to stream a blob; `executable` tells which kind of file will need it first.
    pub fn writer(&self, _executable: bool) -> Result<BlobWriter, StoreError> {
        todo!()
    }
    /// Stores the `Directory` messages of a tree and returns the root's digest.
    pub fn put_tree(&self, _tree: &Tree) -> Result<Digest, StoreError> {
        todo!()
    }
    /// The whole tree, all subtrees loaded; `None` if a `Directory` blob is missing.
    pub fn tree(&self, _digest: &Digest) -> Result<Option<Tree>, StoreError> {
        todo!()
    }
    /// One directory, its child directories as [`Entry::Subtree`].
    pub fn directory(&self, _digest: &Digest) -> Result<Option<Tree>, StoreError> {
        todo!()
    }
    /// The union of stored trees; directories that don't change are reused by digest.
    pub fn merge_trees(&self, _trees: &[Digest]) -> Result<Digest, StoreError> {
        todo!()
    }
    /// Takes a folder of outputs into the store and returns the digest of its tree.
    pub fn ingest(&self, _dir: &Path) -> Result<Digest, IngestError> {
        todo!()
    }
    /// Like [`DiskStore::ingest`], without the paths (relative to `dir`) that `leave_out` picks.
    pub fn ingest_filtered(
        &self,
        _dir: &Path,
        _leave_out: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Digest, IngestError> {
        todo!()
    }
    /// Takes one output, a file or a folder (then as [`Entry::Subtree`]); `None` if it's absent.
    pub fn ingest_path(&self, _dir: &Path, _rel: &str) -> Result<Option<Entry>, IngestError> {
        todo!()
    }
    /// Takes one output that must be a regular file; `None` if it's absent.
    pub fn ingest_file(&self, _dir: &Path, _rel: &str) -> Result<Option<Entry>, IngestError> {
        todo!()
    }
    /// The read-only tree on disk, built at most once per digest.
    pub fn materialise(&self, _tree: &Digest) -> Result<PathBuf, MaterialiseError> {
        todo!()
    }
    /// The path of a blob's file, for a read-only mount; `None` if it's missing.
    pub fn blob_path(
        &self,
        _digest: &Digest,
        _executable: bool,
    ) -> Result<Option<PathBuf>, StoreError> {
        todo!()
    }
    /// Writes a blob to the user's folder; says whether anything changed there.
    pub fn export_file(
        &self,
        _digest: &Digest,
        _executable: bool,
        _to: &Path,
    ) -> Result<bool, ExportError> {
        todo!()
    }
    /// Writes a tree to the user's folder `to`, replacing what is there; says whether anything changed.
    pub fn export_tree(&self, _digest: &Digest, _to: &Path) -> Result<bool, ExportError> {
        todo!()
    }
    /// A fresh private folder on the store's file system.
    pub fn scratch(&self) -> Result<ScratchDir, StoreError> {
        todo!()
    }
    /// Removes what dead processes left behind; call it in the background.
    pub fn sweep(&self) -> Result<(), StoreError> {
        todo!()
    }
    /// The stored result of an action; a damaged entry is a miss.
    pub fn action_result(&self, _key: &Digest) -> Result<Option<reapi::ActionResult>, StoreError> {
        todo!()
    }
    /// Stores the result of an action, replacing an older one.
    pub fn put_action_result(
        &self,
        _key: &Digest,
        _result: &reapi::ActionResult,
    ) -> Result<(), StoreError> {
        todo!()
    }
    /// Blobs found damaged since the last call.
    pub fn take_quarantined(&self) -> Vec<Quarantined> {
        todo!()
    }
}
