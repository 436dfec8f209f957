//! Private temporary folders on the store's file system, for example for the outputs of an action.
//!
//! To delete thousands of files may take longer than the action that wrote them, so a build never waits for it: a
//! dropped folder is handed to a background thread, of which each open store has one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::content::ContentStore;
use super::error::{IoErrorContext, StoreError};
use super::layout::create_private;
use super::remove::remove_tree;
use super::writer_session::WriterSession;

/// A private folder below the store. When it is dropped, it is removed in the background, whatever modes or
/// owners its files have by then. If the process ends before that, a later [`DiskStore::sweep`](crate::DiskStore::sweep)
/// removes it.
#[derive(Debug)]
pub struct ScratchDir {
    store: ContentStore,
    path: PathBuf,
    kept: bool,
}

impl ScratchDir {
    /// Returns the absolute path of the folder, which is empty at first. Only its owner may enter it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the folder to `kept/`, which is never swept, so that the user can look at it. Returns its new
    /// path.
    pub fn keep(mut self) -> Result<PathBuf, StoreError> {
        let kept = self.store.layout().kept().join(self.store.inner.session.unique_name());
        std::fs::rename(&self.path, &kept).at("move", &self.path)?;
        self.kept = true;
        Ok(kept)
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        if !self.kept {
            self.store.inner.remover.remove(std::mem::take(&mut self.path));
        }
    }
}

impl ContentStore {
    /// Makes a new, empty, private folder on the store's file system.
    pub fn scratch(&self) -> Result<ScratchDir, StoreError> {
        let path = self.inner.session.fresh_path();
        create_private(&path).at("create", &path)?;
        Ok(ScratchDir { store: self.clone(), path, kept: false })
    }
}

/// The background thread that removes folders; it starts with the first one. It holds the session, so that
/// the session's lock lasts until the last folder is gone.
#[derive(Debug)]
pub(super) struct Remover {
    session: Arc<WriterSession>,
    queue: Mutex<Option<Sender<PathBuf>>>,
}

impl Remover {
    pub(super) fn new(session: Arc<WriterSession>) -> Self {
        Self { session, queue: Mutex::new(None) }
    }

    fn remove(&self, path: PathBuf) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_none() {
            *queue = self.start().ok();
        }
        // If the thread can't be started, the folder stays until the session ends.
        if let Some(queue) = &*queue {
            _ = queue.send(path);
        }
    }

    fn start(&self) -> io::Result<Sender<PathBuf>> {
        let (sender, receiver): (_, Receiver<PathBuf>) = channel();
        let session = Arc::clone(&self.session);
        std::thread::Builder::new().name("store-remover".to_owned()).spawn(move || {
            for path in receiver {
                // A folder that can't be removed now is removed with the session, or swept later.
                _ = remove_tree(&path);
            }
            drop(session);
        })?;
        Ok(sender)
    }
}
