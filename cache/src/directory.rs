//! Turns trees into canonical `Directory` messages, and reads such messages.
//!
//! Canonical means: children sorted by the bytes of their names (the order of a `BTreeMap`), fields
//! in tag order, no unknown fields, no node properties. The digest of a directory is the digest of
//! its message, so equal trees have equal digests on every machine and in every implementation of
//! the Remote Execution API.

use std::collections::btree_map::Entry as Slot;

use prost::Message as _;

use crate::digest::{Digest, DigestFunction};
use crate::reapi;
use crate::tree::{Entry, MAX_DEPTH, Tree, TreeError, check_target, is_valid_name, join};

/// A `Directory` message in canonical form, with its digest.
pub type EncodedDirectory = (Digest, Vec<u8>);

impl Tree {
    /// Computes the digest of this directory. Returns it with every message that has to be stored for it, children first
    /// and the root last. The messages of an [`Entry::Subtree`] are stored already, so only its digest is used.
    ///
    /// Fails if a digest in the tree was made by another function, or if a name, a link target or
    /// the depth is outside of what [`Tree::insert`] accepts.
    pub fn digest(
        &self,
        function: DigestFunction,
    ) -> Result<(Digest, Vec<EncodedDirectory>), TreeError> {
        let mut encoder = DirectoryEncoder { function, messages: Vec::new() };
        let digest = encoder.directory("", 0, self)?;
        Ok((digest, encoder.messages))
    }

    /// Reads one directory; its child directories become [`Entry::Subtree`].
    ///
    /// The message may come from an untrusted peer, so names that can't exist on disk, and names that occur twice, are
    /// refused. Node properties are ignored.
    pub fn from_directory(
        function: DigestFunction,
        directory: &reapi::Directory,
    ) -> Result<Self, TreeError> {
        let mut tree = Self::default();
        for node in &directory.files {
            let digest = node_digest(function, &node.name, node.digest.as_ref())?;
            tree.add(&node.name, Entry::File { digest, executable: node.is_executable })?;
        }
        for node in &directory.directories {
            let digest = node_digest(function, &node.name, node.digest.as_ref())?;
            tree.add(&node.name, Entry::Subtree(digest))?;
        }
        for node in &directory.symlinks {
            tree.add(&node.name, Entry::Symlink { target: node.target.clone() })?;
        }
        Ok(tree)
    }

    fn add(&mut self, name: &str, entry: Entry) -> Result<(), TreeError> {
        check_child(name, name, &entry)?;
        match self.entries.entry(name.to_owned()) {
            Slot::Vacant(slot) => _ = slot.insert(entry),
            Slot::Occupied(_) => return Err(TreeError::Duplicate(name.to_owned())),
        }
        Ok(())
    }
}

struct DirectoryEncoder {
    function: DigestFunction,
    messages: Vec<EncodedDirectory>,
}

impl DirectoryEncoder {
    fn directory(&mut self, path: &str, depth: usize, tree: &Tree) -> Result<Digest, TreeError> {
        if depth > MAX_DEPTH {
            return Err(TreeError::TooDeep(path.to_owned()));
        }
        let mut message = reapi::Directory::default();
        for (name, entry) in &tree.entries {
            self.child(&mut message, &join(path, name), name, depth, entry)?;
        }
        let bytes = message.encode_to_vec();
        let digest = Digest::of(self.function, &bytes);
        self.messages.push((digest, bytes));
        Ok(digest)
    }

    fn child(
        &mut self,
        message: &mut reapi::Directory,
        path: &str,
        name: &str,
        depth: usize,
        entry: &Entry,
    ) -> Result<(), TreeError> {
        check_child(path, name, entry)?;
        let name = name.to_owned();
        match entry {
            Entry::File { digest, executable } => message.files.push(reapi::FileNode {
                name,
                digest: Some(self.wire(path, digest)?),
                is_executable: *executable,
                node_properties: None,
            }),
            Entry::Symlink { target } => message.symlinks.push(reapi::SymlinkNode {
                name,
                target: target.clone(),
                node_properties: None,
            }),
            Entry::Directory(tree) => {
                let digest = Some(self.directory(path, depth + 1, tree)?.to_reapi());
                message.directories.push(reapi::DirectoryNode { name, digest });
            }
            Entry::Subtree(digest) => {
                let digest = Some(self.wire(path, digest)?);
                message.directories.push(reapi::DirectoryNode { name, digest });
            }
        }
        Ok(())
    }

    fn wire(&self, path: &str, digest: &Digest) -> Result<reapi::Digest, TreeError> {
        if digest.function() == self.function {
            return Ok(digest.to_reapi());
        }
        let (path, function) = (path.to_owned(), self.function);
        Err(TreeError::Function { path, digest: *digest, function })
    }
}

fn check_child(path: &str, name: &str, entry: &Entry) -> Result<(), TreeError> {
    if !is_valid_name(name) {
        return Err(TreeError::Path(path.to_owned()));
    }
    check_target(path, entry)
}

fn node_digest(
    function: DigestFunction,
    name: &str,
    digest: Option<&reapi::Digest>,
) -> Result<Digest, TreeError> {
    let digest = digest.ok_or_else(|| TreeError::NoDigest(name.to_owned()))?;
    Digest::from_reapi(function, digest)
        .map_err(|source| TreeError::Digest { path: name.to_owned(), source })
}
