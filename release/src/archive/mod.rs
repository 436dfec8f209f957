//! The archive of a release: one file with everything that is needed to use the release and to check it.
//!
//! It is a tar archive, compressed with Zstandard, with one folder `PROJECT-VERSION` and in it:
//!
//! ```text
//! SHA256SUMS                       every other file with its SHA-256, as sha256sum writes and checks it
//! attestations/KEY.sigstore.json   what the key says about the release; KEY are 16 digits of the key's name
//! components/NAME.wasm             the components
//! sbom/NAME.cdx.json               the bill of materials of each component
//! source/PATH                      run.toml and the locks, by their paths in the project
//! ```
//!
//! [`Files`] is the content. The tar archive is a function of it: sorted, with fixed metadata. The reader makes the
//! tar archive anew and compares, so there is one archive for a content, and nothing can hide beside it. How it was
//! compressed is not compared, because that may differ among releases of Zstandard.

mod error;
mod path;
mod read;
mod sums;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;

use crate::bundle::Bundle;
use crate::digest::{Digests, Sha256};
use crate::keys::PublicKey;
use crate::statement::{Annotations, Dependency, Role, Subject};

pub use error::ArchiveError;
pub use path::{MemberPath, PathError, Place};

/// The most that an archive may need.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The size of the archive as it is, in bytes.
    pub packed: u64,
    /// The size of everything in it, in bytes.
    pub unpacked: u64,
    /// The number of files.
    pub members: usize,
}

impl Limits {
    /// The limits that [`verify`](crate::verify) has: 1 GiB, 2 GiB and 10 000 files.
    pub const STANDARD: Self = Self { packed: 1 << 30, unpacked: 2 << 30, members: 10_000 };
}

/// The files of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    root: String,
    members: BTreeMap<MemberPath, Vec<u8>>,
}

impl Files {
    /// Returns a release without files.
    ///
    /// # Errors
    /// No folder can be called like the project with its version.
    pub fn new(project: &str, version: &Version) -> Result<Self, PathError> {
        let root = path::root(&format!("{project}-{version}"))?;
        Ok(Self { root, members: BTreeMap::new() })
    }

    /// Adds a component.
    ///
    /// # Errors
    /// The name is not that of a component, or it is there already.
    pub fn add_component(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), ArchiveError> {
        self.add(&format!("components/{name}.wasm"), bytes)
    }

    /// Adds the bill of materials of a component.
    ///
    /// # Errors
    /// The name is not that of a component, or it is there already.
    pub fn add_sbom(&mut self, component: &str, json: Vec<u8>) -> Result<(), ArchiveError> {
        self.add(&format!("sbom/{component}.cdx.json"), json)
    }

    /// Adds a file of the project. `path` is relative to the project, with `/` between names.
    ///
    /// # Errors
    /// The path leads elsewhere, is too long, or is there already.
    pub fn add_source(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), ArchiveError> {
        self.add(&format!("source/{path}"), bytes)
    }

    /// Adds what a key says about the release.
    ///
    /// # Errors
    /// The key has not signed the bundle, or has another one here already.
    pub fn add_attestation(
        &mut self,
        bundle: &Bundle,
        key: &PublicKey,
    ) -> Result<(), ArchiveError> {
        let path = path::attestation(&key.id());
        if bundle.signed_by(key).is_none() || bundle.hint() != key.id().to_string() {
            return Err(ArchiveError::NotSigned { key: key.id().to_string() });
        }
        self.add(&path, bundle.to_json())
    }

    fn add(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), ArchiveError> {
        let path: MemberPath = path.parse()?;
        path::fits(&self.root, &path)?;
        if self.members.contains_key(&path) {
            return Err(ArchiveError::Twice(path.to_string()));
        }
        self.members.insert(path, bytes);
        Ok(())
    }

    /// Returns the name of the folder in the archive: the project with its version.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Returns the files by their paths, in order. `SHA256SUMS` is not among them, as it follows from them.
    pub fn iter(&self) -> impl Iterator<Item = (&MemberPath, &[u8])> {
        self.members.iter().map(|(path, bytes)| (path, bytes.as_slice()))
    }

    /// Returns a file.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.members.get(path).map(Vec::as_slice)
    }

    /// Returns what the file with this path is, if there is one.
    pub(crate) fn place(&self, path: &str) -> Option<Place<'_>> {
        self.members.get_key_value(path).map(|(path, _)| path.place())
    }

    /// Returns the names of the components.
    #[must_use]
    pub fn components(&self) -> BTreeSet<String> {
        let name = |path: &MemberPath| match path.place() {
            Place::Component(name) => Some(name.to_owned()),
            _ => None,
        };
        self.members.keys().filter_map(name).collect()
    }

    /// Returns the files that a statement about the release has as its subjects: components and bills of materials.
    #[must_use]
    pub fn subjects(&self) -> Vec<Subject> {
        let subject = |(path, bytes): (&MemberPath, &[u8])| {
            path.is_made()
                .then(|| Subject { name: path.to_string(), digest: Sha256::of(bytes).into() })
        };
        self.iter().filter_map(subject).collect()
    }

    /// Returns the files that a statement about the release has as its dependencies: those of the project.
    #[must_use]
    pub fn dependencies(&self) -> Vec<Dependency> {
        let dependency = |(path, bytes): (&MemberPath, &[u8])| {
            matches!(path.place(), Place::Source(_)).then(|| Dependency {
                name: Some(path.to_string()),
                uri: None,
                digest: Digests::from(Sha256::of(bytes)),
                annotations: Annotations { role: Role::File },
            })
        };
        self.iter().filter_map(dependency).collect()
    }

    /// Returns the bytes of the archive. Equal files give equal bytes with the same release of Zstandard.
    ///
    /// # Errors
    /// Two files can't both be unpacked everywhere, or the archive is larger than [`Limits::STANDARD`], so that
    /// nobody would read it.
    pub fn to_archive(&self) -> Result<Vec<u8>, ArchiveError> {
        write::archive(self, &Limits::STANDARD)
    }

    /// Reads an archive.
    ///
    /// # Errors
    /// It is not exactly what [`to_archive`](Self::to_archive) writes of some files, or exceeds the limits.
    pub fn read(archive: &[u8], limits: &Limits) -> Result<Self, ArchiveError> {
        read::archive(archive, limits)
    }
}

#[cfg(test)]
mod tests;
