//! Stored trees as real folders, to be mounted read-only into sandboxes.
//!
//! A tree is put on disk once per digest and shared by every action, process and build that needs
//! it. Its files are hardlinks to blobs, which costs a few microseconds each, whatever their size.
//! Three things make a hardlink show, and are copied instead: a blob that the same tree has
//! already linked (two names with one inode are "the same file" to `cp`, and a link to `tar`), a
//! blob at its file system's link limit (the empty file would be the first), and a store whose file
//! system can't link.
//!
//! The first use of a tree in a process checks it (see `recheck`); a tree that somebody touched is
//! built anew and exchanged. Who can throw away what comes of a touched tree may begin to work with it
//! at once and have it checked meanwhile: see [`DiskStore::on_disk`].

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::build::build_tree;
use super::disk::{At, DiskStore, StoreError};
use super::folders::Folder;
use super::recheck::tree_is_intact;
use super::stamp::{FOLDER_MODE, stamp};
use crate::digest::Digest;

/// Why a tree could not be put on disk.
#[derive(Debug, thiserror::Error)]
pub enum MaterialiseError {
    /// The tree needs a blob that is not in the store, or was damaged and is quarantined now.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// Anything else.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for MaterialiseError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(digest) => Self::Missing(digest),
            error => Self::Store(error),
        }
    }
}

/// The trees that were checked by this process: digest → the quarantine's generation then.
#[derive(Debug, Default)]
pub(super) struct CheckedTrees {
    slots: Mutex<HashMap<Digest, Slot>>,
}

type Slot = Arc<Mutex<Option<u64>>>;

impl CheckedTrees {
    fn slot(&self, tree: &Digest) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(*tree).or_default())
    }
}

/// A tree that lies on disk, as far as this process knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDisk {
    /// The folder.
    pub path: PathBuf,
    /// Whether this process has checked it: then it is as good as a
    /// [materialised](DiskStore::materialise) one.
    pub is_checked: bool,
}

/// One folder among those that have the same tree one after the other, see [`DiskStore::which`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    device: u64,
    inode: u64,
    /// Of the inode's last change: it is new when the folder is exchanged.
    changed: (i64, i64),
}

impl DiskStore {
    /// Which folder a tree has now. A damaged one is exchanged and then deleted, also under the eyes
    /// of whoever has it mounted: if this was the same before it was mounted and after it was used,
    /// it was the same all the time.
    pub fn which(&self, tree: &Digest) -> Option<Which> {
        let folder = std::fs::symlink_metadata(self.layout().tree(tree)).ok()?;
        let changed = (folder.ctime(), folder.ctime_nsec());
        Some(Which { device: folder.dev(), inode: folder.ino(), changed })
    }

    /// The folder of a tree if there is one, without a look at what is in it. Unless it
    /// [is checked](OnDisk::is_checked), nothing that comes of it counts before
    /// [`DiskStore::is_intact`] has said yes.
    pub fn on_disk(&self, tree: &Digest) -> Option<OnDisk> {
        let path = self.layout().tree(tree);
        let slot = self.inner.trees.slot(tree);
        let generation = self.inner.quarantine.generation();
        // Somebody is about to check it, or to build it anew, if that can't be had.
        let is_checked = slot.try_lock().is_ok_and(|checked| *checked == Some(generation));
        path.is_dir().then_some(OnDisk { path, is_checked })
    }

    /// Whether the tree's folder is as it was built; it is left as it is.
    pub fn is_intact(&self, tree: &Digest) -> Result<bool, StoreError> {
        let slot = self.inner.trees.slot(tree);
        let mut checked = wait_for(&slot);
        let generation = self.inner.quarantine.generation();
        if checked.as_deref() == Some(&Some(generation)) {
            return Ok(true);
        }
        let is_intact = tree_is_intact(&self.layout().tree(tree), &self.folders(tree)?);
        if is_intact && let Some(checked) = &mut checked {
            **checked = Some(generation);
        }
        Ok(is_intact)
    }

    /// The folder with the content of the stored tree, complete and checked. It must not be written
    /// to: mount it read-only.
    ///
    /// Files have mode 0444 or 0555, folders 0755, and all of them the time
    /// [`FIXED_MTIME`](crate::FIXED_MTIME).
    pub fn materialise(&self, tree: &Digest) -> Result<PathBuf, MaterialiseError> {
        let path = self.layout().tree(tree);
        let slot = self.inner.trees.slot(tree);
        let mut checked = wait_for(&slot);
        let generation = self.inner.quarantine.generation();
        if checked.as_deref() == Some(&Some(generation)) && path.is_dir() {
            return Ok(path);
        }
        let folders = self.folders(tree)?;
        if !tree_is_intact(&path, &folders) {
            let scratch = self.scratch()?;
            let built = scratch.path().join("tree");
            build_tree(self, &built, &folders)?;
            install(&built, &path, &folders)?;
        }
        if let Some(checked) = &mut checked {
            **checked = Some(generation);
        }
        Ok(path)
    }
}

/// One thread checks or builds a tree, the others wait for it. A rayon worker never waits: while
/// this thread's own parallel work is under way, rayon may run the waiting job on this very thread.
fn wait_for(slot: &Mutex<Option<u64>>) -> Option<MutexGuard<'_, Option<u64>>> {
    if rayon::current_thread_index().is_some() { slot.try_lock().ok() } else { Some(lock(slot)) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the finished tree its place. If another process was faster, its tree stays, so that nobody
/// loses one that is mounted; if a damaged tree is there, it's exchanged and left at `built`.
fn install(built: &Path, path: &Path, folders: &[Folder]) -> Result<(), StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(built, flags, Mode::empty()).at("open", built)?;
    match rustix::fs::rename(built, path) {
        Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {
            if tree_is_intact(path, folders) {
                return Ok(());
            }
            exchange(built, path).at("replace", path)?;
        }
        other => other.at("create", path)?,
    }
    // XFS dates a folder that an exchange gave another parent.
    stamp(&root, FOLDER_MODE).at("stamp", path)
}

/// Swaps two paths at once, or nearly so where the file system can't.
pub(super) fn exchange(new: &Path, old: &Path) -> Result<(), Errno> {
    match rustix::fs::renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let mut aside = OsString::from(new);
            aside.push(".old");
            rustix::fs::rename(old, &aside)?;
            rustix::fs::rename(new, old)?;
            rustix::fs::rename(&aside, new)
        }
        other => other,
    }
}
