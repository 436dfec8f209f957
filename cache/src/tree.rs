//! A directory tree in memory: it holds names, digests and link targets, but no content.
//!
//! The rest of the program computes with this type. [`Tree::digest`] turns it into the canonical
//! `Directory` messages of the Remote Execution API (in the module `directory`). Times, owners and
//! permission bits other than "executable" don't exist here, so they can't leak into a key.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use crate::digest::{Digest, DigestFunction, ParseDigestError};

/// The deepest nesting of directories that is accepted, so that no walk can exhaust the stack or the descriptors.
pub const MAX_DEPTH: usize = 128;

/// The longest name that Linux file systems hold, in bytes.
const MAX_NAME: usize = 255;
/// The longest target that `symlink` takes, in bytes.
const MAX_TARGET: usize = 4095;

/// One directory with everything below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// The children by name; a `BTreeMap` sorts by UTF-8 bytes, as the canonical form asks.
    pub entries: BTreeMap<String, Entry>,
}

/// One child of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Digest of the content.
        digest: Digest,
        /// The file may be executed.
        executable: bool,
    },
    /// A symbolic link.
    Symlink {
        /// The target, as `readlink` gives it.
        target: String,
    },
    /// A directory held in memory.
    Directory(Tree),
    /// A directory whose message is in the store already, named by the digest of that message.
    Subtree(Digest),
}

/// The reason why a tree can't be built, merged or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The path is empty, absolute, not normalised, or a name in it can't exist on disk.
    #[error("`{}` is not a relative path of plain names", .0.escape_debug())]
    Path(String),
    /// More than [`MAX_DEPTH`] directories inside each other.
    #[error("`{}` is nested deeper than {MAX_DEPTH} directories", .0.escape_debug())]
    TooDeep(String),
    /// A symbolic link with an empty or overlong target, or with a NUL in it.
    #[error("the symbolic link `{}` has no usable target", .0.escape_debug())]
    Target(String),
    /// The tree has an entry at this path already.
    #[error("`{}` is in the tree already", .0.escape_debug())]
    Duplicate(String),
    /// A parent of the path is a file or a symbolic link.
    #[error("`{}` is not a directory", .0.escape_debug())]
    NotADirectory(String),
    /// A parent of the path is an [`Entry::Subtree`], whose content is not in memory.
    #[error("`{}` is a stored directory, it has to be loaded before it can change", .0.escape_debug())]
    Stored(String),
    /// Two trees that are merged have different entries at the same path.
    #[error("`{}` differs between the trees to merge", .0.escape_debug())]
    Conflict(String),
    /// A digest in the tree was made by another function than the tree's.
    #[error("`{}` has the digest {digest}, but the tree is made of {function} digests", .path.escape_debug())]
    Function {
        /// The path in the tree.
        path: String,
        /// The digest that was made by the other function.
        digest: Digest,
        /// The tree's function.
        function: DigestFunction,
    },
    /// A `Directory` message with a child that has no digest.
    #[error("`{}` has no digest", .0.escape_debug())]
    NoDigest(String),
    /// A `Directory` message with a child whose digest is malformed.
    #[error("`{}` has a malformed digest", .path.escape_debug())]
    Digest {
        /// The path in the tree.
        path: String,
        /// The error in the digest.
        source: ParseDigestError,
    },
}

impl Tree {
    /// Adds `entry` at `path` (names separated by `/`), creating the directories above it.
    ///
    /// Paths that are absolute, empty, or contain `.`, `..` or an empty name are refused, and so is
    /// a path that is taken already.
    pub fn insert(&mut self, path: &str, entry: Entry) -> Result<(), TreeError> {
        let names: Vec<&str> = path.split('/').collect();
        if !names.iter().all(|name| is_valid_name(name)) {
            return Err(TreeError::Path(path.to_owned()));
        }
        if names.len() > MAX_DEPTH {
            return Err(TreeError::TooDeep(path.to_owned()));
        }
        check_target(path, &entry)?;
        let (name, parents) = names.split_last().expect("split yields at least one name");
        match self.descend(parents)?.entries.entry((*name).to_owned()) {
            Slot::Vacant(slot) => _ = slot.insert(entry),
            Slot::Occupied(_) => return Err(TreeError::Duplicate(path.to_owned())),
        }
        Ok(())
    }

    /// Returns the entry at `path`; `None` if the tree has none there, or if the path leads into an [`Entry::Subtree`].
    pub fn get(&self, path: &str) -> Option<&Entry> {
        match path.split_once('/') {
            None => self.entries.get(path),
            Some((name, rest)) => match self.entries.get(name)? {
                Entry::Directory(tree) => tree.get(rest),
                _ => None,
            },
        }
    }

    /// Lists the digests of the files that are entries of this directory itself.
    pub fn files(&self) -> impl Iterator<Item = Digest> + '_ {
        self.entries.values().filter_map(|entry| match entry {
            Entry::File { digest, .. } => Some(*digest),
            _ => None,
        })
    }

    /// Lists the digests of the stored directories that are entries of this directory itself.
    pub fn subtrees(&self) -> impl Iterator<Item = Digest> + '_ {
        self.entries.values().filter_map(|entry| match entry {
            Entry::Subtree(digest) => Some(*digest),
            _ => None,
        })
    }

    /// Adds all entries of `other`. Directories are merged. If both trees have another entry at the same path, the two
    /// must be equal; if they are not, the path is reported as [`TreeError::Conflict`].
    pub fn merge(&mut self, other: Self) -> Result<(), TreeError> {
        self.merge_at("", other)
    }

    fn merge_at(&mut self, path: &str, other: Self) -> Result<(), TreeError> {
        for (name, theirs) in other.entries {
            let path = join(path, &name);
            match self.entries.entry(name) {
                Slot::Vacant(slot) => _ = slot.insert(theirs),
                Slot::Occupied(mut slot) => match (slot.get_mut(), theirs) {
                    (Entry::Directory(ours), Entry::Directory(theirs)) => {
                        ours.merge_at(&path, theirs)?;
                    }
                    (ours, theirs) if *ours == theirs => {}
                    _ => return Err(TreeError::Conflict(path)),
                },
            }
        }
        Ok(())
    }

    /// Returns the directory at the end of `names`, and creates the directories that are missing.
    fn descend(&mut self, names: &[&str]) -> Result<&mut Self, TreeError> {
        let mut tree = self;
        for (depth, name) in names.iter().enumerate() {
            let child = tree.entries.entry((*name).to_owned());
            match child.or_insert_with(|| Entry::Directory(Self::default())) {
                Entry::Directory(child) => tree = child,
                Entry::Subtree(_) => return Err(TreeError::Stored(names[..=depth].join("/"))),
                _ => return Err(TreeError::NotADirectory(names[..=depth].join("/"))),
            }
        }
        Ok(tree)
    }
}

/// Tells if `name` can be one segment of a path on disk.
pub(crate) fn is_valid_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= MAX_NAME && !name.contains(['/', '\0'])
}

/// Refuses a symbolic link that can't be created.
pub(crate) fn check_target(path: &str, entry: &Entry) -> Result<(), TreeError> {
    match entry {
        Entry::Symlink { target }
            if target.is_empty() || target.len() > MAX_TARGET || target.contains('\0') =>
        {
            Err(TreeError::Target(path.to_owned()))
        }
        _ => Ok(()),
    }
}

/// Joins `name` to the path of its `parent`; the root has the empty path.
pub(crate) fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> Entry {
        let digest = Digest::of(DigestFunction::Blake3, content.as_bytes());
        Entry::File { digest, executable: false }
    }

    fn tree(entries: &[(&str, Entry)]) -> Tree {
        let mut tree = Tree::default();
        for (path, entry) in entries {
            tree.insert(path, entry.clone()).unwrap();
        }
        tree
    }

    #[test]
    fn insert_creates_parents() {
        let tree = tree(&[("a/b/c", file("1")), ("a/d", file("2"))]);
        assert_eq!(tree.get("a/b/c"), Some(&file("1")));
        assert_eq!(tree.get("a/d"), Some(&file("2")));
        assert_eq!(tree.get("a/b/c/d"), None);
        assert_eq!(tree.entries.len(), 1);
    }

    #[test]
    fn insert_refuses_paths_that_are_no_relative_names() {
        let long = "x".repeat(256);
        for path in ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "a\0b", &long] {
            let error = Tree::default().insert(path, file("1")).unwrap_err();
            assert_eq!(error, TreeError::Path(path.to_owned()), "{path:?}");
        }
        let deep = vec!["d"; MAX_DEPTH + 1].join("/");
        let error = Tree::default().insert(&deep, file("1")).unwrap_err();
        assert_eq!(error, TreeError::TooDeep(deep));
    }

    #[test]
    fn insert_refuses_what_is_taken() {
        let stored = Digest::empty(DigestFunction::Blake3);
        let base = tree(&[("f", file("1")), ("d/x", file("1")), ("s", Entry::Subtree(stored))]);
        let check = |path: &str, error: TreeError| {
            assert_eq!(base.clone().insert(path, file("2")), Err(error));
        };
        check("f", TreeError::Duplicate("f".to_owned()));
        check("d", TreeError::Duplicate("d".to_owned()));
        check("f/x", TreeError::NotADirectory("f".to_owned()));
        check("d/x/y/z", TreeError::NotADirectory("d/x".to_owned()));
        check("s/x", TreeError::Stored("s".to_owned()));
    }

    #[test]
    fn insert_refuses_unusable_targets() {
        for target in [String::new(), "a\0b".to_owned(), "x".repeat(4096)] {
            let error = Tree::default().insert("l", Entry::Symlink { target }).unwrap_err();
            assert_eq!(error, TreeError::Target("l".to_owned()));
        }
    }

    #[test]
    fn merge_unites_directories() {
        let mut ours = tree(&[("d/a", file("1")), ("d/same", file("s"))]);
        let theirs = tree(&[("d/b", file("2")), ("d/same", file("s")), ("e", file("3"))]);
        ours.merge(theirs).unwrap();
        let expected =
            [("d/a", file("1")), ("d/b", file("2")), ("d/same", file("s")), ("e", file("3"))];
        assert_eq!(ours, tree(&expected));
    }

    #[test]
    fn merge_names_the_path_of_a_conflict() {
        let check = |ours: Entry, theirs: Entry| {
            let error = tree(&[("d/x", ours)]).merge(tree(&[("d/x", theirs)])).unwrap_err();
            assert_eq!(error.to_string(), "`d/x` differs between the trees to merge");
        };
        let link = |target: &str| Entry::Symlink { target: target.to_owned() };
        check(file("1"), file("2"));
        check(file("1"), Entry::Directory(Tree::default()));
        check(file("1"), link("1"));
        check(link("1"), link("2"));
        let digest = Digest::of(DigestFunction::Blake3, b"1");
        check(Entry::Directory(Tree::default()), Entry::Subtree(digest));
        check(file("1"), Entry::File { digest, executable: true });
    }
}
