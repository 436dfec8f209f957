//! Verifies everything in a store by reading it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::disk::DiskStore;
use super::error::{IoErrorContext as _, StoreError};
use super::recheck::tree_is_intact;
use super::usage::{Amount, StoredFile};
use crate::digest::{Digest, DigestFunction, parse_hash};
use crate::hasher::digest_file;

/// The result of a verification of a whole store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreHealth {
    /// The blobs that were read.
    pub blobs: Amount,
    /// The blobs whose bytes were wrong. They were set aside, so they count as missing now.
    pub damaged: Vec<Digest>,
    /// The number of trees on disk that were looked at.
    pub trees: u64,
    /// The number of these that were not as their messages describe them, or lacked one. They were removed.
    pub removed_trees: u64,
    /// True if the verification was stopped before it had seen everything.
    pub is_partial: bool,
}

impl DiskStore {
    /// Reads all blobs, and looks at each file of all trees on disk. What is damaged is set aside or removed, and is made or
    /// fetched again when something needs it. Calls `on_file` with the size of each blob, on several threads, and stops
    /// when that returns `false`.
    pub fn verify_all(
        &self,
        on_file: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<StoreHealth, StoreError> {
        let stopped = AtomicBool::new(false);
        let check = |file: &StoredFile| {
            if stopped.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let checked = self.check_file(&file.path)?;
            if !on_file(checked.0) {
                stopped.store(true, Ordering::Relaxed);
            }
            Ok(Some(checked))
        };
        let files = self.files("cas")?;
        let checked: Result<Vec<_>, StoreError> = files.par_iter().map(check).collect();
        let mut health = StoreHealth::default();
        for (bytes, damaged) in checked?.into_iter().flatten() {
            health.blobs.add(bytes);
            health.damaged.extend(damaged);
        }
        health.damaged.sort();
        health.is_partial = stopped.into_inner();
        if !health.is_partial {
            self.check_trees(&mut health)?;
        }
        Ok(health)
    }

    /// Hashes the file of a blob. Returns its size, and the digest that it should have if it was damaged.
    fn check_file(&self, path: &Path) -> Result<(u64, Option<Digest>), StoreError> {
        // It may have been removed since it was listed.
        let Ok(metadata) = path.symlink_metadata() else { return Ok((0, None)) };
        let Some((digest, executable)) = named(path, metadata.len()) else { return Ok((0, None)) };
        let is_sound = metadata.is_file()
            && digest_file(digest.function(), path).is_ok_and(|actual| actual == digest);
        // This sets the blob aside if it is still damaged, and restores its marks if it is not.
        let is_sound = is_sound || self.recheck(&digest, executable)?.is_some();
        Ok((metadata.len(), (!is_sound && !path.exists()).then_some(digest)))
    }

    fn check_trees(&self, health: &mut StoreHealth) -> Result<(), StoreError> {
        for (function, folder) in self.tree_folders()? {
            health.trees += 1;
            let folders = self.root_message(function, &folder).map(|root| self.folders(&root));
            let folders = match folders {
                Some(Err(StoreError::Missing(_))) | None => None,
                Some(folders) => Some(folders?),
            };
            if !folders.is_some_and(|folders| tree_is_intact(&folder, &folders)) {
                let scratch = self.scratch()?;
                std::fs::rename(&folder, scratch.path().join("tree")).at("move", &folder)?;
                health.removed_trees += 1;
            }
        }
        Ok(())
    }

    /// Returns the digest of a tree on disk, whose size is that of its message.
    fn root_message(&self, function: DigestFunction, folder: &Path) -> Option<Digest> {
        let hash = parse_hash(folder.file_name()?.to_str()?).ok()?;
        let size = self.blob_size(function, &hash).ok().flatten()?;
        Some(Digest::new(function, hash, size))
    }
}

/// Returns the digest that a blob's path stands for, and whether the file is the executable one.
fn named(path: &Path, size: u64) -> Option<(Digest, bool)> {
    let name = path.file_name()?.to_str()?;
    let (hex, executable) = name.strip_suffix(".x").map_or((name, false), |hex| (hex, true));
    let function = path.parent()?.parent()?.file_name()?.to_str()?.parse().ok()?;
    Some((Digest::new(function, parse_hash(hex).ok()?, size), executable))
}
