//! The handle to a whole store on disk.

use std::ops::Deref;
use std::path::Path;

use super::content::ContentStore;
use super::entry::UnusableEntry;
use super::error::{IoErrorContext as _, StoreError};
use super::quarantine::Quarantined;
use super::writer_session::sweep;
use crate::digest::DigestFunction;

/// A folder with blobs, trees and action results. Clones are cheap and share one state.
///
/// It can do all that its [`ContentStore`] can. On top of that, it keeps the results of actions and the claims on them, exports
/// outputs, and finds and removes what is damaged or left over.
///
/// Any number of threads and processes may use it at once. Methods block; a caller that must not
/// block runs them on a thread of its own.
///
/// **Promises.** A blob is visible only under the digest of its bytes. Every file under
/// `cas/` and `trees/` has mode 0444 or 0555 and one modification time,
/// [`FIXED_MTIME`](crate::FIXED_MTIME), which is set last. An ordinary write to such a file changes its size or time.
/// The store looks at both by `stat` before it uses a file; if they are off, it hashes the blob again, and moves it to
/// the quarantine if the bytes are wrong. Bytes that the store reads are always hashed.
///
/// **After a crash.** A process that is killed leaves files under `tmp/` and nothing else. Blobs and results are
/// not fsynced: a power cut may lose the newest ones, which is a cache miss, or truncate them.
/// Files are only ever appended to and never preallocated, so an incomplete one is too short on every file
/// system that writes data before its metadata (ext4, xfs, btrfs in their default modes), and the
/// `stat` shows it; action results carry a checksum.
#[derive(Debug, Clone)]
pub struct DiskStore {
    content: ContentStore,
}

impl Deref for DiskStore {
    type Target = ContentStore;

    fn deref(&self) -> &ContentStore {
        &self.content
    }
}

impl DiskStore {
    /// Opens the store at `root`, creating it if needed. New blobs are named by `function`; blobs
    /// of the other function live beside them and can be read as well.
    ///
    /// Fails with [`StoreError::NotWritable`], [`StoreError::NotAStore`] or [`StoreError::Format`] if the folder can't be used.
    pub fn open(root: &Path, function: DigestFunction) -> Result<Self, StoreError> {
        Ok(Self { content: ContentStore::open(root, function)? })
    }

    /// Returns the part of the store that has the content.
    pub const fn content(&self) -> &ContentStore {
        &self.content
    }

    /// Returns the random name that the store got when it was created. State that is kept elsewhere about the content of
    /// a store is valid only for the store with the same name.
    pub fn id(&self) -> &str {
        &self.content.inner.id
    }

    /// Returns the blobs that were found damaged since the last call, the oldest first.
    pub fn take_quarantined(&self) -> Vec<Quarantined> {
        self.content.inner.quarantine.take()
    }

    /// Returns the entries that could not be used since the last call, at most one report for each operation.
    pub fn take_unusable(&self) -> Vec<UnusableEntry> {
        self.content.inner.unusable.take()
    }

    /// Removes the files that dead processes left under `tmp/`, also processes of other PID namespaces, and the damaged
    /// blobs that were quarantined more than a month ago.
    ///
    /// This may take long, so it should run in the background. If something can't be removed (another user's files),
    /// the rest is removed all the same, and the first such error is returned.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let tmp = self.layout().tmp();
        let swept = sweep(&tmp).at("sweep", &tmp);
        self.sweep_quarantine().and(swept)
    }
}
