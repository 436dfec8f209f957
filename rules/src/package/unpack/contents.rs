//! The files and links of an unpacked package, by their paths in the image.
//!
//! They know nothing of the archive that they came from.

use std::collections::BTreeMap;

use cache::{Digest, Entry, Tree, TreeError};

/// The files and links that a package adds to an image. Folders follow from the paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The files and links by their paths in the image.
    pub(crate) nodes: BTreeMap<String, Node>,
}

/// A file or a symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// A file.
    File {
        /// The file's bytes.
        blob: Blob,
        /// True if the file is executable.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// The link's target, which is relative.
        target: String,
    },
}

/// The digests of a file's bytes, by the two functions that are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    /// The digest by the store's function, under which the store has the bytes.
    pub(crate) stored: Digest,
    /// The digest by the lock's function, from which the image's digest in the lock is computed. Often both
    /// are the same.
    pub(crate) locked: Digest,
}

/// The choice of the digests that a tree is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// The tree contains [`Blob::stored`].
    Stored,
    /// The tree contains [`Blob::locked`].
    Locked,
}

impl Contents {
    /// Adds all files and links to a tree.
    ///
    /// # Errors
    /// A path is taken already.
    pub(crate) fn add_to(&self, tree: &mut Tree, naming: Naming) -> Result<(), TreeError> {
        self.nodes.iter().try_for_each(|(path, node)| tree.insert(path, node.entry(naming)))
    }
}

impl Node {
    fn entry(&self, naming: Naming) -> Entry {
        match self {
            Self::File { blob, executable } => Entry::File {
                digest: match naming {
                    Naming::Stored => blob.stored,
                    Naming::Locked => blob.locked,
                },
                executable: *executable,
            },
            Self::Link { target } => Entry::Symlink { target: target.clone() },
        }
    }
}
