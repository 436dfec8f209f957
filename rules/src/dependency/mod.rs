//! The packages of `[dependencies]` that were fetched: what is known of them, and how they get into the store.
//!
//! A package is one blob, as the lock pins it: a component or a WIT package as registries have them, or a tar archive of
//! the WIT files of a repository. [`Packages`] is what a plan gets. Which versions are chosen and where they are fetched
//! is not decided here.

mod archive;
mod describe;
mod error;
mod repository;

use cache::Digest;
use semver::Version;

pub use archive::Archive;
pub use describe::{admit, blob, known, sha256};
pub use error::{AdmitError, ArchiveError};

pub use repository::{Checkout, Repository, RepositoryError};

pub use crate::wit::{Description, PackageKind};

/// The packages that were fetched for a project, with everything that they need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packages(pub Vec<Package>);

/// A package in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The name of the package, `namespace:name`.
    pub name: String,
    /// The version that the lock has.
    pub version: Version,
    /// The kind of package.
    pub kind: PackageKind,
    /// The tree of its files.
    pub tree: Digest,
    /// The section of run.toml that names it. `None` if only other packages need it.
    pub named_in: Option<NamedIn>,
    /// True if only tests need it.
    pub is_for_tests: bool,
}

/// A section of run.toml that names packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedIn {
    /// `[dependencies]`, perhaps also the other one.
    Dependencies,
    /// `[dev_dependencies]` alone.
    DevDependencies,
}

impl Packages {
    /// Returns the versions of a package.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Package> {
        self.0.iter().filter(move |package| package.name == name)
    }
}
