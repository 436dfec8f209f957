//! Finds out what a store holds, by a look at every file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rayon::prelude::*;
use rustix::fs::Stat;

use super::disk::DiskStore;
use super::error::{IoErrorContext as _, StoreError};
use super::last_use::last_use;
use crate::digest::DigestFunction;

/// A number of files, and their size on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// The number of files.
    pub count: u64,
    /// The sum of their sizes in bytes.
    pub bytes: u64,
}

/// The number and the size of everything that a store holds, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The blobs. The files of trees on disk are hard links to them, and need no space of their own.
    pub blobs: Amount,
    /// The results of actions.
    pub results: Amount,
    /// The remembered results of other work.
    pub memos: Amount,
    /// The trees on disk. Their bytes are not counted.
    pub trees: Amount,
    /// The damaged blobs that were set aside.
    pub quarantine: Amount,
}

impl Usage {
    /// Returns the size of everything in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.blobs.bytes + self.results.bytes + self.memos.bytes + self.quarantine.bytes
    }
}

impl Amount {
    pub(super) const fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// A file of the store.
#[derive(Debug)]
pub(super) struct StoredFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) used: SystemTime,
    /// True if a tree on disk has a hard link to it.
    pub(super) is_linked: bool,
}

impl DiskStore {
    /// Counts what the store holds.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let sum = |kind: &str| -> Result<Amount, StoreError> {
            let mut amount = Amount::default();
            self.files(kind)?.iter().for_each(|file| amount.add(file.bytes));
            Ok(amount)
        };
        let mut quarantine = Amount::default();
        for path in entries(&self.layout().quarantine())? {
            quarantine.add(path.symlink_metadata().map_or(0, |metadata| metadata.len()));
        }
        let trees = u64::try_from(self.tree_folders()?.len()).unwrap_or(u64::MAX);
        Ok(Usage {
            blobs: sum("cas")?,
            results: sum("ac")?,
            memos: sum("memos")?,
            trees: Amount { count: trees, bytes: 0 },
            quarantine,
        })
    }

    /// Lists the files of one kind: `cas`, `ac` or `memos`.
    pub(super) fn files(&self, kind: &str) -> Result<Vec<StoredFile>, StoreError> {
        let mut fans = Vec::new();
        for function in DigestFunction::ALL {
            fans.extend(entries(&self.root().join(kind).join(function.name()))?);
        }
        let files: Result<Vec<Vec<_>>, _> = fans.par_iter().map(|fan| files_in(fan)).collect();
        Ok(files?.into_iter().flatten().collect())
    }

    /// Lists the folders of trees on disk.
    pub(super) fn tree_folders(&self) -> Result<Vec<(DigestFunction, PathBuf)>, StoreError> {
        let mut folders = Vec::new();
        for function in DigestFunction::ALL {
            let trees = entries(&self.root().join("trees").join(function.name()))?;
            folders.extend(trees.into_iter().map(|path| (function, path)));
        }
        Ok(folders)
    }
}

/// Lists a folder. A folder that is gone has no entries.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => {
            let listed = listed.at("read", folder)?;
            listed.map(|entry| entry.map(|entry| entry.path()).at("read", folder)).collect()
        }
    }
}

/// Looks at the files of a folder. One that goes away meanwhile is left out, and so is what the store has not made.
fn files_in(folder: &Path) -> Result<Vec<StoredFile>, StoreError> {
    let listed = entries(folder)?.into_iter().filter(|path| path.file_name().is_some_and(is_ours));
    Ok(listed.filter_map(|path| look_at(&path)).collect())
}

pub(super) fn look_at(path: &Path) -> Option<StoredFile> {
    let stat: Stat = rustix::fs::lstat(path).ok()?;
    // The space on the disk, which for small files is more than their size.
    let bytes = u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
    let (used, is_linked) = (last_use(&stat), stat.st_nlink > 1);
    Some(StoredFile { path: path.to_owned(), bytes, used, is_linked })
}

/// Tells if a name is that of a blob or an entry: 64 hexadecimal digits, and for executable blobs `.x`.
fn is_ours(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let hex = name.strip_suffix(b".x").unwrap_or(name);
    hex.len() == 64 && hex.iter().all(u8::is_ascii_hexdigit)
}
