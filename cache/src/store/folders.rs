//! Lists the folders of a stored tree. A tree is put on disk, checked and exported by going through this list.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use super::content::ContentStore;
use super::error::StoreError;
use crate::digest::Digest;
use crate::tree::{Entry, MAX_DEPTH, Tree, TreeError, join};

/// The largest number of entries that a tree may have, more than any real tree has. A few small `Directory` messages
/// from a hostile peer can refer to each other so often that the tree would fill any disk.
const MAX_ENTRIES: usize = 2_000_000;

/// One folder of a tree.
#[derive(Debug)]
pub(super) struct TreeFolder {
    /// The path in the tree; empty for the root.
    pub(super) path: String,
    /// The entries of the folder. Its child directories are [`Entry::Subtree`]s here, and each is a folder of its own in
    /// the list.
    pub(super) tree: Arc<Tree>,
}

impl ContentStore {
    /// Lists all folders of a tree, parents before their children. Fails with [`StoreError::Missing`] if
    /// a `Directory` blob is missing.
    pub(super) fn folders(&self, root: &Digest) -> Result<Vec<TreeFolder>, StoreError> {
        let mut folders = Vec::new();
        let mut loaded = HashMap::new();
        let mut level = vec![(String::new(), *root)];
        let mut entries = 0;
        for _ in 0..=MAX_DEPTH {
            self.load(&level, &mut loaded)?;
            let mut next = Vec::new();
            for (path, digest) in level {
                let folder = TreeFolder { path, tree: Arc::clone(&loaded[&digest]) };
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

    /// Reads the directories of one level that did not occur on the levels above. Each is read once, and all in parallel.
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

impl TreeFolder {
    fn subfolders(&self) -> impl Iterator<Item = (String, Digest)> {
        self.tree.entries.iter().filter_map(|(name, entry)| match entry {
            Entry::Subtree(digest) => Some((join(&self.path, name), *digest)),
            _ => None,
        })
    }
}
