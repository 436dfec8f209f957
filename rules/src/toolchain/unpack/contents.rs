//! The files and links of an unpacked package, by their paths in the image.

use std::collections::BTreeMap;

use cache::{Digest, Entry, Tree, TreeError};

/// What a package puts into an image. Folders follow from the paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Image path → what stands there.
    pub(crate) nodes: BTreeMap<String, Node>,
}

/// A file or a symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// A file.
    File {
        /// Its bytes.
        blob: Blob,
        /// Whether it is executable.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// What it says; relative.
        target: String,
    },
}

/// The bytes of a file, by both names they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    /// By the store's function: how to get at it.
    pub(crate) stored: Digest,
    /// By the lock's function: how the image's digest in the lock is computed. Often the same.
    pub(crate) locked: Digest,
}

/// Which of a blob's names a tree is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// [`Blob::stored`].
    Stored,
    /// [`Blob::locked`].
    Locked,
}

impl Contents {
    /// Adds everything to a tree.
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
