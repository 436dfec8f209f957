//! The reasons why a registry could not give or take a package.
//!
//! An error names the user's object: the package, the registry that was asked, the host that refused. None of
//! them shows credentials. Texts of servers are shown in one line without control characters, because they end
//! on a terminal.

use std::fmt;

use semver::Version;

use crate::credentials::{CredentialsError, Used};
use crate::digest::Sha256;
use crate::http::HttpError;
use crate::kept::KeptError;
use crate::package::PackageId;

/// The reason why a registry could not give or take a package.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry has no such package.
    #[error("{registry} has no package `{package}`")]
    NoPackage {
        /// The package.
        package: PackageId,
        /// The registry that was asked.
        registry: String,
    },
    /// The registry has the package, but not this version.
    #[error("{registry} has no version {} of `{}`: {}", .wanted.version, .wanted.package, listed(.available))]
    NoVersion {
        /// The package and the version that were asked for.
        wanted: Box<Wanted>,
        /// The versions that the registry has, the oldest first.
        available: Vec<Version>,
        /// The registry that was asked.
        registry: String,
    },
    /// The version was published before, with other bytes.
    #[error("{address} was published before with other bytes{}: a version never changes, so publish a new one", digest(.there))]
    Exists {
        /// The address of the package.
        address: String,
        /// The digest of the bytes that are there, if the registry says it.
        there: Option<Sha256>,
    },
    /// A registry or a mirror gave other bytes than those that were asked for.
    #[error("{served_by} gave other bytes for {wanted}: expected {expected}, got {actual}")]
    Mismatch {
        /// The package and the version that were asked for.
        wanted: Box<Wanted>,
        /// The address that gave the bytes.
        served_by: String,
        /// The digest that the lock or the registry's own list has.
        expected: Sha256,
        /// The digest of what came.
        actual: Sha256,
    },
    /// A host demands credentials, or refuses those that it was sent.
    #[error("{host} refuses access (status {status}) {}", used.advice(.host))]
    Refused {
        /// The host.
        host: String,
        /// The status of its answer: 401 or 403.
        status: u16,
        /// The credentials that were sent.
        used: Used,
    },
    /// The bytes that are published or fetched are no WebAssembly package.
    #[error("{address} is no WebAssembly package: {reason}")]
    NotWasm {
        /// The address of the package.
        address: String,
        /// The reason.
        reason: String,
    },
    /// An answer is not what the protocol demands.
    #[error("{address} gave an answer that makes no sense: {reason}")]
    Odd {
        /// The URL or the address.
        address: String,
        /// The reason.
        reason: String,
    },
    /// Neither the registry nor one of its mirrors could be reached.
    #[error("cannot reach a registry of `{package}`: {}", each(.tried))]
    Unreachable {
        /// The package.
        package: PackageId,
        /// The registry and the mirrors in the order in which they were tried, with the reasons.
        tried: Vec<Tried>,
    },
    /// The registry can't be searched.
    #[error("{registry} can't be searched: {reason}")]
    NoSearch {
        /// The registry.
        registry: String,
        /// The reason.
        reason: String,
    },
    /// The network is switched off, and what is needed was not kept.
    #[error("`{package}`{} was not kept by an earlier download from {registry}, and the network is switched off", of_version(.version))]
    NotKept {
        /// The package.
        package: PackageId,
        /// The version; none if the list of versions is missing.
        version: Option<Version>,
        /// The registry that would be asked.
        registry: String,
    },
    /// A file of the registry, which is a folder, can't be read or written.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// The thing that was to be done, such as `read`.
        action: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The error of the system.
        #[source]
        source: std::io::Error,
    },
    /// A server could not be asked.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Stored credentials can't be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A download can't be kept.
    #[error(transparent)]
    Kept(#[from] KeptError),
}

/// A version of a package that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The package.
    pub package: PackageId,
    /// The version.
    pub version: Version,
}

/// A registry or a mirror that was tried in vain.
#[derive(Debug)]
pub struct Tried {
    /// Its address.
    pub address: String,
    /// The reason why it did not help.
    pub error: Error,
}

impl Wanted {
    pub(crate) fn new(package: &PackageId, version: &Version) -> Box<Self> {
        Box::new(Self { package: package.clone(), version: version.clone() })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.package, self.version)
    }
}

impl Error {
    /// Returns true if the registry could not be reached or is overloaded, so that a mirror may help.
    pub(crate) const fn is_about_reaching(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_about_reaching())
    }

    /// Returns true if the registry only said that it has no such package or version.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        matches!(self, Self::NoPackage { .. } | Self::NoVersion { .. })
    }

    /// Returns true if the command was cancelled.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Http(HttpError::Cancelled))
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.error)?;
        let causes =
            std::iter::successors(std::error::Error::source(&self.error), |cause| cause.source());
        for cause in causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

fn each(tried: &[Tried]) -> String {
    tried.iter().map(Tried::to_string).collect::<Vec<_>>().join("; ")
}

/// Returns the newest versions in words.
fn listed(available: &[Version]) -> String {
    const SHOWN: usize = 12;
    if available.is_empty() {
        return "it has no version at all".to_owned();
    }
    let newest: Vec<_> = available.iter().rev().take(SHOWN).map(Version::to_string).collect();
    let more = available.len().saturating_sub(SHOWN);
    let rest = if more == 0 { String::new() } else { format!(" and {more} older ones") };
    format!("it has {}{rest}", newest.join(", "))
}

fn digest(there: &Option<Sha256>) -> String {
    there.as_ref().map_or_else(String::new, |there| format!(" ({there})"))
}

fn of_version(version: &Option<Version>) -> String {
    version.as_ref().map_or_else(|| " (its versions)".to_owned(), |version| format!(" {version}"))
}
