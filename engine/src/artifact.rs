//! The content of an input or an output, named by its digest: a tree or a file.

use cache::Digest;

/// The content of an input or of a declared output.
///
/// Only the digest is held here. The bytes lie in the store; if the store has lost them, the action that made them
/// runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Artifact {
    /// A folder, named by the digest of its `Directory` message.
    Tree(Digest),
    /// One file.
    File {
        /// The digest of its bytes.
        digest: Digest,
        /// True if the file is executable. An executable artifact and another one with the same bytes are not equal.
        executable: bool,
    },
}

impl Artifact {
    /// Returns the digest of the file's bytes, or of the tree's root `Directory` message.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        match self {
            Self::Tree(digest) | Self::File { digest, .. } => digest,
        }
    }
}
