//! A stored tree as the flat list of its folders: the plan for putting it on disk or checking it.

use rayon::prelude::*;

use super::disk::{DiskStore, StoreError};
use crate::digest::Digest;
use crate::tree::{Entry, MAX_DEPTH, Tree, TreeError, join};

/// More entries than any tree has that somebody made on purpose: a few small `Directory` messages
/// from a peer can name each other so often that the tree would fill any disk.
const MAX_ENTRIES: usize = 5_000_000;

/// One folder of a tree.
#[derive(Debug)]
pub(super) struct Folder {
    /// Where it is in the tree; empty for the root.
    pub(super) path: String,
    /// What is in it; its child directories are [`Entry::Subtree`] and folders of their own.
    pub(super) tree: Tree,
}

impl DiskStore {
    /// All folders of a tree, parents before their children. Fails with [`StoreError::Missing`] if
    /// a `Directory` blob is.
    pub(super) fn folders(&self, root: &Digest) -> Result<Vec<Folder>, StoreError> {
        let mut folders = Vec::new();
        let mut level = vec![(String::new(), *root)];
        let mut entries = 0;
        for _ in 0..=MAX_DEPTH {
            let loaded: Vec<Folder> = level
                .into_par_iter()
                .map(|(path, digest)| self.folder(path, &digest))
                .collect::<Result<_, _>>()?;
            entries += loaded.iter().map(|folder| folder.tree.entries.len()).sum::<usize>();
            if entries > MAX_ENTRIES {
                return Err(StoreError::TooLarge { digest: *root, limit: MAX_ENTRIES });
            }
            level = loaded.iter().flat_map(Folder::subfolders).collect();
            folders.extend(loaded);
            if level.is_empty() {
                return Ok(folders);
            }
        }
        let source = TreeError::TooDeep(level.swap_remove(0).0);
        Err(StoreError::Directory { digest: *root, source })
    }

    fn folder(&self, path: String, digest: &Digest) -> Result<Folder, StoreError> {
        let tree = self.directory(digest)?.ok_or(StoreError::Missing(*digest))?;
        Ok(Folder { path, tree })
    }
}

impl Folder {
    fn subfolders(&self) -> impl Iterator<Item = (String, Digest)> {
        self.tree.entries.iter().filter_map(|(name, entry)| match entry {
            Entry::Subtree(digest) => Some((join(&self.path, name), *digest)),
            _ => None,
        })
    }
}
