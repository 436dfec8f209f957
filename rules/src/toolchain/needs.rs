//! The toolchains that a project needs. Its languages ask for them by name.
//!
//! Nothing here knows what a toolchain contains or which versions a lock has.

use std::collections::BTreeMap;

use super::names::is_in_no_registry;
use super::{Catalogue, CatalogueError};

/// The set of toolchains that a project needs, ordered by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toolchains {
    versions: BTreeMap<String, Option<String>>,
}

impl Toolchains {
    /// Returns an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a toolchain, in the locked version or else in the catalogue's default version. A toolchain
    /// that no registry offers has to be in the lock.
    ///
    /// # Errors
    /// There is no toolchain of that name.
    pub fn need(&mut self, name: &str) -> Result<(), CatalogueError> {
        if !is_in_no_registry(name) {
            Catalogue::builtin().toolchain(name)?;
        }
        self.versions.entry(name.to_owned()).or_default();
        Ok(())
    }

    /// Asks for one version of a toolchain, whatever the lock has.
    ///
    /// # Errors
    /// There is no toolchain of that name, or it has no such version.
    pub fn need_version(&mut self, name: &str, version: &str) -> Result<(), CatalogueError> {
        Catalogue::builtin().toolchain(name)?.check_version(name, version)?;
        self.versions.insert(name.to_owned(), Some(version.to_owned()));
        Ok(())
    }

    /// Asks for toolchains by name without looking into the catalogue.
    #[cfg(test)]
    pub(crate) fn unchecked(names: &[&str]) -> Self {
        Self { versions: names.iter().map(|&name| (name.to_owned(), None)).collect() }
    }

    /// Returns the names of the toolchains, each with the version if one was asked for.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.versions.iter().map(|(name, version)| (name.as_str(), version.as_deref()))
    }

    /// Returns true if the toolchain is needed.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.versions.contains_key(name)
    }

    /// Returns the version of a toolchain that was asked for, or `None` if none was.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<&str> {
        self.versions.get(name)?.as_deref()
    }

    /// Returns true if no toolchain is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_asked_for_stays() {
        let mut needed = Toolchains::new();
        needed.need_version("rust", "1.95.0").unwrap();
        needed.need("rust").unwrap();
        needed.need("componentize-py").unwrap();
        needed.need("tinygo").unwrap();
        let all: Vec<_> = needed.iter().collect();
        assert_eq!(all, [("componentize-py", None), ("rust", Some("1.95.0")), ("tinygo", None)]);
    }

    #[test]
    fn unknown_names_and_versions_are_refused() {
        let mut needed = Toolchains::new();
        let error = needed.need("rsut").unwrap_err();
        assert_eq!(error.to_string(), "there is no toolchain `rsut` (did you mean `rust`?)");
        let error = needed.need_version("rust", "1.0.0").unwrap_err();
        assert_eq!(error.to_string(), "toolchain `rust` has no version `1.0.0`, known: 1.95.0");
        assert!(needed.is_empty());
    }
}
