//! The content of a store: blobs, trees, scratch folders and memos.
//!
//! This is the part of a store that all code may use. Results of actions and the upkeep of the store, such as cleaning, can
//! be reached through the [`DiskStore`](super::DiskStore) only.

use std::path::Path;
use std::sync::Arc;

use super::entry::UnusableEntries;
use super::error::StoreError;
use super::layout::StoreLayout;
use super::materialise::CheckedTrees;
use super::quarantine::Quarantine;
use super::scratch::Remover;
use super::writer_session::WriterSession;
use crate::digest::DigestFunction;

/// The blobs, trees, scratch folders and memos of a store. Clones are cheap and share one state.
///
/// See [`DiskStore`](super::DiskStore) for what the store promises.
#[derive(Debug, Clone)]
pub struct ContentStore {
    pub(super) inner: Arc<OpenStore>,
}

#[derive(Debug)]
pub(super) struct OpenStore {
    pub(super) function: DigestFunction,
    pub(super) layout: StoreLayout,
    pub(super) id: String,
    pub(super) session: Arc<WriterSession>,
    pub(super) remover: Remover,
    pub(super) quarantine: Quarantine,
    pub(super) unusable: UnusableEntries,
    pub(super) trees: CheckedTrees,
    /// The number of hard links that a file may have before it is copied instead. The file system has a limit of its
    /// own (ext4: 65000); this one exists so that a test can reach it.
    pub(super) link_limit: u64,
}

impl ContentStore {
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
        let layout = StoreLayout::open(root)?;
        let id = layout.read_id()?;
        let session = WriterSession::create(&layout.tmp())
            .map_err(|source| StoreError::NotWritable { root: layout.root().to_owned(), source })?;
        let session = Arc::new(session);
        let inner = OpenStore {
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

    /// Returns the absolute path of the store's folder.
    pub fn root(&self) -> &Path {
        self.inner.layout.root()
    }

    /// Returns the digest function of new blobs.
    pub fn function(&self) -> DigestFunction {
        self.inner.function
    }

    pub(super) fn layout(&self) -> &StoreLayout {
        &self.inner.layout
    }
}
