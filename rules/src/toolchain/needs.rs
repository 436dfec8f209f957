//! Which toolchains a project needs: asked for by its languages, by name.

use std::collections::BTreeMap;

use super::{Catalogue, CatalogueError};

/// The set of toolchains that a project needs, ordered by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toolchains {
    versions: BTreeMap<String, Option<String>>,
}

impl Toolchains {
    /// Nothing needed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a toolchain, in the version of the lock or else the catalogue's default.
    ///
    /// # Errors
    /// There is no toolchain of that name.
    pub fn need(&mut self, name: &str) -> Result<(), CatalogueError> {
        Catalogue::builtin().toolchain(name)?;
        self.versions.entry(name.to_owned()).or_default();
        Ok(())
    }

    /// Asks for a toolchain in one version, whatever the lock says.
    ///
    /// # Errors
    /// There is no toolchain of that name, or none of that version.
    pub fn need_version(&mut self, name: &str, version: &str) -> Result<(), CatalogueError> {
        Catalogue::builtin().toolchain(name)?.check_version(name, version)?;
        self.versions.insert(name.to_owned(), Some(version.to_owned()));
        Ok(())
    }

    /// Asks for toolchains of another catalogue than the program's.
    #[cfg(test)]
    pub(crate) fn unchecked(names: &[&str]) -> Self {
        Self { versions: names.iter().map(|&name| (name.to_owned(), None)).collect() }
    }

    /// The names, and the versions where one was asked for.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.versions.iter().map(|(name, version)| (name.as_str(), version.as_deref()))
    }

    /// Whether a toolchain is needed.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.versions.contains_key(name)
    }

    /// The version that was asked for.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<&str> {
        self.versions.get(name)?.as_deref()
    }

    /// Whether nothing is needed.
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
        let all: Vec<_> = needed.iter().collect();
        assert_eq!(all, [("componentize-py", None), ("rust", Some("1.95.0"))]);
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
