//! The origin of a layer's packages, as a recipe describes it. It is data only; the modules in `source` fetch
//! it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The packages of a layer, described in the terms of their source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A crate's sources from a Cargo registry.
    Crates(CratePackage),
    /// Binary packages of a Debian suite.
    Debian(DebianPackages),
    /// Packages of an npm registry, with all their dependencies.
    Npm(NpmPackages),
    /// A wheel from the Python package index.
    Pypi(Wheel),
    /// Components of a Rust release.
    Rustup(RustComponents),
    /// An archive at a URL.
    Url(UrlArchive),
    /// A folder or an archive on this machine.
    Path(LocalPath),
}

/// A crate's sources from a Cargo registry, without the folder that they are packed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CratePackage {
    /// The crate's name.
    pub package: String,
    /// The crate's version.
    pub version: String,
}

/// Binary packages of a Debian suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianPackages {
    /// The code name of the release, such as `bookworm`.
    pub suite: String,
    /// The archive area, such as `main`.
    pub component: String,
    /// The names of the binary packages. Their dependencies are not added.
    pub packages: Vec<String>,
}

/// Packages of an npm registry, with all their dependencies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NpmPackages {
    /// The packages to install: name → version, which is not a range.
    pub packages: BTreeMap<String, String>,
    /// The versions of dependencies that are taken whatever other packages ask for: name → version.
    #[serde(default)]
    pub overrides: BTreeMap<String, String>,
}

/// A wheel from the Python package index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheel {
    /// The requirement that pip gets, `NAME==VERSION`.
    pub requirement: String,
    /// The allowed platform tags without the machine, such as `manylinux_2_28`.
    pub platforms: Vec<String>,
    /// The version of the Python that will run the wheel.
    pub python: String,
}

/// Components of a Rust release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RustComponents {
    /// The components for the host, such as `rustc`, `cargo` and `rust-std`.
    pub components: Vec<String>,
    /// Further targets whose standard library is installed.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// An archive at a URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UrlArchive {
    /// The URL, with the scheme `https`, `http` or `file`.
    pub url: String,
    /// The SHA-256 of the archive's bytes in hexadecimal. A catalogue always has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A folder or an archive on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalPath {
    /// The path of the folder or archive.
    pub path: String,
}

impl CratePackage {
    /// Returns the crate's name and version in the form that cargo's commands take.
    pub(crate) fn key(&self) -> String {
        format!("{}@{}", self.package, self.version)
    }

    /// Returns the name of the folder in which the archive has everything.
    pub(crate) fn folder(&self) -> String {
        format!("{}-{}", self.package, self.version)
    }

    /// Returns the file name of the archive.
    pub(crate) fn file(&self) -> String {
        format!("{}.crate", self.folder())
    }
}
