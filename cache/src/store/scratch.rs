//! Private folders for whoever needs room on the store's file system, such as an action's outputs.
//!
//! Deleting thousands of files takes longer than many an action, so it's never on the way of a
//! build: a dropped folder is handed to one background thread per store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::{At, DiskStore, StoreError};
use super::layout::create_private;
use super::remove::remove_tree;
use super::session::{Session, sweep};

/// A private folder below the store. Dropping it removes it in the background, whatever modes or
/// owners its files have by then; if the process ends before that, a later [`DiskStore::sweep`]
/// does.
#[derive(Debug)]
pub struct ScratchDir {
    store: DiskStore,
    path: PathBuf,
    kept: bool,
}

impl ScratchDir {
    /// The folder: absolute, empty at first. Only its owner may enter it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the folder to where nothing sweeps it, for someone to look at, and returns its new
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

impl DiskStore {
    /// A fresh private folder on the store's file system.
    pub fn scratch(&self) -> Result<ScratchDir, StoreError> {
        let path = self.inner.session.fresh_path();
        create_private(&path).at("create", &path)?;
        Ok(ScratchDir { store: self.clone(), path, kept: false })
    }

    /// Removes what processes that are gone left under `tmp/`, also those of other PID namespaces.
    ///
    /// May take long: to be called in the background. What can't be removed (another user's files)
    /// doesn't keep it from removing the rest; the first such failure is returned.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let tmp = self.layout().tmp();
        sweep(&tmp).at("sweep", &tmp)
    }
}

/// The background thread, started with the first folder to remove. It holds the session, so that
/// the session's lock lasts until the last folder is gone.
#[derive(Debug)]
pub(super) struct Remover {
    session: Arc<Session>,
    queue: Mutex<Option<Sender<PathBuf>>>,
}

impl Remover {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self { session, queue: Mutex::new(None) }
    }

    fn remove(&self, path: PathBuf) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_none() {
            *queue = self.start().ok();
        }
        // Without a thread the folder stays until the session ends.
        if let Some(queue) = &*queue {
            _ = queue.send(path);
        }
    }

    fn start(&self) -> io::Result<Sender<PathBuf>> {
        let (sender, receiver): (_, Receiver<PathBuf>) = channel();
        let session = Arc::clone(&self.session);
        std::thread::Builder::new().name("store-remover".to_owned()).spawn(move || {
            for path in receiver {
                // What stays is removed with the session, or swept after it.
                _ = remove_tree(&path);
            }
            drop(session);
        })?;
        Ok(sender)
    }
}
