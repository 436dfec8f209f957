//! Merges stored trees into one.

use std::collections::BTreeMap;

use super::content::ContentStore;
use super::error::StoreError;
use crate::digest::Digest;
use crate::tree::{Entry, MAX_DEPTH, Tree, TreeError, join};

impl ContentStore {
    /// Merges stored trees, stores the result, and returns its digest.
    ///
    /// Directories that occur in one tree only, or are equal, are reused by digest and are not
    /// read. If several trees have a file or a link at the same path, these must be equal; if they are not, the
    /// path is reported as [`TreeError::Conflict`]. The merge of no trees is the empty directory.
    pub fn merge_trees(&self, trees: &[Digest]) -> Result<Digest, StoreError> {
        self.merge_at("", 0, trees.to_vec())
    }

    fn merge_at(
        &self,
        path: &str,
        depth: usize,
        mut trees: Vec<Digest>,
    ) -> Result<Digest, StoreError> {
        trees.sort();
        trees.dedup();
        if let [only] = *trees {
            return Ok(only);
        }
        if depth > MAX_DEPTH {
            return Err(TreeError::TooDeep(path.to_owned()).into());
        }
        let mut merged = Tree::default();
        for (name, candidates) in self.entries_by_name(&trees)? {
            let path = join(path, &name);
            let entry = match all_subtrees(&candidates) {
                Some(subtrees) => Entry::Subtree(self.merge_at(&path, depth + 1, subtrees)?),
                None => only_one(candidates).ok_or(TreeError::Conflict(path))?,
            };
            merged.entries.insert(name, entry);
        }
        self.put_tree(&merged)
    }

    fn entries_by_name(
        &self,
        trees: &[Digest],
    ) -> Result<BTreeMap<String, Vec<Entry>>, StoreError> {
        let mut by_name: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for digest in trees {
            let tree = self.directory(digest)?.ok_or(StoreError::Missing(*digest))?;
            for (name, entry) in tree.entries {
                by_name.entry(name).or_default().push(entry);
            }
        }
        Ok(by_name)
    }
}

fn all_subtrees(entries: &[Entry]) -> Option<Vec<Digest>> {
    let subtree = |entry: &Entry| match entry {
        Entry::Subtree(digest) => Some(*digest),
        _ => None,
    };
    entries.iter().map(subtree).collect()
}

/// Returns the entry if all of them are equal.
fn only_one(mut entries: Vec<Entry>) -> Option<Entry> {
    entries.dedup();
    if entries.len() == 1 { entries.pop() } else { None }
}
