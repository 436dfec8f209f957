//! Defines the errors of this crate, from finding a project to comparing its builds.
//!
//! A variant names the object of the error and keeps the cause. The front end decides about exit codes and
//! hints.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use cache::{Digest, StoreError};
use engine::{BuildError, Label, Outcome};
use rules::manifest::{Diagnostics, NoProject};
use rules::platform::UnsupportedHost;
use rules::proof::Proof;
use rules::toolchain::{CatalogueError, LockError, Stale, SyncError};

use crate::dependency_error::DependencyError;

/// The reason why something can't be done with a project.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no run.toml in the folder or above it.
    #[error(transparent)]
    NoProject(#[from] NoProject),
    /// There are errors in run.toml.
    #[error("run.toml can't be used")]
    Manifest(Diagnostics),
    /// There is a link in the place of the private folder. It is refused, because files of its target would
    /// be replaced and removed.
    #[error("`{}` is a symbolic link and not a folder", .0.display())]
    LinkedFolder(PathBuf),
    /// The private folder can't be made.
    #[error("cannot write `{}`", .path.display())]
    PrivateFolder {
        /// The folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The list of files that builds have written can't be changed.
    #[error("cannot write `.run/outputs`")]
    Outputs(#[source] io::Error),
    /// The lock can't be read.
    #[error(transparent)]
    UnreadableLock(LockError),
    /// The lock can't be written.
    #[error(transparent)]
    UnwritableLock(LockError),
    /// The lock lacks something, and it may not be changed.
    #[error("run.lock.toml does not pin what this project needs")]
    Stale(#[from] Stale),
    /// A language needs a toolchain that the catalogue lacks.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The lock can't be completed.
    #[error(transparent)]
    Sync(Box<SyncError>),
    /// The packages of `[dependencies]` can't be had.
    #[error(transparent)]
    Dependencies(Box<DependencyError>),
    /// No toolchains are made for this machine.
    #[error(transparent)]
    Host(#[from] UnsupportedHost),
    /// Components can't be planned, for the reasons given.
    #[error("the build can't be planned")]
    Unplannable(Diagnostics),
    /// The build can't be planned, because there is no room in the store for the sources.
    #[error("the sources can't be put into the store")]
    NoRoom(Diagnostics),
    /// The build can't be planned, because this user can't use a part of the store.
    #[error("the sources can't be put into the store")]
    ClosedStore {
        /// The components that could not be planned, with reasons.
        findings: Diagnostics,
        /// The folder of the store.
        store: PathBuf,
    },
    /// Planning needs the results of these actions, and the store loses them each time that they are made.
    #[error("the store keeps losing what these actions make: {}", listed(.0))]
    Unsettled(BTreeSet<Label>),
    /// The build has to be reproducible, but one of its toolchains was added by the user and is not proved to
    /// be reproducible.
    #[error(
        "`[build] reproducible = true` can't be promised with {toolchain} {version}: {}",
        what_is_known(*.proof)
    )]
    Unpromised {
        /// The name of the toolchain.
        toolchain: String,
        /// The version in the lock.
        version: String,
        /// The last result of `run verify` that the store knows for the toolchain.
        proof: Option<Proof>,
    },
    /// This machine can't build at all.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// An action of the build failed, or the build was stopped.
    #[error("the build did not succeed")]
    NotBuilt(Box<Outcome>),
    /// The output of an action by which a build was planned is not the same each time.
    #[error("`{0}` does not give the same list in each build, and what is compiled depends on it")]
    Unsteady(Label),
    /// The project can't be copied to another path, at which it would be built again.
    #[error("cannot copy the project to another path")]
    Copy(#[source] io::Error),
    /// The store can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A component that was built is gone from the store.
    #[error("the store has lost {0} in the meantime")]
    Lost(Digest),
}

impl Error {
    /// Returns the findings about run.toml, or about the files that it names.
    #[must_use]
    pub const fn findings(&self) -> Option<&Diagnostics> {
        match self {
            Self::Manifest(findings)
            | Self::Unplannable(findings)
            | Self::NoRoom(findings)
            | Self::ClosedStore { findings, .. } => Some(findings),
            _ => None,
        }
    }
}

impl From<DependencyError> for Error {
    fn from(error: DependencyError) -> Self {
        Self::Dependencies(Box::new(error))
    }
}

impl From<SyncError> for Error {
    fn from(error: SyncError) -> Self {
        Self::Sync(Box::new(error))
    }
}

const fn what_is_known(proof: Option<Proof>) -> &'static str {
    match proof {
        Some(_) => "`run verify` has found other bytes",
        None => {
            "it was added with `run toolchain add`, and this machine's store does not know whether it gives the same bytes \
             each time"
        }
    }
}

fn listed(labels: &BTreeSet<Label>) -> String {
    labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ")
}
