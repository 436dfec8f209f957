//! What registries take and give: packages with the facts about them.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::package::PackageId;

/// The names of the annotations that describe a package in an OCI registry (OCI Image Specification,
/// `annotations.md`). [`annotation::VERSION`] and [`annotation::TITLE`] are set by this crate.
pub mod annotation {
    /// The version of the package.
    pub const VERSION: &str = "org.opencontainers.image.version";
    /// The description of the package.
    pub const DESCRIPTION: &str = "org.opencontainers.image.description";
    /// The licence, as an SPDX expression.
    pub const LICENSES: &str = "org.opencontainers.image.licenses";
    /// The URL of the repository with the sources.
    pub const SOURCE: &str = "org.opencontainers.image.source";
    /// The revision of the sources.
    pub const REVISION: &str = "org.opencontainers.image.revision";
    /// The URL of the home page.
    pub const URL: &str = "org.opencontainers.image.url";
    /// The authors.
    pub const AUTHORS: &str = "org.opencontainers.image.authors";
    /// The name of the file, which stands at the layer.
    pub const TITLE: &str = "org.opencontainers.image.title";
}

/// The media type of packages.
pub(crate) const WASM: &str = "application/wasm";

/// A version of a package that a registry has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// True if the version was withdrawn: it can still be fetched, but nothing new should choose it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub yanked: bool,
    /// The digest of the package, if the list of versions says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
}

/// A package that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The component, the module or the WIT package in its binary form.
    pub bytes: Vec<u8>,
    /// The digest of the bytes.
    pub sha256: Sha256,
    /// The registry that the package belongs to. It is the same whichever mirror answered, so it can be
    /// written into a lock. It holds no credentials.
    pub source: String,
    /// The address that gave the bytes: the registry, one of its mirrors, or the folder of kept downloads.
    pub served_by: String,
    /// The digest of the manifest, if an OCI registry gave the bytes.
    pub manifest: Option<Sha256>,
}

/// A package that is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The component, the module or the WIT package in its binary form.
    pub bytes: Vec<u8>,
    /// The annotations of the manifest. The names of the usual ones are in [`annotation`]. Only OCI registries
    /// keep them; other registries have what the package itself says.
    pub annotations: BTreeMap<String, String>,
    /// The facts of the configuration that goes with the package.
    pub facts: Facts,
}

/// The facts of a package's configuration in an OCI registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The time that counts as the time of publication, in seconds since 1970: SOURCE_DATE_EPOCH, and 0 without
    /// it. No clock is asked, so the same package always has the same manifest.
    pub created: u64,
    /// The author.
    pub author: Option<String>,
    /// The interfaces, if the package is a component.
    pub component: Option<Interfaces>,
}

/// The interfaces of a component, as its configuration in an OCI registry lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Interfaces {
    /// The exported interfaces.
    pub exports: Vec<String>,
    /// The imported interfaces.
    pub imports: Vec<String>,
    /// The world that the component targets.
    pub target: Option<String>,
}

/// The answer to a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The digest by which the registry knows the package: that of the manifest in an OCI registry, else that
    /// of the bytes.
    pub digest: Sha256,
    /// The address of the package.
    pub address: String,
    /// True if the registry had this version with the same bytes already.
    pub was_there: bool,
}

/// A package that a search has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name of the package.
    pub package: PackageId,
    /// The description, if the registry says it.
    pub description: Option<String>,
    /// The newest version, if the registry says it.
    pub latest: Option<Version>,
}

/// The kind of a WebAssembly binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Module,
    Component,
}

/// Returns the kind of a binary, judged by its first eight bytes. WIT packages are components.
pub(crate) fn binary(bytes: &[u8]) -> Option<Binary> {
    match bytes.get(..8)? {
        [0, b'a', b's', b'm', 1, 0, 0, 0] => Some(Binary::Module),
        [0, b'a', b's', b'm', _, _, 1, 0] => Some(Binary::Component),
        _ => None,
    }
}
