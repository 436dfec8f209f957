//! A claim lets one of the processes that use a store make the result of an action, while the others wait for it.
//!
//! Two builds that need the same missing result at the same time would both make it: a library that takes minutes
//! would be compiled twice. So a process claims a result before it makes it, by an flock on `claims/<fn>/<hex>`, which
//! the kernel drops when the process ends. A claim protects no data: a process that makes a result without a claim
//! wastes time, and does no harm.

use std::fs::File;
use std::path::PathBuf;

use super::disk::DiskStore;
use super::error::{IoErrorContext as _, StoreError};
use super::writer_session::take_lock;
use crate::Digest;

/// The right of this process to make one result. It ends when this is dropped.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    /// The open lock file, which holds the flock.
    _lock: File,
}

impl DiskStore {
    /// Claims the result of the action with the given key. Returns `None` if another process has claimed it.
    pub fn claim(&self, key: &Digest) -> Result<Option<Claim>, StoreError> {
        let path = self.layout().claim(key);
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.at("create", &path)?;
        // If the file is gone, the claim was just given up; the next attempt makes a new file.
        let is_ours = take_lock(&lock).at("lock", &path)?;
        Ok(is_ours.then(|| Claim { path, _lock: lock }))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The file is removed before the lock is free, so that a process that has opened it sees that it is gone, and
        // makes a new one.
        _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DigestFunction;

    #[test]
    fn a_result_is_claimed_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let open = || DiskStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        let (one, other) = (open(), open());
        let key = |text: &[u8]| Digest::of(DigestFunction::Blake3, text);
        let claim = one.claim(&key(b"a")).unwrap().unwrap();
        assert!(other.claim(&key(b"a")).unwrap().is_none());
        assert!(one.claim(&key(b"a")).unwrap().is_none());
        let second = other.claim(&key(b"b")).unwrap();
        assert!(second.is_some());
        other.sweep().unwrap();
        drop(claim);
        let claim = other.claim(&key(b"a")).unwrap().unwrap();
        assert!(one.claim(&key(b"a")).unwrap().is_none());
        drop((claim, second));
        let claims = folder.path().join("claims/blake3");
        assert_eq!(std::fs::read_dir(claims).unwrap().count(), 0);
    }
}
