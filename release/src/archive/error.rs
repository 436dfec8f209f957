//! Says why an archive is not a release.
//!
//! The first fault ends the reading, because nothing that follows in the archive can be relied on. Each variant names
//! the file; the paths are shown without control characters, as they come from the archive.

use super::path::PathError;

/// The reason why an archive is not a release. Each names the file that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// The archive or its content is too large.
    #[error("the archive is larger than {limit} bytes, packed or unpacked")]
    TooLarge {
        /// The limit that was exceeded.
        limit: u64,
    },
    /// There are too many files.
    #[error("the archive has more than {0} files")]
    TooMany(usize),
    /// It is something else.
    #[error("it is not compressed with Zstandard, as releases are")]
    NotZstandard,
    /// It was cut off or changed.
    #[error("the archive is damaged or cut off: {0}")]
    Damaged(String),
    /// Something follows the archive.
    #[error("{0} bytes follow the end of the archive")]
    Trailing(usize),
    /// A path is not one of a release.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A member is a link, a folder, a device, or an extension of the format.
    #[error("`{path}` is not a plain file but of the tar type `{kind}`")]
    Kind {
        /// The path.
        path: String,
        /// The type.
        kind: String,
    },
    /// A path stands there twice.
    #[error("`{0}` is in the archive twice")]
    Twice(String),
    /// Two paths are the same file, or one is in the other, where case does not count.
    #[error("`{0}` and `{1}` can't both be unpacked everywhere")]
    Clash(String, String),
    /// Members are in different folders.
    #[error("`{0}` is outside of the folder of the release, `{1}`")]
    Outside(String, String),
    /// There is no list of the files.
    #[error("there is no SHA256SUMS")]
    NoSums,
    /// The list is malformed.
    #[error(
        "line {0} of SHA256SUMS is not a SHA-256, two spaces and a path, in the order of paths"
    )]
    Sums(usize),
    /// A file is not in the list.
    #[error("`{0}` is not listed in SHA256SUMS")]
    Unlisted(String),
    /// A file of the list is missing.
    #[error("`{0}` is listed in SHA256SUMS and missing")]
    Missing(String),
    /// A file is another than the list says.
    #[error("`{0}` does not have the checksum that SHA256SUMS states")]
    Checksum(String),
    /// The archive has other metadata, another order, or more bytes than the one of these files.
    #[error(
        "the archive is not the one that these files give: its order, metadata or padding differ"
    )]
    NotCanonical,
    /// A bundle is not of the key.
    #[error("the bundle was not signed by the key `{key}`, or its hint is another one")]
    NotSigned {
        /// The name of the key.
        key: String,
    },
}
