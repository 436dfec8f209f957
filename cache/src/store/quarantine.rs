//! What happens to a blob whose stat is off or whose bytes are wrong.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, Stat, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use super::blob::open_no_follow;
use super::disk::{At, DiskStore, StoreError};
use super::stamp::{file_mode, stamp};
use crate::digest::Digest;
use crate::hasher::digest_open_file;

/// A blob that was found damaged and has been moved out of the way. To the store it's missing now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// What the blob should have been.
    pub digest: Digest,
    /// Where its bytes are now.
    pub path: PathBuf,
}

/// The damaged blobs of one open store.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    found: Mutex<Vec<Quarantined>>,
    generation: AtomicU64,
}

impl Quarantine {
    /// Goes up with every blob found: trees that were checked before may link to it.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn take(&self) -> Vec<Quarantined> {
        std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where a damaged blob was moved to.
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

impl DiskStore {
    /// Decides about a blob that looks touched, by its bytes: stamps it again if they are right,
    /// quarantines it if not. Returns its new stat if it can be used as `digest`.
    pub(super) fn recheck(
        &self,
        digest: &Digest,
        executable: bool,
    ) -> Result<Option<Stat>, StoreError> {
        let path = self.layout().blob(digest, executable);
        let file = match open_no_follow(&path) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            // A symbolic link, or a file that its mode keeps from being read.
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
            // Sound bytes under a digest of another size: the question was wrong, not the blob.
            if actual.hash() == digest.hash() && actual != *digest {
                return Ok(None);
            }
        }
        self.quarantine(digest, &path, Some(&file)).map(|()| None)
    }

    /// Moves a blob out of the way, unless `path` is no longer the `file` that was judged.
    ///
    /// The file gets a new time: files of trees on disk may be the same inode, and this is how
    /// their next check notices.
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
