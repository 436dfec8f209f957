//! Removes what was not used for the longest time, until a store keeps to a limit.
//!
//! This is safe beside running builds and servers. What a living process may have used since it opened the store stays.
//! A process that opens the store later may find that something has just gone; then it counts as missing, and is made or
//! fetched again, as anything that is missing. A blob that a tree on disk has a hard link to stays as long as the tree,
//! because removing it would free no space.
//!
//! Results go first, then trees, then blobs, so that little is left that names something missing.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::disk::DiskStore;
use super::error::{IoErrorContext as _, StoreError};
use super::last_use::{GRANULE, last_use};
use super::remove::remove_tree;
use super::usage::{Amount, StoredFile, look_at};
use super::writer_session::{is_held, sessions};
use crate::digest::DigestFunction;

/// The limits that a store has to keep to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreLimits {
    /// The space in bytes that blobs and entries may take on the disk.
    pub max_size: Option<u64>,
    /// The time after which something unused is removed.
    pub max_age: Option<Duration>,
}

/// The outcome of a collection: the amounts that were removed, and those that are left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// The blobs and entries that were removed.
    pub removed: Amount,
    /// The trees on disk that were removed. Their bytes are not counted.
    pub trees: Amount,
    /// The blobs and entries that are left.
    pub kept: Amount,
}

/// The files of a store.
struct Listed {
    entries: Vec<StoredFile>,
    blobs: Vec<StoredFile>,
}

impl Listed {
    fn all(&self) -> impl Iterator<Item = &StoredFile> {
        self.entries.iter().chain(&self.blobs)
    }
}

impl DiskStore {
    /// Removes what was not used for the longest time, until the store keeps to its limits. `now` is the present time.
    /// Everything that processes which run now may be using stays, even if the store is larger than its limit then. A
    /// server, whose process is always there, passes its own store, which does not count as in use.
    ///
    /// Also removes what dead processes have left, and old files of the quarantine.
    pub fn collect(&self, limits: &StoreLimits, now: SystemTime) -> Result<Collected, StoreError> {
        self.sweep()?;
        let listed = self.list()?;
        let by_size = limits.max_size.and_then(|size| oldest_to_keep(listed.all(), size));
        let by_age = limits.max_age.and_then(|age| now.checked_sub(age));
        match by_size.max(by_age) {
            Some(limit) => self.remove_older(listed, limit.min(self.in_use_since(now))),
            None => {
                let mut collected = Collected::default();
                listed.all().for_each(|file| collected.kept.add(file.bytes));
                Ok(collected)
            }
        }
    }

    /// Removes everything, unless another process has the store open. Returns `None` then.
    pub fn clear(&self, now: SystemTime) -> Result<Option<Collected>, StoreError> {
        self.sweep()?;
        if self.others().next().is_some() {
            return Ok(None);
        }
        // What was used in this very second goes, too.
        self.remove_older(self.list()?, now + Duration::from_secs(60)).map(Some)
    }

    fn list(&self) -> Result<Listed, StoreError> {
        let mut entries = self.files("ac")?;
        entries.extend(self.files("memos")?);
        Ok(Listed { entries, blobs: self.files("cas")? })
    }

    /// Removes everything that was used before `cutoff`.
    fn remove_older(&self, listed: Listed, cutoff: SystemTime) -> Result<Collected, StoreError> {
        let Listed { entries, blobs } = listed;
        let mut collected = Collected::default();
        remove(&entries, cutoff, &mut collected)?;
        collected.trees.count = self.remove_trees(cutoff)?;
        // Trees that are gone have left blobs without links.
        remove(&blobs, cutoff, &mut collected)?;
        Ok(collected)
    }

    /// Returns the time since when other processes may have used things of the store.
    fn in_use_since(&self, now: SystemTime) -> SystemTime {
        let started = self.others().filter_map(|lock| {
            // The file of the lock is made when a process opens the store, and never written to.
            File::open(lock).and_then(|lock| lock.metadata()).and_then(|it| it.modified()).ok()
        });
        let since = started.min().unwrap_or(now).min(now);
        since.checked_sub(2 * GRANULE).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Lists the locks of the other processes that have the store open.
    fn others(&self) -> impl Iterator<Item = PathBuf> {
        let own = self.content().inner.session.lock_path().to_owned();
        let others = sessions(&self.layout().tmp()).into_iter().filter(move |lock| *lock != own);
        others.filter(|lock| is_held(lock))
    }

    /// Removes the folders of trees that were used before `cutoff`, and returns their number.
    fn remove_trees(&self, cutoff: SystemTime) -> Result<u64, StoreError> {
        let mut count = 0;
        for (function, folder) in self.tree_folders()? {
            if self.tree_used(function, &folder).is_some_and(|used| used >= cutoff) {
                continue;
            }
            let scratch = self.scratch()?;
            let aside = scratch.path().join("tree");
            match std::fs::rename(&folder, &aside) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                renamed => renamed.at("move", &folder)?,
            }
            remove_tree(&aside).at("remove", &aside)?;
            count += 1;
        }
        Ok(count)
    }

    /// Returns when a tree was used last. If its root `Directory` message is gone, the tree is of no use.
    fn tree_used(&self, function: DigestFunction, folder: &Path) -> Option<SystemTime> {
        let hex = folder.file_name()?.to_str()?;
        let message = self.root().join(format!("cas/{}/{}/{hex}", function.name(), hex.get(..2)?));
        rustix::fs::lstat(&message).ok().map(|stat| last_use(&stat))
    }
}

/// Returns the earliest time of last use such that all files that were used since have at most this size together. Returns
/// `None` if all files fit.
fn oldest_to_keep<'a>(
    files: impl Iterator<Item = &'a StoredFile>,
    max_size: u64,
) -> Option<SystemTime> {
    let mut files: Vec<_> = files.map(|file| (file.used, file.bytes)).collect();
    files.sort_unstable_by(|one, other| other.cmp(one));
    let mut sum = 0_u64;
    for (used, bytes) in files {
        sum = sum.saturating_add(bytes);
        if sum > max_size {
            // Files with this time don't all fit.
            return used.checked_add(Duration::from_secs(1));
        }
    }
    None
}

fn remove(
    files: &[StoredFile],
    cutoff: SystemTime,
    collected: &mut Collected,
) -> Result<(), StoreError> {
    for file in files {
        // It may have been used, removed, or lost its last link to a tree since it was listed.
        let now = if file.used < cutoff { look_at(&file.path) } else { None };
        if now.is_none_or(|now| now.used >= cutoff || now.is_linked) {
            collected.kept.add(file.bytes);
            continue;
        }
        match std::fs::remove_file(&file.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.at("remove", &file.path)?,
        }
        collected.removed.add(file.bytes);
    }
    Ok(())
}
