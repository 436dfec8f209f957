//! A stored tree as the flat list of its folders: the plan for putting it on disk or checking it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use super::disk::{DiskStore, StoreError};
use crate::digest::Digest;
use crate::tree::{Entry, MAX_DEPTH, Tree, TreeError, join};

/// More entries than any tree has that somebody made on purpose: a few small `Directory` messages
/// from a peer can name each other so often that the tree would fill any disk.
const MAX_ENTRIES: usize = 2_000_000;

/// One folder of a tree.
#[derive(Debug)]
pub(super) struct Folder {
    /// Where it is in the tree; empty for the root.
    pub(super) path: String,
    /// What is in it; its child directories are [`Entry::Subtree`] and folders of their own.
    pub(super) tree: Arc<Tree>,
}

impl DiskStore {
    /// All folders of a tree, parents before their children. Fails with [`StoreError::Missing`] if
    /// a `Directory` blob is.
    pub(super) fn folders(&self, root: &Digest) -> Result<Vec<Folder>, StoreError> {
        let mut folders = Vec::new();
        let mut loaded = HashMap::new();
        let mut level = vec![(String::new(), *root)];
        let mut entries = 0;
        for _ in 0..=MAX_DEPTH {
            self.load(&level, &mut loaded)?;
            let mut next = Vec::new();
            for (path, digest) in level {
                let folder = Folder { path, tree: Arc::clone(&loaded[&digest]) };
                entries += folder.tree.entries.len();
                if entries > MAX_ENTRIES {
                    return Err(StoreError::TooLarge { digest: *root, limit: MAX_ENTRIES });
                }
                next.extend(folder.subfolders());
                folders.push(folder);
            }
            level = next;
            if level.is_empty() {
                return Ok(folders);
            }
        }
        let source = Box::new(TreeError::TooDeep(level.swap_remove(0).0));
        Err(StoreError::Directory { digest: *root, source })
    }

    /// Reads the directories that were not met on the levels above, each once and in parallel.
    fn load(
        &self,
        level: &[(String, Digest)],
        loaded: &mut HashMap<Digest, Arc<Tree>>,
    ) -> Result<(), StoreError> {
        let new: BTreeSet<Digest> = level.iter().map(|(_, digest)| *digest).collect();
        let new: Vec<Digest> =
            new.into_iter().filter(|digest| !loaded.contains_key(digest)).collect();
        let load = |digest: Digest| {
            let tree = self.directory(&digest)?.ok_or(StoreError::Missing(digest))?;
            Ok((digest, Arc::new(tree)))
        };
        loaded.extend(new.into_par_iter().map(load).collect::<Result<Vec<_>, StoreError>>()?);
        Ok(())
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
