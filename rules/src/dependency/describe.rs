//! Takes a package into the store, and finds out what it is.
//!
//! Packages come from strangers, so a worker reads them. What it found is remembered in the store by the checksum of the
//! package: a build that has all its packages reads none of them.

use cache::{ContentStore, Digest, DigestFunction, Entry, Memo, StoreError, Tree};
use engine::BuiltinError;
use sandbox::Cancel;

use super::archive::Archive;
use super::error::AdmitError;
use crate::manifest::Limits;
use crate::wit::{self, DescribeErrand, Description, PACKAGE_FILE};
use crate::worker::{self, Done};

/// The first bytes of WebAssembly.
const WASM: &[u8] = b"\0asm";

/// Returns the tree of a package that was taken into the store before, and what it is.
///
/// # Errors
/// The store can't be read.
pub fn known(
    store: &ContentStore,
    sha256: &str,
) -> Result<Option<(Digest, Description)>, StoreError> {
    let Some(Memo { tree, text }) = store.memo(&key(store, sha256)) else { return Ok(None) };
    let Ok(description) = serde_json::from_str(&text) else { return Ok(None) };
    Ok(store.contains_tree(&tree)?.then_some((tree, description)))
}

/// Takes a package into the store, and finds out what it is. `sha256` has been checked by the caller.
///
/// # Errors
/// It is no package, or the store can't be written.
pub fn admit(
    store: &ContentStore,
    sha256: &str,
    bytes: &[u8],
    cancel: &Cancel,
) -> Result<(Digest, Description), AdmitError> {
    if let Some(known) = known(store, sha256)? {
        return Ok(known);
    }
    let tree = match bytes.starts_with(WASM) {
        true => {
            let digest = store.put(bytes)?;
            let mut tree = Tree::default();
            tree.insert(PACKAGE_FILE, Entry::File { digest, executable: false })
                .map_err(|error| BuiltinError::failed(&error))?;
            tree
        }
        false => Archive::of(bytes)?.store(store)?,
    };
    let tree = store.put_tree(&tree)?;
    let errand = DescribeErrand { tree: tree.to_string() };
    let Done { text, .. } =
        worker::run(errand, store, &worker::limits(&Limits::default()), cancel)?;
    let description = serde_json::from_str(&text).map_err(|error| BuiltinError::failed(&error))?;
    store.put_memo(&key(store, sha256), &Memo { tree, text })?;
    Ok((tree, description))
}

/// Returns the blob of a package that was taken into the store; `None` if the store has lost a part of it.
///
/// # Errors
/// The store can't be read.
pub fn blob(store: &ContentStore, tree: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(mut files) = wit::package_files(store, tree)? else { return Ok(None) };
    Ok(Some(match files.remove(PACKAGE_FILE) {
        Some(bytes) => bytes,
        None => Archive { files }.to_bytes(),
    }))
}

/// Returns the key of the memo about a package.
fn key(store: &ContentStore, sha256: &str) -> Digest {
    let text = format!("package 1 {} {sha256}", env!("CARGO_PKG_VERSION"));
    Digest::of(store.function(), text.as_bytes())
}

/// Returns the SHA-256 of some bytes, in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Digest::of(DigestFunction::Sha256, bytes).hex()
}
