//! The errors of fetching Debian packages.

use std::io;
use std::path::PathBuf;

use cache::StoreError;

use crate::package::{ClientError, HttpError};

/// The reason why Debian packages can't be had.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// A file or folder of this machine can't be read or written.
    #[error("cannot read {}", .path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// No Debian mirror is configured.
    #[error(
        "no Debian mirror is known: apt has none on this machine; \
         name one in the user's configuration as `[mirrors] debian = \"URL\"`"
    )]
    NoMirror,
    /// No mirror has the suite.
    #[error("no Debian mirror has the suite `{suite}`; asked: {}", asked.join(", "))]
    NoSuite {
        /// The name of the suite.
        suite: String,
        /// The answers of the mirrors that were asked.
        asked: Vec<String>,
    },
    /// No mirror has the package.
    #[error("no Debian mirror has {path} any more; asked: {}", asked.join(", "))]
    Gone {
        /// The path on the mirror.
        path: String,
        /// The answers of the mirrors that were asked.
        asked: Vec<String>,
    },
    /// The release file has no good signature.
    #[error("the release file of Debian {suite} has no good signature\n{output}")]
    BadSignature {
        /// The name of the suite.
        suite: String,
        /// The output of gpgv.
        output: String,
    },
    /// The file is not a release file of the suite.
    #[error("the release file of the mirror is none of Debian {0}")]
    BadRelease(String),
    /// The release has no index for the architecture.
    #[error("Debian {suite} has no packages of {component} for {architecture}")]
    NoIndex {
        /// The name of the suite.
        suite: String,
        /// The archive area.
        component: String,
        /// The architecture.
        architecture: &'static str,
    },
    /// The index has other bytes than the release says.
    #[error("the index of Debian {suite} is not the one its release file names")]
    IndexMismatch {
        /// The name of the suite.
        suite: String,
    },
    /// The index can't be unpacked.
    #[error("the index of the mirror is damaged")]
    DamagedIndex(#[source] io::Error),
    /// The index lacks a package.
    #[error("Debian {suite} has no package `{name}` for {architecture}")]
    NoPackage {
        /// The package's name.
        name: String,
        /// The name of the suite.
        suite: String,
        /// The architecture.
        architecture: &'static str,
    },
    /// The index has an incomplete or malformed entry for a package.
    #[error("the index of the mirror has a bad entry for `{0}`")]
    BadEntry(String),
    /// The index has a package more than once.
    #[error("the index of the mirror has several versions of `{0}`")]
    Ambiguous(String),
    /// A URL can't be fetched.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// gpgv can't be run.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
