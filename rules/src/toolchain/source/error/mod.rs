//! The errors of fetching and unpacking packages, for all sources.

mod debian;
mod rustup;

use std::io;
use std::path::PathBuf;

use cache::{Digest, StoreError, TreeError};

pub use debian::DebianError;
pub use rustup::RustupError;

use crate::package::{ClientError, HttpError, NpmError, UnpackError};

/// The reason why a package can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The bytes are not the pinned ones. None of them were kept.
    #[error("{package} has other bytes than the lock says: expected {expected}, got {actual}")]
    ChecksumMismatch {
        /// The package.
        package: String,
        /// The checksum in the lock.
        expected: String,
        /// The checksum of the bytes that were fetched.
        actual: String,
    },
    /// The package can't be unpacked.
    #[error("cannot unpack {package}")]
    Unpack {
        /// The package.
        package: String,
        /// The reason why it can't be unpacked.
        #[source]
        source: UnpackError,
    },
    /// One of a recipe's globs is invalid.
    #[error("the recipe has a bad pattern")]
    Pattern(#[source] globset::Error),
    /// A URL can't be fetched.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A client of a registry failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Debian packages can't be had.
    #[error(transparent)]
    Debian(#[from] DebianError),
    /// Packages of an npm registry can't be had.
    #[error(transparent)]
    Npm(#[from] NpmError),
    /// Components of a Rust release can't be had.
    #[error(transparent)]
    Rustup(#[from] RustupError),
    /// pip was asked for one wheel and brought another number of files.
    #[error("pip brought {found} files for `{requirement}`, not one wheel")]
    NotOneWheel {
        /// The requirement that pip was asked for.
        requirement: String,
        /// The number of files that pip brought.
        found: usize,
    },
    /// cargo succeeded, and yet the crate is not where it should be.
    #[error("cargo fetched `{package}`, but neither its lockfile nor its registry cache has it")]
    NoCrate {
        /// The crate, `NAME@VERSION`.
        package: String,
    },
    /// A requirement is not of the form `NAME==VERSION`.
    #[error("`{0}` does not pin a version (`NAME==VERSION`)")]
    Unpinned(String),
    /// A checksum of a recipe is not a SHA-256.
    #[error("`{0}` is no SHA-256")]
    BadChecksum(String),
    /// A local file can't be read or written.
    #[error("cannot read {}", .path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// A recipe has no layer for a locked package, or a layer lacks its package.
    #[error("the lock and the recipe of `{toolchain}` differ: {package}")]
    Unmatched {
        /// The toolchain's name.
        toolchain: String,
        /// The package.
        package: String,
    },
    /// The tree of a package can't be made.
    #[error("{package} makes no tree")]
    Tree {
        /// The package.
        package: String,
        /// The problem with the tree.
        #[source]
        source: Box<TreeError>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl SourceError {
    /// Returns true if other bytes came than were pinned.
    #[must_use]
    pub const fn is_mismatch(&self) -> bool {
        match self {
            Self::ChecksumMismatch { .. } => true,
            Self::Npm(error) => error.is_mismatch(),
            _ => false,
        }
    }

    /// Returns true if the work was stopped because the user wanted it.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Cancelled
                | Self::Http(HttpError::Cancelled)
                | Self::Client(ClientError::Cancelled)
                | Self::Debian(DebianError::Http(HttpError::Cancelled))
                | Self::Debian(DebianError::Client(ClientError::Cancelled))
                | Self::Npm(NpmError::Client(ClientError::Cancelled))
                | Self::Rustup(RustupError::Client(ClientError::Cancelled))
                | Self::Unpack { source: UnpackError::Cancelled, .. }
        )
    }

    /// Returns true if the work failed because the network is switched off.
    #[must_use]
    pub const fn is_offline(&self) -> bool {
        matches!(
            self,
            Self::Http(HttpError::Offline { .. })
                | Self::Debian(DebianError::Http(HttpError::Offline { .. }))
                | Self::Rustup(RustupError::Offline { .. })
        )
    }

    pub(super) fn mismatch(package: &str, expected: &Digest, actual: &Digest) -> Self {
        Self::ChecksumMismatch {
            package: package.to_owned(),
            expected: expected.to_string(),
            actual: actual.to_string(),
        }
    }
}
