//! Builds the input root that a cluster gives to a command: the tree that the sandbox of this machine would show.
//!
//! The input root of a key has its images as single entries, so it can't be executed. Here their top-level entries stand
//! where the sandbox mounts them, beside the inputs. There is `tmp`, and the [launcher](launcher::PROGRAM) with its orders.
//!
//! Links with an absolute target become relative ones, because some clusters refuse the others, and because some workers
//! don't make the input root `/`. A link in a folder of a given depth always becomes the same, so that a folder has to be
//! looked through once for each depth; for images, the store remembers the outcome.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use cache::{Digest, DiskStore, Entry, Memo, Tree, TreeError};

use super::stage::{OWN, StageError, first_name, merge};
use crate::{Action, Artifact};

/// The version of what is done to images, for the store's memory.
const VERSION: &str = "run executed image 1";

/// The trees whose links were made relative in this process, by digest and depth.
#[derive(Debug, Default)]
pub(crate) struct RelativeTrees {
    known: Mutex<BTreeMap<(Digest, usize), Digest>>,
}

/// Builds the input root of an action, and returns its digest. The messages of all its folders are in the store then.
pub(super) fn root(
    store: &DiskStore,
    relative: &RelativeTrees,
    action: &Action,
    inputs: &[Artifact],
    orders: &[u8],
) -> Result<Digest, StageError> {
    let builder = Builder { store, relative };
    let mut images = Vec::new();
    let mut root = Tree::default();
    for (input, content) in action.inputs.iter().zip(inputs) {
        match (input.at.as_str(), content) {
            ("", Artifact::Tree(tree)) => images.push(*tree),
            ("", Artifact::File { .. }) => return Err(StageError::RootFile),
            (at, content) => {
                let entry = builder.input(at, content)?;
                root.insert(at, entry).map_err(|error| no_root(&error))?;
            }
        }
    }
    let taken: BTreeSet<&str> = action.inputs.iter().map(|input| first_name(&input.at)).collect();
    for (name, entry) in builder.images(&images)?.entries {
        if taken.contains(name.as_str()) {
            return Err(StageError::Taken(name));
        }
        root.entries.insert(name, entry);
    }
    root.entries.entry("tmp".to_owned()).or_insert_with(|| Entry::Directory(Tree::default()));
    let orders = Entry::File { digest: store.put(orders)?, executable: false };
    for (path, entry) in [(launcher::PATH, builder.launcher()?), (launcher::ORDERS, orders)] {
        root.insert(path, entry).map_err(|error| no_root(&error))?;
    }
    Ok(store.put_tree(&root)?)
}

/// Reports inputs that don't fit into one root. The key of the action has been computed, so this is about the launcher.
fn no_root(error: &TreeError) -> StageError {
    match error {
        TreeError::Duplicate(path) | TreeError::NotADirectory(path) | TreeError::Stored(path) => {
            StageError::Taken(path.clone())
        }
        error => StageError::Images(error.clone()),
    }
}

struct Builder<'a> {
    store: &'a DiskStore,
    relative: &'a RelativeTrees,
}

impl Builder<'_> {
    fn input(&self, at: &str, content: &Artifact) -> Result<Entry, StageError> {
        match content {
            Artifact::File { digest, executable } => {
                Ok(Entry::File { digest: *digest, executable: *executable })
            }
            Artifact::Tree(tree) => {
                let depth = at.split('/').count();
                Ok(Entry::Subtree(self.relative_tree(tree, depth)?))
            }
        }
    }

    fn launcher(&self) -> Result<Entry, StageError> {
        let digest = self.store.put(launcher::PROGRAM)?;
        Ok(Entry::File { digest, executable: true })
    }

    /// Returns what images put at the root. The store remembers it, because an image has thousands of folders.
    fn images(&self, images: &[Digest]) -> Result<Tree, StageError> {
        let listed: Vec<String> = images.iter().map(ToString::to_string).collect();
        let launcher = Digest::of(self.store.function(), launcher::PROGRAM);
        let question = format!("{VERSION}\n{launcher}\n{}", listed.join("\n"));
        let key = Digest::of(self.store.function(), question.as_bytes());
        let remembered = self.store.memo(&key).map(|memo| self.store.directory(&memo.tree));
        if let Some(Ok(Some(tree))) = remembered {
            return Ok(tree);
        }
        let made = self.make_images(images)?;
        let tree = self.store.put_tree(&made)?;
        // If it can't be remembered, it is made again next time.
        _ = self.store.put_memo(&key, &Memo { tree, text: String::new() });
        self.store.directory(&tree)?.ok_or(StageError::Missing(tree))
    }

    fn make_images(&self, images: &[Digest]) -> Result<Tree, StageError> {
        let merged = match images {
            [only] => *only,
            images => merge(self.store, images)?,
        };
        let mut tree = self.folder(&merged)?;
        tree.entries.retain(|name, _| !OWN.contains(&name.as_str()));
        for entry in tree.entries.values_mut() {
            self.make_relative(entry, 0)?;
        }
        self.add_env(tree)
    }

    /// Puts the launcher at the place where some workers look for a program that starts commands, unless the image has one.
    fn add_env(&self, mut root: Tree) -> Result<Tree, StageError> {
        let mut folder = &mut root;
        let mut names = launcher::ENV.split('/').peekable();
        while let Some(name) = names.next() {
            let is_last = names.peek().is_none();
            let entry = folder.entries.entry(name.to_owned());
            let entry = match (entry, is_last) {
                (std::collections::btree_map::Entry::Occupied(entry), _) => entry.into_mut(),
                (slot, true) => slot.or_insert(self.launcher()?),
                (slot, false) => slot.or_insert(Entry::Directory(Tree::default())),
            };
            if let Entry::Subtree(digest) = entry
                && !is_last
            {
                *entry = Entry::Directory(self.folder(digest)?);
            }
            match entry {
                Entry::Directory(child) => folder = child,
                // The image has a program, or a link to a folder that may have one.
                _ => break,
            }
        }
        Ok(root)
    }

    fn folder(&self, digest: &Digest) -> Result<Tree, StageError> {
        self.store.directory(digest)?.ok_or(StageError::Missing(*digest))
    }

    /// Returns the tree in which all links are relative. `depth` is the number of folders above its entries.
    fn relative_tree(&self, digest: &Digest, depth: usize) -> Result<Digest, StageError> {
        let known = || self.relative.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(&(*digest, depth)) {
            return Ok(*known);
        }
        if depth > cache::MAX_DEPTH {
            return Err(StageError::Images(TreeError::TooDeep(digest.to_string())));
        }
        let old = self.folder(digest)?;
        let mut new = old.clone();
        for entry in new.entries.values_mut() {
            self.make_relative(entry, depth)?;
        }
        let made = if new == old { *digest } else { self.store.put_tree(&new)? };
        known().insert((*digest, depth), made);
        Ok(made)
    }

    fn make_relative(&self, entry: &mut Entry, depth: usize) -> Result<(), StageError> {
        match entry {
            Entry::Symlink { target } => {
                if let Some(below) = target.strip_prefix('/') {
                    *target = relative_target(below, depth);
                }
            }
            Entry::Subtree(digest) => *digest = self.relative_tree(digest, depth + 1)?,
            Entry::File { .. } | Entry::Directory(_) => {}
        }
        Ok(())
    }
}

/// Returns the target of a link with `depth` folders above it that leads to the path `below` the root.
fn relative_target(below: &str, depth: usize) -> String {
    let below = below.trim_start_matches('/');
    let up = vec![".."; depth].join("/");
    match (up.is_empty(), below.is_empty()) {
        (true, true) => ".".to_owned(),
        (true, false) => below.to_owned(),
        (false, true) => up,
        (false, false) => format!("{up}/{below}"),
    }
}

#[cfg(test)]
mod tests;
