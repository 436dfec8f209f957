//! The reasons why a project does not get its packages.

use rules::dependency::{AdmitError, RepositoryError};
use rules::toolchain::DependencyChange;
use semver::Version;

/// The reason why a project does not get the packages that it depends on.
#[derive(Debug, thiserror::Error)]
pub enum DependencyError {
    /// No versions fit together, or a registry could not say which there are.
    #[error(transparent)]
    Resolve(resolver::ResolveError<Box<Self>>),
    /// A registry did not give a package.
    #[error(transparent)]
    Registry(Box<registry::Error>),
    /// No registry can have a package of this name.
    #[error(transparent)]
    Name(#[from] registry::PackageError),
    /// A repository did not give a package.
    #[error(transparent)]
    Repository(Box<RepositoryError>),
    /// The folder of kept downloads can't be used.
    #[error(transparent)]
    Kept(#[from] registry::KeptError),
    /// A package is not what it should be.
    #[error("`{name}`{} of {source_place} can't be used", of_version(.version))]
    Unusable {
        /// The name of the package.
        name: String,
        /// The version that was fetched, if it is known.
        version: Option<Version>,
        /// The registry or repository that it came from.
        source_place: String,
        /// The reason.
        #[source]
        reason: Box<AdmitError>,
    },
    /// A package calls itself otherwise.
    #[error("`{name}`{} of {source_place} is package `{found}`", of_version(.version))]
    OtherName {
        /// The name by which it was asked for.
        name: String,
        /// The version that was asked for, if it is known.
        version: Option<Version>,
        /// The registry or repository that it came from.
        source_place: String,
        /// The name, or name and version, that it has.
        found: String,
    },
    /// A repository gave another package than the lock pins.
    #[error(
        "{source_place} gave another package for `{name}` than run.lock.toml pins: expected sha256:{expected}, got \
         sha256:{actual}"
    )]
    OtherBytes {
        /// The name of the package.
        name: String,
        /// The repository.
        source_place: String,
        /// The digest in the lock.
        expected: String,
        /// The digest of what came.
        actual: String,
    },
    /// The lock does not serve run.toml, and may not be changed.
    #[error("run.lock.toml does not have the packages that run.toml asks for{}", listed(.changes))]
    Drift {
        /// The changes that would make it serve.
        changes: Vec<DependencyChange>,
    },
    /// A package that is to be updated is not in the lock.
    #[error("run.lock.toml has no package `{name}`")]
    NotLocked {
        /// The name of the package.
        name: String,
        /// The packages that it has.
        known: Vec<String>,
    },
    /// The network is switched off, and a repository has to be asked.
    #[error("`{name}` was not fetched from {source_place} yet, and the network is switched off")]
    Offline {
        /// The name of the package.
        name: String,
        /// The repository.
        source_place: String,
    },
    /// A copy of WIT for editors can't be written.
    #[error("cannot write the copies of WIT in {}", .path.display())]
    Copy {
        /// The folder.
        path: std::path::PathBuf,
        /// The error of the system.
        #[source]
        source: std::io::Error,
    },
    /// The command was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] cache::StoreError),
}

fn of_version(version: &Option<Version>) -> String {
    version.as_ref().map(|version| format!(" {version}")).unwrap_or_default()
}

fn listed(changes: &[DependencyChange]) -> String {
    let line = |change: &DependencyChange| format!("\n  {} {change}", change.verb());
    changes.iter().map(line).collect()
}

impl From<registry::Error> for DependencyError {
    fn from(error: registry::Error) -> Self {
        Self::Registry(Box::new(error))
    }
}

impl From<RepositoryError> for DependencyError {
    fn from(error: RepositoryError) -> Self {
        Self::Repository(Box::new(error))
    }
}
