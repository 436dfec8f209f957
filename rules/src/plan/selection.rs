//! Which components a command is about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::manifest::{Component, Manifest, Origin, suggest};
use crate::toolchain::{CatalogueError, Toolchains};

/// The components that a command is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Empty: all enabled ones.
    names: BTreeSet<String>,
}

/// A component was asked for that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no component `{name}` in run.toml")]
pub struct UnknownComponent {
    /// What was asked for.
    pub name: String,
    /// The most similar name that there is.
    pub nearest: Option<String>,
}

impl Selection {
    /// The components of these names; all enabled ones if there are none. A disabled component may
    /// be asked for by name.
    ///
    /// # Errors
    /// If there is no component of a name.
    pub fn new(manifest: &Manifest, names: &[String]) -> Result<Self, UnknownComponent> {
        let known = manifest.components.iter().map(|component| component.name.as_str());
        let known: BTreeSet<&str> = known.collect();
        match names.iter().find(|name| !known.contains(name.as_str())) {
            None => Ok(Self { names: names.iter().cloned().collect() }),
            Some(name) => {
                let nearest = suggest::nearest(name, known).map(str::to_owned);
                Err(UnknownComponent { name: name.clone(), nearest })
            }
        }
    }

    /// Whether it is all that the project makes.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.names.is_empty()
    }

    /// The selected components, in the order of the manifest.
    pub fn components<'a>(&'a self, manifest: &'a Manifest) -> impl Iterator<Item = &'a Component> {
        manifest.components.iter().filter(|component| {
            if self.names.is_empty() {
                *component.enabled
            } else {
                self.names.contains(component.name.as_str())
            }
        })
    }
}

/// The enabled components that need each toolchain.
#[must_use]
pub fn needed_by<'a>(
    folder: &Path,
    manifest: &'a Manifest,
) -> BTreeMap<&'static str, Vec<&'a str>> {
    let mut needed: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for component in manifest.components.iter().filter(|component| *component.enabled) {
        if let Origin::Source { file, language } = &component.origin {
            for toolchain in (language.value.rule().toolchains)(folder, &file.value) {
                needed.entry(toolchain).or_default().push(component.name.as_str());
            }
        }
    }
    needed
}

/// The toolchains that the selected components of the project in `folder` need.
///
/// # Errors
/// If the catalogue lacks one.
pub fn toolchains(
    folder: &Path,
    manifest: &Manifest,
    selection: &Selection,
) -> Result<Toolchains, CatalogueError> {
    let mut needed = Toolchains::new();
    for component in selection.components(manifest) {
        if let Origin::Source { file, language } = &component.origin {
            for toolchain in (language.value.rule().toolchains)(folder, &file.value) {
                needed.need(toolchain)?;
            }
        }
    }
    Ok(needed)
}
