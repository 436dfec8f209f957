//! The action cache of both protocols.
//!
//! The store finds a result by the whole digest of its action. HTTP has the hash of the action alone; the size is that of the
//! action's blob, which clients upload before the result. If the blob is unknown, the result is kept under a size of
//! zero, where both protocols look as well.
//!
//! A result that names a missing blob is refused when it is stored, and is a miss when it is asked for. The specification allows
//! both (`UpdateActionResult` may answer `FAILED_PRECONDITION`). Other servers take such a result and never give it out, which
//! hides the mistake of a client that forgot an upload. Bazel, recc and BuildGrid's tools upload all blobs first, and only
//! warn if storing the result fails.

use cache::reapi::ActionResult;
use cache::{Digest, DigestFunction, DiskStore};

use crate::complete;
use crate::failure::Failure;

/// The name of an action, as much of it as the client said.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ActionName {
    Digest(Digest),
    Hash([u8; 32]),
}

impl ActionName {
    /// Returns the digests that the action may have, the likeliest first.
    fn digests(self, store: &DiskStore) -> Result<Vec<Digest>, Failure> {
        let hash = match self {
            Self::Digest(digest) => return Ok(vec![digest, without_size(&digest)]),
            Self::Hash(hash) => hash,
        };
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for function in [DigestFunction::Sha256, DigestFunction::Blake3] {
            if let Some(size) = store.blob_size(function, &hash)? {
                known.push(Digest::new(function, hash, size));
            }
            unknown.push(Digest::new(function, hash, 0));
        }
        known.extend(unknown);
        Ok(known)
    }
}

fn without_size(digest: &Digest) -> Digest {
    Digest::new(digest.function(), *digest.hash(), 0)
}

/// Returns the result of an action if it is there with all of its blobs.
pub(crate) fn get(
    store: &DiskStore,
    name: ActionName,
) -> Result<Option<(Digest, ActionResult)>, Failure> {
    for digest in name.digests(store)? {
        let Some(result) = store.action_result(&digest) else { continue };
        match complete::check(store, digest.function(), &result) {
            Ok(()) => return Ok(Some((digest, result))),
            Err(Failure::Incomplete(_) | Failure::Invalid(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

/// Stores the result of an action, unless it names a blob that is missing.
pub(crate) fn put(
    store: &DiskStore,
    name: ActionName,
    mut result: ActionResult,
) -> Result<Digest, Failure> {
    let mut refused = None;
    for digest in name.digests(store)? {
        let function = digest.function();
        let checked = take_contents(store, function, &result)
            .and_then(|()| complete::check(store, function, &result));
        match checked {
            Ok(()) => {
                result.output_files.iter_mut().for_each(|file| file.contents.clear());
                let is_known = store.contains(&digest);
                let key = if is_known { digest } else { without_size(&digest) };
                store.put_action_result(&key, &result)?;
                return Ok(digest);
            }
            Err(failure @ (Failure::Incomplete(_) | Failure::Invalid(_))) => {
                refused.get_or_insert(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(refused.unwrap_or(Failure::WrongDigest))
}

/// Stores the files that come inside of the result as blobs.
fn take_contents(
    store: &DiskStore,
    function: DigestFunction,
    result: &ActionResult,
) -> Result<(), Failure> {
    for file in result.output_files.iter().filter(|file| !file.contents.is_empty()) {
        let digest = file.digest.as_ref().map(|digest| Digest::from_reapi(function, digest));
        let Some(Ok(digest)) = digest else { continue };
        if !store.put_as(&digest, &file.contents)? {
            let reason = format!("the contents of output file `{}` have another digest", file.path);
            return Err(Failure::Invalid(reason));
        }
    }
    Ok(())
}
