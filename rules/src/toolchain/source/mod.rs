//! The sources of packages, one file each: how versions are looked up, and how locked packages are had again.
//!
//! A source does two things: it *resolves* what a layer of a recipe asks for to packages that a lock
//! can hold (only a sync does that), and it *fetches* a locked package. What it fetched is checked by
//! [`Session`], the same way for all of them: the store is asked before the registry, bytes that are
//! not the pinned ones are dropped, and good ones are kept in the store under their SHA-256.

mod crates;
mod debian;
pub(crate) mod npm;
mod path;
mod pypi;
mod rustup;
mod session;
mod url;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use cache::{Digest, StoreError, TreeError};

pub use debian::DebianError;
pub use npm::NpmError;
pub use rustup::RustupError;
pub(crate) use rustup::keys as rustup_keys;
pub(crate) use session::Session;

use super::catalogue::{Layer, Origin};
use super::fetch::{ClientError, HttpError};
use super::lock::{Pin, SourceKind};
use super::unpack::UnpackError;
use super::{Purl, Recipe};

/// A package that a source has found for a layer.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// What it is.
    pub(crate) purl: Purl,
    /// Where it comes from.
    pub(crate) source: SourceKind,
    /// What the layer calls it.
    pub(crate) key: String,
    /// What the source needs to fetch it again.
    pub(crate) from: String,
    /// The name of its file.
    pub(crate) file: Option<String>,
    /// What pins it.
    pub(crate) pin: Pin,
}

/// Why a package can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The bytes are not the pinned ones. Nothing of them was kept.
    #[error("{package} has other bytes than the lock says: expected {expected}, got {actual}")]
    ChecksumMismatch {
        /// The package.
        package: String,
        /// The checksum in the lock.
        expected: String,
        /// The checksum of what was fetched.
        actual: String,
    },
    /// The package can't be unpacked.
    #[error("cannot unpack {package}")]
    Unpack {
        /// The package.
        package: String,
        /// Why.
        #[source]
        source: UnpackError,
    },
    /// A recipe's globs are none.
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
    /// pip was asked for one wheel and brought something else.
    #[error("pip brought {found} files for `{requirement}`, not one wheel")]
    NotOneWheel {
        /// What it was asked for.
        requirement: String,
        /// How many files there are.
        found: usize,
    },
    /// cargo did what it was asked for, and yet the crate is not where it should be.
    #[error("cargo fetched `{package}`, but neither its lockfile nor its registry cache has it")]
    NoCrate {
        /// The crate: `NAME@VERSION`.
        package: String,
    },
    /// A requirement is not of the form `NAME==VERSION`.
    #[error("`{0}` does not pin a version (`NAME==VERSION`)")]
    Unpinned(String),
    /// A checksum of a recipe is none.
    #[error("`{0}` is no SHA-256")]
    BadChecksum(String),
    /// A local file can't be read or written.
    #[error("cannot read {}", .path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A recipe has no layer for a locked package, or a layer lacks its package.
    #[error("the lock and the recipe of `{toolchain}` differ: {package}")]
    Unmatched {
        /// The toolchain.
        toolchain: String,
        /// The package.
        package: String,
    },
    /// A package does not make a tree.
    #[error("{package} makes no tree")]
    Tree {
        /// The package.
        package: String,
        /// Why.
        #[source]
        source: Box<TreeError>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user wants it to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Finds the packages of a layer that are not locked yet; `missing` has what the layer calls them.
///
/// A source may find more than was asked for.
pub(crate) fn resolve(
    session: &Session<'_>,
    layer: &Layer,
    recipe: &Recipe,
    missing: &BTreeSet<&str>,
) -> Result<Vec<Resolved>, SourceError> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    match &layer.from {
        Origin::Crates(from) => Ok(vec![crates::resolve(session, from)?]),
        Origin::Debian(from) => Ok(debian::resolve(session, from, missing, recipe.platform)?),
        Origin::Npm(from) => npm::resolve(session, from, layer, recipe),
        Origin::Pypi(from) => Ok(vec![pypi::resolve(session, from, recipe.platform)?]),
        Origin::Rustup(from) => rustup::resolve(session, from, layer, recipe),
        Origin::Url(from) => Ok(vec![url::resolve(session, from, recipe)?]),
        Origin::Path(from) => Ok(vec![path::resolve(session, from, layer, recipe)?]),
    }
}

impl SourceError {
    /// Whether other bytes came than were pinned.
    #[must_use]
    pub const fn is_mismatch(&self) -> bool {
        match self {
            Self::ChecksumMismatch { .. } => true,
            Self::Npm(error) => error.is_mismatch(),
            _ => false,
        }
    }

    /// Whether it only stopped because the user wanted it to.
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

    /// Whether it failed only because the network is switched off.
    #[must_use]
    pub const fn is_offline(&self) -> bool {
        matches!(
            self,
            Self::Http(HttpError::Offline { .. })
                | Self::Debian(DebianError::Http(HttpError::Offline { .. }))
                | Self::Rustup(RustupError::Offline { .. })
        )
    }

    fn mismatch(package: &str, expected: &Digest, actual: &Digest) -> Self {
        Self::ChecksumMismatch {
            package: package.to_owned(),
            expected: expected.to_string(),
            actual: actual.to_string(),
        }
    }
}
