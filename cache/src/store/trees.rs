//! Stores trees as `Directory` messages, and loads them again.

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message as _;
use rayon::prelude::*;

use super::content::ContentStore;
use super::error::StoreError;
use super::folders::TreeFolder;
use crate::digest::Digest;
use crate::reapi;
use crate::tree::{Entry, Tree, join};

impl ContentStore {
    /// Stores the `Directory` messages of `tree` and returns the digest of its root. Does not check that the blobs of
    /// its files are in the store.
    pub fn put_tree(&self, tree: &Tree) -> Result<Digest, StoreError> {
        let (root, messages) = tree.digest(self.function())?;
        // The root goes last, so that a killed process leaves no directory without its children.
        let (last, children) = messages.split_last().expect("a tree has a root message");
        children.par_iter().try_for_each(|(_, bytes)| self.put(bytes).map(drop))?;
        self.put(&last.1)?;
        Ok(root)
    }

    /// Returns the whole tree, with every [`Entry::Subtree`] loaded; `None` if one of its `Directory` blobs is
    /// missing.
    pub fn tree(&self, digest: &Digest) -> Result<Option<Tree>, StoreError> {
        match self.folders(digest) {
            Ok(folders) => Ok(Some(assemble(folders))),
            Err(StoreError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Tells if the store has every directory and every file of a tree, by one `stat` for each.
    pub fn contains_tree(&self, digest: &Digest) -> Result<bool, StoreError> {
        let has_files = |folder: &TreeFolder| {
            folder.tree.entries.values().all(|entry| match entry {
                Entry::File { digest, .. } => self.contains(digest),
                _ => true,
            })
        };
        match self.folders(digest) {
            Ok(folders) => Ok(folders.par_iter().all(has_files)),
            Err(StoreError::Missing(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns one directory, with its child directories as [`Entry::Subtree`]; `None` if its blob is missing.
    pub fn directory(&self, digest: &Digest) -> Result<Option<Tree>, StoreError> {
        let Some(bytes) = self.get(digest)? else { return Ok(None) };
        let message =
            reapi::Directory::decode(&*bytes).map_err(|_| StoreError::NotADirectory(*digest))?;
        Tree::from_directory(digest.function(), &message)
            .map(Some)
            .map_err(|error| StoreError::Directory { digest: *digest, source: Box::new(error) })
    }
}

/// Builds one nested tree from the list of its folders, in which parents come first.
fn assemble(folders: Vec<TreeFolder>) -> Tree {
    let mut complete: HashMap<String, Tree> = HashMap::new();
    for TreeFolder { path, tree } in folders.into_iter().rev() {
        let mut tree = Arc::unwrap_or_clone(tree);
        for (name, entry) in &mut tree.entries {
            if matches!(entry, Entry::Subtree(_)) {
                let child = complete.remove(&join(&path, name));
                *entry = Entry::Directory(child.expect("children come after their parents"));
            }
        }
        complete.insert(path, tree);
    }
    complete.remove("").expect("the root comes first")
}
