//! Hashing what is in the store, whatever its time stamps say.
//!
//! Use notices whatever an ordinary write leaves behind (see `recheck`). This is for the rest: a
//! failing disk, a restored backup, somebody who sets the time stamps back.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::blob::is_empty;
use super::disk::{At, DiskStore, StoreError};
use crate::digest::Digest;
use crate::hasher::digest_file;
use crate::tree::{Entry, join};

/// What hashing a blob has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Its bytes are those of its digest.
    Sound,
    /// It is not in the store.
    Missing,
    /// They are not, and it is out of the way: moved to this path, or removed.
    Damaged(Option<PathBuf>),
}

/// What hashing a tree has found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TreeHealth {
    /// How many files were hashed.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// What is missing or damaged, by its path in the tree; a folder's path means its list of names.
    pub flaws: Vec<(String, Digest, Health)>,
}

impl DiskStore {
    /// Hashes a blob, whatever its stat says. A damaged one is quarantined.
    pub fn verify(&self, digest: &Digest) -> Result<Health, StoreError> {
        let mut health = if is_empty(digest) { Health::Sound } else { Health::Missing };
        for executable in [false, true] {
            let path = self.layout().blob(digest, executable);
            if path.symlink_metadata().is_err() {
                continue;
            }
            if self.recheck(digest, executable)?.is_none() {
                return Ok(Health::Damaged(self.inner.quarantine.last(digest)));
            }
            health = Health::Sound;
        }
        Ok(health)
    }

    /// Hashes everything of a stored tree: its directories, its files, and the copies that lie in the
    /// folder it was put on disk to. `told` is called for every file with its size, and stops it by
    /// `false`.
    pub fn verify_tree(
        &self,
        root: &Digest,
        told: &mut dyn FnMut(u64) -> bool,
    ) -> Result<TreeHealth, StoreError> {
        let mut check = Check {
            store: self,
            told,
            known: HashMap::new(),
            found: TreeHealth::default(),
            damaged_copy: false,
        };
        check.folder(root, "", &self.layout().tree(root))?;
        let Check { found, damaged_copy, .. } = check;
        if damaged_copy {
            self.discard(&self.layout().tree(root))?;
        }
        Ok(found)
    }

    /// Takes a tree off the disk; it is built again when it is needed.
    fn discard(&self, tree: &Path) -> Result<(), StoreError> {
        let scratch = self.scratch()?;
        std::fs::rename(tree, scratch.path().join("tree")).at("move", tree)
    }
}

struct Check<'a> {
    store: &'a DiskStore,
    told: &'a mut dyn FnMut(u64) -> bool,
    /// Blobs that were hashed: many trees have a file twice.
    known: HashMap<Digest, Health>,
    found: TreeHealth,
    damaged_copy: bool,
}

impl Check<'_> {
    /// `disk` is where the folder is, if the tree is on disk. Gives whether to go on.
    fn folder(&mut self, digest: &Digest, path: &str, disk: &Path) -> Result<bool, StoreError> {
        let health = self.store.verify(digest)?;
        let tree = match health {
            Health::Sound => self.store.directory(digest)?,
            _ => None,
        };
        let Some(tree) = tree else {
            self.found.flaws.push((path.to_owned(), *digest, health));
            return Ok(true);
        };
        for (name, entry) in &tree.entries {
            let (path, disk) = (join(path, name), disk.join(name));
            let go_on = match entry {
                Entry::Subtree(child) => self.folder(child, &path, &disk)?,
                Entry::File { digest, executable } => {
                    self.file(digest, *executable, &path, &disk)?
                }
                Entry::Directory(_) | Entry::Symlink { .. } => true,
            };
            if !go_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn file(
        &mut self,
        digest: &Digest,
        executable: bool,
        path: &str,
        disk: &Path,
    ) -> Result<bool, StoreError> {
        let health = match self.known.get(digest) {
            Some(health) => health.clone(),
            None => self.store.verify(digest)?,
        };
        self.known.insert(*digest, health.clone());
        if health != Health::Missing {
            self.found.files += 1;
            self.found.bytes += digest.size();
        }
        if health != Health::Sound {
            self.found.flaws.push((path.to_owned(), *digest, health));
        } else if !self.is_sound_on_disk(digest, executable, disk) {
            self.damaged_copy = true;
            self.found.flaws.push((path.to_owned(), *digest, Health::Damaged(None)));
        }
        Ok((self.told)(digest.size()))
    }

    /// A file on disk that is the blob itself has been hashed already; a copy has not.
    fn is_sound_on_disk(&self, digest: &Digest, executable: bool, disk: &Path) -> bool {
        let Ok(metadata) = disk.symlink_metadata() else { return true };
        let inode = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
        let blob = self.store.layout().blob(digest, executable).symlink_metadata();
        if blob.is_ok_and(|blob| inode(&blob) == inode(&metadata)) {
            return true;
        }
        let actual = metadata.is_file().then(|| digest_file(digest.function(), disk));
        actual.is_some_and(|actual| actual.is_ok_and(|actual| actual == *digest))
    }
}
