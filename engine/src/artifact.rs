//! What an input or an output is once it is known: a tree or a file, by digest.

use cache::Digest;

/// The content of an input or of a declared output.
///
/// Only the digest is held. The bytes lie in the store, or are brought back by running their
/// producer again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Artifact {
    /// A folder, by the digest of its `Directory` message.
    Tree(Digest),
    /// One file.
    File {
        /// The digest of its bytes.
        digest: Digest,
        /// Whether it is executable. Part of what it is: it has another blob on disk.
        executable: bool,
    },
}

impl Artifact {
    /// The digest of the bytes, or of the tree's root `Directory` message.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        match self {
            Self::Tree(digest) | Self::File { digest, .. } => digest,
        }
    }
}
