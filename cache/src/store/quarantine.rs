//! Checks blobs whose stat is not as the store left it, and moves damaged ones to the quarantine.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Stat, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use super::blob::open_no_follow;
use super::content::ContentStore;
use super::error::{IoErrorContext, StoreError};
use super::stamp::{file_mode, stamp};
use crate::digest::Digest;
use crate::hasher::digest_open_file;

/// A blob that was found damaged and was moved to the quarantine. The store treats it as missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The digest that the blob should have.
    pub digest: Digest,
    /// The path to which the damaged file was moved.
    pub path: PathBuf,
}

/// The damaged blobs that one open store has found.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    found: Mutex<Vec<Quarantined>>,
    generation: AtomicU64,
}

impl Quarantine {
    /// Returns a number that grows with every damaged blob. Trees that were checked under a smaller number may have a
    /// hard link to that blob, so they are checked again.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn take(&self) -> Vec<Quarantined> {
        std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the path to which a damaged blob was moved last.
    pub(super) fn last(&self, digest: &Digest) -> Option<PathBuf> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let last = found.iter().rev().find(|found| found.digest == *digest);
        last.map(|found| found.path.clone())
    }

    fn add(&self, quarantined: Quarantined) {
        self.generation.fetch_add(1, Ordering::Release);
        self.found.lock().unwrap_or_else(PoisonError::into_inner).push(quarantined);
    }
}

impl ContentStore {
    /// Hashes a blob whose stat is not as the store left it. If the bytes are right, the blob is stamped again; if not, it
    /// is quarantined. Returns its new stat if it can be used as `digest`.
    pub(super) fn recheck(
        &self,
        digest: &Digest,
        executable: bool,
    ) -> Result<Option<Stat>, StoreError> {
        let path = self.layout().blob(digest, executable);
        let file = match open_no_follow(&path) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            // The path is a symbolic link, a special file, or a file whose mode forbids reading.
            Err(Errno::LOOP | Errno::ACCESS | Errno::NXIO) => {
                return self.quarantine(digest, &path, None).map(|()| None);
            }
            Err(error) => return Err(error).at("open", &path),
        };
        let metadata = file.metadata().at("stat", &path)?;
        if metadata.is_file() {
            let actual = digest_open_file(digest.function(), &file).at("read", &path)?;
            if actual == *digest && stamp(&file, file_mode(executable)).is_ok() {
                return rustix::fs::fstat(&file).at("stat", &path).map(Some);
            }
            // The blob is sound, but the caller asked for it with a wrong size.
            if actual.hash() == digest.hash() && actual != *digest {
                return Ok(None);
            }
        }
        self.quarantine(digest, &path, Some(&file)).map(|()| None)
    }

    /// Moves a blob to the quarantine, unless `path` no longer leads to the `file` that was hashed.
    ///
    /// The file gets a new time. Trees on disk may have hard links to the same inode, and their next check finds them by
    /// this time.
    fn quarantine(
        &self,
        digest: &Digest,
        path: &Path,
        file: Option<&File>,
    ) -> Result<(), StoreError> {
        if let Some(file) = file
            && !is_same_file(file, path).at("stat", path)?
        {
            return Ok(());
        }
        let name = format!("{}-{}", digest.hex(), self.inner.session.unique_name());
        let moved = self.layout().quarantine().join(name);
        match std::fs::rename(path, &moved) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.at("quarantine", path)?,
        }
        self.inner.quarantine.add(Quarantined { digest: *digest, path: moved.clone() });
        touch(&moved).at("touch", &moved)
    }
}

/// The time for which damaged blobs are kept, so that the user can find out what has happened to them.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl ContentStore {
    /// Removes damaged blobs that were quarantined long ago.
    pub(super) fn sweep_quarantine(&self) -> Result<(), StoreError> {
        let folder = self.layout().quarantine();
        for entry in std::fs::read_dir(&folder).at("read", &folder)? {
            let path = entry.at("read", &folder)?.path();
            // Another process may sweep at the same time, so the file may be gone.
            let Ok(set_aside) = path.symlink_metadata().and_then(|metadata| metadata.modified())
            else {
                continue;
            };
            if set_aside.elapsed().is_ok_and(|age| age > KEPT) {
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    removed => removed.at("remove", &path)?,
                }
            }
        }
        Ok(())
    }
}

fn is_same_file(file: impl AsFd, path: &Path) -> Result<bool, Errno> {
    let ours = rustix::fs::fstat(file)?;
    match rustix::fs::lstat(path) {
        Ok(theirs) => Ok((ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

fn touch(path: &Path) -> Result<(), Errno> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::DigestFunction;
    use crate::DiskStore;

    #[test]
    fn what_was_set_aside_goes_after_a_month() {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        let set_aside = folder.path().join("quarantine");
        for (name, days) in [("young", 29), ("old", 31)] {
            let file = File::create(set_aside.join(name)).unwrap();
            let age = Duration::from_secs(days * 24 * 60 * 60);
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        store.sweep().unwrap();
        let left = std::fs::read_dir(&set_aside).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["young"]);
    }
}
