//! Results of planning that are worth remembering: an action-cache entry per key, holding a tree.
//!
//! A memo is an action like any other in the store's eyes, so it is verified, shared by processes
//! and swept like one. Keys are digests of a text that starts with the memo's kind and version.

use cache::reapi::{ActionResult, OutputDirectory};
use cache::{Digest, DiskStore, StoreError};

/// The tree and the text remembered under `key`; the text is empty if none was.
pub(crate) fn recall(
    store: &DiskStore,
    key: &Digest,
) -> Result<Option<(Digest, String)>, StoreError> {
    let Some(result) = store.action_result(key) else { return Ok(None) };
    let tree = first_tree(store, &result);
    Ok(tree.zip(String::from_utf8(result.stdout_raw).ok()))
}

/// The tree remembered under `key`.
pub(crate) fn tree(store: &DiskStore, key: &Digest) -> Result<Option<Digest>, StoreError> {
    Ok(recall(store, key)?.map(|(tree, _)| tree))
}

/// Remembers `tree` under `key`.
pub(crate) fn remember_tree(
    store: &DiskStore,
    key: &Digest,
    tree: &Digest,
) -> Result<(), StoreError> {
    remember(store, key, tree, "")
}

/// Remembers `tree` and `text` under `key`.
pub(crate) fn remember(
    store: &DiskStore,
    key: &Digest,
    tree: &Digest,
    text: &str,
) -> Result<(), StoreError> {
    let directory = OutputDirectory {
        path: "tree".to_owned(),
        root_directory_digest: Some(tree.to_reapi()),
        ..Default::default()
    };
    let result = ActionResult {
        output_directories: vec![directory],
        stdout_raw: text.as_bytes().to_vec(),
        ..Default::default()
    };
    store.put_action_result(key, &result)
}

fn first_tree(store: &DiskStore, result: &ActionResult) -> Option<Digest> {
    let digest = result.output_directories.first()?.root_directory_digest.as_ref()?;
    Digest::from_reapi(store.function(), digest).ok()
}
