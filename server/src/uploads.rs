//! Uploads of the ByteStream service that are under way, so that a client whose connection broke can go on where it was.
//!
//! Each upload is known by its resource name, which has a random part that its client chose. It belongs to the request that
//! came last: if a client resumes while its broken connection still counts as alive here, the older request can't
//! write any more. What nobody goes on with is dropped after some minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cache::Digest;

use crate::failure::Failure;
use crate::upload::Upload;

/// The time for which an interrupted upload is kept.
const KEPT_FOR: Duration = Duration::from_secs(5 * 60);

/// The largest number of interrupted uploads that are kept.
const MOST: usize = 256;

/// All uploads that were begun and not finished.
#[derive(Default)]
pub(crate) struct Uploads {
    pending: Mutex<HashMap<String, Arc<Mutex<Pending>>>>,
}

struct Pending {
    /// `None` when the upload is finished or has failed.
    upload: Option<Upload>,
    size: u64,
    owner: u64,
    touched: Instant,
}

/// The right to write to an upload, until another request takes it over.
#[derive(Clone)]
pub(crate) struct Claim {
    pending: Arc<Mutex<Pending>>,
    owner: u64,
}

impl Uploads {
    /// Begins an upload anew, whatever is known of an older one of the same name.
    pub(crate) fn begin(&self, name: &str, upload: Upload) -> Claim {
        let pending = Pending { upload: Some(upload), size: 0, owner: 0, touched: Instant::now() };
        let pending = Arc::new(Mutex::new(pending));
        let mut all = lock(&self.pending);
        if all.len() >= MOST {
            drop_oldest(&mut all);
        }
        all.insert(name.to_owned(), Arc::clone(&pending));
        Claim { pending, owner: 0 }
    }

    /// Takes an interrupted upload over if it has exactly `offset` bytes. Otherwise the client has to ask where it is.
    pub(crate) fn resume(&self, name: &str, offset: u64) -> Result<Claim, Failure> {
        let unknown = || {
            let size = self.size(name).unwrap_or(0);
            Failure::Invalid(format!("the upload can go on at byte {size}, not at {offset}"))
        };
        // The lock on all uploads is free again before `unknown` takes it.
        let known = lock(&self.pending).get(name).cloned();
        let pending = known.ok_or_else(unknown)?;
        let mut inner = lock(&pending);
        if inner.size != offset {
            drop(inner);
            return Err(unknown());
        }
        inner.upload = inner.upload.take().map(Upload::resume).transpose()?;
        inner.owner += 1;
        inner.touched = Instant::now();
        let owner = inner.owner;
        drop(inner);
        Ok(Claim { pending, owner })
    }

    /// Returns the number of bytes that have arrived of the upload; `None` if nothing is known of it.
    pub(crate) fn size(&self, name: &str) -> Option<u64> {
        let pending = lock(&self.pending).get(name).cloned()?;
        let size = lock(&pending).size;
        Some(size)
    }

    /// Forgets an upload that is over.
    pub(crate) fn forget(&self, name: &str, claim: &Claim) {
        let mut all = lock(&self.pending);
        if all.get(name).is_some_and(|pending| Arc::ptr_eq(pending, &claim.pending)) {
            all.remove(name);
        }
    }

    /// Drops what nobody went on with for too long.
    pub(crate) fn drop_old(&self) {
        lock(&self.pending)
            .retain(|_, pending| is_in_use(pending) || lock(pending).touched.elapsed() < KEPT_FOR);
    }
}

impl Claim {
    /// Tells if taking so many bytes would not block.
    pub(crate) fn is_quick(&self, more: usize) -> bool {
        lock(&self.pending).upload.as_ref().is_some_and(|upload| upload.is_quick(more))
    }

    /// Takes the next piece.
    pub(crate) fn push(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut pending = self.lock()?;
        let Some(upload) = &mut pending.upload else { return Err(Failure::Superseded) };
        let pushed = upload.push(bytes);
        pending.size = upload.size();
        pending.touched = Instant::now();
        pushed
    }

    /// Makes a blob of what has arrived.
    pub(crate) fn finish(&self) -> Result<Digest, Failure> {
        let upload = self.lock()?.upload.take();
        upload.ok_or(Failure::Superseded)?.finish()
    }

    /// Returns the number of bytes that have arrived.
    pub(crate) fn size(&self) -> u64 {
        lock(&self.pending).size
    }

    fn lock(&self) -> Result<MutexGuard<'_, Pending>, Failure> {
        let pending = lock(&self.pending);
        if pending.owner == self.owner { Ok(pending) } else { Err(Failure::Superseded) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells if a request holds a claim on the upload.
fn is_in_use(pending: &Arc<Mutex<Pending>>) -> bool {
    Arc::strong_count(pending) > 1
}

fn drop_oldest(all: &mut HashMap<String, Arc<Mutex<Pending>>>) {
    let idle = all.iter().filter(|(_, pending)| !is_in_use(pending));
    let oldest = idle.min_by_key(|(_, pending)| lock(pending).touched);
    if let Some(name) = oldest.map(|(name, _)| name.clone()) {
        all.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use cache::{ContentStore, DigestFunction};

    use super::*;
    use crate::staging::{Expected, Staging};

    #[test]
    fn the_request_that_came_last_owns_the_upload() {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        let digest = Digest::of(DigestFunction::Blake3, b"abcdef");
        let staging = Staging::new(&store, Expected::Digest(digest), 100);
        let uploads = Uploads::default();
        let first = uploads.begin("name", Upload::new(staging, false).unwrap());
        first.push(b"abc").unwrap();
        assert_eq!(uploads.size("name"), Some(3));
        assert!(uploads.resume("name", 2).is_err() && uploads.resume("other", 0).is_err());
        let second = uploads.resume("name", 3).unwrap();
        assert!(matches!(first.push(b"xyz"), Err(Failure::Superseded)));
        second.push(b"def").unwrap();
        assert!(matches!(first.finish(), Err(Failure::Superseded)));
        assert_eq!(second.finish().unwrap(), digest);
        assert!(store.contains(&digest));
        uploads.forget("name", &second);
        assert_eq!(uploads.size("name"), None);
    }

    #[test]
    fn only_so_many_interrupted_uploads_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        let uploads = Uploads::default();
        for number in 0..MOST + 10 {
            let staging = Staging::new(&store, Expected::Hash([1; 32]), 100);
            uploads.begin(&number.to_string(), Upload::new(staging, false).unwrap());
        }
        assert_eq!(lock(&uploads.pending).len(), MOST);
        assert_eq!(uploads.size("0"), None);
        uploads.drop_old();
        assert_eq!(lock(&uploads.pending).len(), MOST);
    }
}
