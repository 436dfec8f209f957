//! The errors of fetching components of a Rust release.

use std::io;
use std::path::PathBuf;

use cache::StoreError;

use crate::package::ClientError;

/// The reason why components of a Rust release can't be had.
#[derive(Debug, thiserror::Error)]
pub enum RustupError {
    /// rustup failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The release is not installed, and the network is switched off.
    #[error("Rust {version} is not installed as needed, and the network is switched off")]
    Offline {
        /// The version of the release.
        version: String,
    },
    /// A file of an installed release can't be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// The file is not a valid channel manifest.
    #[error("{} is no channel manifest: {message}", .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// The description of the problem.
        message: String,
    },
    /// The release has no such component.
    #[error("Rust {version} has no component `{component}`")]
    NoComponent {
        /// The version of the release.
        version: String,
        /// The component.
        component: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
