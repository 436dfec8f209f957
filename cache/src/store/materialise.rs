//! Materialises stored trees: makes real folders of them, which are mounted read-only into sandboxes.
//!
//! A tree is put on disk once per digest and shared by every action, process and build that needs it. Its files are
//! hard links to blobs; a link costs a few microseconds, whatever the size of the file. A file is copied in three
//! cases: if the same tree has already linked the blob (`cp` and `tar` would take two names with one inode for the same
//! file), if the blob has reached its file system's link limit (the empty file would be the first), and if the file
//! system of the store supports no hard links.
//!
//! The first use of a tree in a process checks it (see `recheck`). A tree that was changed is built again, and the new
//! folder takes the place of the old one. A caller that can discard the result of its work may use a tree before it is
//! checked, and have it checked meanwhile: see [`ContentStore::on_disk`].

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::content::ContentStore;
use super::error::{IoErrorContext, StoreError};
use super::folders::TreeFolder;
use super::recheck::tree_is_intact;
use super::stamp::{FOLDER_MODE, stamp};
use super::tree_builder::build_tree;
use crate::digest::Digest;

/// The reason why a tree could not be put on disk.
#[derive(Debug, thiserror::Error)]
pub enum MaterialiseError {
    /// The tree needs a blob that is not in the store, or was damaged and is quarantined now.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// Another error of the store.
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

/// The trees that this process has checked. Each is stored with the generation that the quarantine had then.
#[derive(Debug, Default)]
pub(super) struct CheckedTrees {
    slots: Mutex<HashMap<Digest, CheckSlot>>,
}

type CheckSlot = Arc<Mutex<Option<u64>>>;

impl CheckedTrees {
    fn slot(&self, tree: &Digest) -> CheckSlot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(*tree).or_default())
    }
}

/// A tree that has a folder on disk, which may be unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeOnDisk {
    /// The folder.
    pub path: PathBuf,
    /// True if this process has checked the folder. Then it can be relied on like a
    /// [materialised](ContentStore::materialise) tree.
    pub is_checked: bool,
}

/// Identifies one folder on disk among all those that the same tree has had over time; see
/// [`ContentStore::folder_identity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderIdentity {
    device: u64,
    inode: u64,
    /// The time of the inode's last change, which differs after the folder was exchanged.
    changed: (i64, i64),
}

impl ContentStore {
    /// Identifies the folder that a tree has now. When a folder is found damaged, another one takes its place and it is
    /// deleted, even while a sandbox has it mounted. If the identity is the same before the folder is mounted and after
    /// it was used, the folder was not exchanged in between.
    pub fn folder_identity(&self, tree: &Digest) -> Option<FolderIdentity> {
        let folder = std::fs::symlink_metadata(self.layout().tree(tree)).ok()?;
        let changed = (folder.ctime(), folder.ctime_nsec());
        Some(FolderIdentity { device: folder.dev(), inode: folder.ino(), changed })
    }

    /// Returns the folder of a tree if there is one, without checking its content. Unless it
    /// [is checked](TreeOnDisk::is_checked), the caller must not rely on any result of its use before
    /// [`ContentStore::is_intact`] has returned `true`.
    pub fn on_disk(&self, tree: &Digest) -> Option<TreeOnDisk> {
        let path = self.layout().tree(tree);
        let slot = self.inner.trees.slot(tree);
        let generation = self.inner.quarantine.generation();
        // If the slot is locked, another thread is checking the tree or building it again.
        let is_checked = slot.try_lock().is_ok_and(|checked| *checked == Some(generation));
        path.is_dir().then_some(TreeOnDisk { path, is_checked })
    }

    /// Checks if the tree's folder is as it was built. Changes nothing.
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

    /// Returns the folder with the content of the stored tree, complete and checked. It must not be written
    /// to, so it has to be mounted read-only.
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

/// Lets one thread check or build a tree while the others wait for it. A rayon worker never waits: rayon may have put
/// its job onto the very thread that builds the tree, which waits for its own parallel work, and would then wait for
/// itself.
fn wait_for(slot: &Mutex<Option<u64>>) -> Option<MutexGuard<'_, Option<u64>>> {
    if rayon::current_thread_index().is_some() { slot.try_lock().ok() } else { Some(lock(slot)) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves the finished tree to its place. If another process was faster, its tree stays, because it may be mounted
/// already. If a damaged tree is there, the two are exchanged, and the damaged one is left at `built`.
fn install(built: &Path, path: &Path, folders: &[TreeFolder]) -> Result<(), StoreError> {
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
    // XFS sets the time of a folder that gets another parent by an exchange.
    stamp(&root, FOLDER_MODE).at("stamp", path)
}

/// Exchanges two paths atomically. Where the file system can't do that, the old path is missing for an instant.
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
