//! Verifies blobs and trees of the store by hashing them, whatever their time stamps are.
//!
//! When a blob or tree is used, its `stat` shows every ordinary write (see `recheck`). Verifying finds all other damage:
//! by a failing disk, a restored backup, or a program that sets time stamps back.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::blob::is_empty;
use super::disk::DiskStore;
use super::error::{IoErrorContext, StoreError};
use crate::digest::Digest;
use crate::hasher::digest_file;
use crate::tree::{Entry, join};

/// The state in which a blob was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Its bytes have its digest.
    Sound,
    /// It is not in the store.
    Missing,
    /// Its bytes have another digest. It was moved to this path in the quarantine, or removed if there is no path.
    Damaged(Option<PathBuf>),
}

/// The state in which a tree was found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TreeHealth {
    /// The number of files that were hashed.
    pub files: u64,
    /// The number of bytes in these files.
    pub bytes: u64,
    /// The blobs of the tree that are missing or damaged.
    pub flaws: Vec<Flaw>,
}

/// A blob of a tree that is missing or damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The path in the tree. A folder's path stands for its `Directory` message.
    pub path: String,
    /// The digest that the blob should have.
    pub digest: Digest,
    /// The state of the blob; never [`Health::Sound`].
    pub health: Health,
}

impl DiskStore {
    /// Hashes a blob, whatever its stat shows. A damaged blob is quarantined.
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

    /// Hashes everything of a stored tree: its directories, its files, and the copies of files in the
    /// folder that was made of it on disk. Calls `on_file` with the size of each file, and stops when that returns
    /// `false`.
    pub fn verify_tree(
        &self,
        root: &Digest,
        on_file: &mut dyn FnMut(u64) -> bool,
    ) -> Result<TreeHealth, StoreError> {
        let mut verifier = TreeVerifier {
            store: self,
            on_file,
            known: HashMap::new(),
            found: TreeHealth::default(),
            damaged_copy: false,
        };
        verifier.folder(root, "", &self.layout().tree(root))?;
        let TreeVerifier { found, damaged_copy, .. } = verifier;
        if damaged_copy {
            self.discard(&self.layout().tree(root))?;
        }
        Ok(found)
    }

    /// Removes the folder of a tree from the disk. It is built again when the tree is needed.
    fn discard(&self, tree: &Path) -> Result<(), StoreError> {
        let scratch = self.scratch()?;
        std::fs::rename(tree, scratch.path().join("tree")).at("move", tree)
    }
}

struct TreeVerifier<'a> {
    store: &'a DiskStore,
    on_file: &'a mut dyn FnMut(u64) -> bool,
    /// The blobs that were hashed already, because many trees have the same file twice.
    known: HashMap<Digest, Health>,
    found: TreeHealth,
    damaged_copy: bool,
}

impl TreeVerifier<'_> {
    /// Verifies one folder and everything in it. `disk` is the path that the folder has if the tree is on disk. Returns
    /// `false` if the caller wants to stop.
    fn folder(&mut self, digest: &Digest, path: &str, disk: &Path) -> Result<bool, StoreError> {
        let health = self.store.verify(digest)?;
        let tree = match health {
            Health::Sound => self.store.directory(digest)?,
            _ => None,
        };
        let Some(tree) = tree else {
            self.add_flaw(path, digest, health);
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
            self.add_flaw(path, digest, health);
        } else if !self.is_sound_on_disk(digest, executable, disk) {
            self.damaged_copy = true;
            self.add_flaw(path, digest, Health::Damaged(None));
        }
        Ok((self.on_file)(digest.size()))
    }

    fn add_flaw(&mut self, path: &str, digest: &Digest, health: Health) {
        self.found.flaws.push(Flaw { path: path.to_owned(), digest: *digest, health });
    }

    /// Tells if a file of the tree on disk has the right bytes. A hard link to the blob has been hashed with the blob, so
    /// only a copy is hashed here.
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
