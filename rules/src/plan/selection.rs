//! Decides which components a command is about, and which toolchains these need.
//!
//! It looks at run.toml and, where a language chooses its toolchain by files, at the project folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::lang;
use crate::lang::rule::{NeededToolchains, Written};
use crate::manifest::{Component, Language, Manifest, Origin, suggest};
use crate::toolchain::{CatalogueError, Toolchains};

/// The components that a command is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The names of the chosen components. If there are none, all enabled components are selected.
    names: BTreeSet<String>,
}

/// The error when a component is asked for that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no component `{name}` in run.toml")]
pub struct UnknownComponent {
    /// The name that was asked for.
    pub name: String,
    /// Similar names that exist, the nearest first. If no name is similar, all names that exist.
    pub instead: Vec<String>,
    /// True if `instead` holds similar names.
    pub similar: bool,
}

impl UnknownComponent {
    /// The maximum number of names in a hint. A project may have hundreds of components.
    const LISTED: usize = 8;

    /// Returns a hint with the names that could have been meant, if there are any components.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let listed = self.instead.iter().take(Self::LISTED).map(String::as_str);
        let more = self.instead.len().saturating_sub(Self::LISTED);
        match (self.instead.as_slice(), self.similar) {
            ([], _) => None,
            (_, true) => Some(format!("did you mean {}?", suggest::one_of(listed))),
            (_, false) if more == 0 => Some(format!("there is {}", suggest::all_of(listed))),
            (_, false) => Some(format!(
                "there is {}, and {more} more: `run info` shows all",
                listed.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )),
        }
    }
}

impl Selection {
    /// Selects the components of these names, or all enabled ones if there are no names. A disabled component
    /// can be selected by its name.
    ///
    /// # Errors
    /// Fails if there is no component of one of the names.
    pub fn new(manifest: &Manifest, names: &[String]) -> Result<Self, UnknownComponent> {
        if names.is_empty() {
            return Ok(Self::default());
        }
        let known = manifest.components.iter().map(|component| component.name.as_str());
        let known: BTreeSet<&str> = known.collect();
        match names.iter().find(|name| !known.contains(name.as_str())) {
            None => Ok(Self { names: names.iter().cloned().collect() }),
            Some(name) => {
                let near = suggest::near(name, known.iter().copied());
                let similar = !near.is_empty();
                let instead = if similar { near } else { known.into_iter().collect() };
                let instead = instead.into_iter().map(ToOwned::to_owned).collect();
                Err(UnknownComponent { name: name.clone(), instead, similar })
            }
        }
    }

    /// Returns whether everything that the project makes is selected.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.names.is_empty()
    }

    /// Iterates over the selected components, in the order of the manifest.
    pub fn components<'a>(&'a self, manifest: &'a Manifest) -> impl Iterator<Item = &'a Component> {
        manifest.components.iter().filter(|component| self.has(component))
    }

    /// Returns whether a component of the manifest is selected.
    fn has(&self, component: &Component) -> bool {
        if self.names.is_empty() {
            *component.enabled
        } else {
            self.names.contains(component.name.as_str())
        }
    }
}

/// Returns, for each toolchain, the enabled components that need it.
#[must_use]
pub fn needed_by<'a>(
    folder: &Path,
    manifest: &'a Manifest,
) -> BTreeMap<&'static str, Vec<&'a str>> {
    let mut by_toolchain: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for (component, toolchains) in needed(folder, manifest, &Selection::default()) {
        for toolchain in toolchains {
            by_toolchain.entry(toolchain).or_default().push(component.name.as_str());
        }
    }
    by_toolchain
}

/// Returns the toolchains that the selected components of the project in `folder` need.
///
/// # Errors
/// Fails if the catalogue lacks one of them.
pub fn toolchains(
    folder: &Path,
    manifest: &Manifest,
    selection: &Selection,
) -> Result<Toolchains, CatalogueError> {
    let mut needs = Toolchains::new();
    for (component, toolchains) in needed(folder, manifest, selection) {
        if selection.has(component) {
            toolchains.into_iter().try_for_each(|toolchain| needs.need(toolchain))?;
        }
    }
    Ok(needs)
}

/// Returns the toolchains that each enabled or selected component needs, in the order of the manifest.
fn needed<'a>(
    folder: &Path,
    manifest: &'a Manifest,
    selection: &Selection,
) -> Vec<(&'a Component, Vec<&'static str>)> {
    let mut by_language: BTreeMap<Language, Vec<(usize, Written<'_>)>> = BTreeMap::new();
    let mut needed = Vec::new();
    for component in &manifest.components {
        let is_built = *component.enabled || selection.names.contains(component.name.as_str());
        let Origin::Source { file, language } = &component.origin else { continue };
        if is_built {
            let compiler = component.compiler.as_ref().map(|compiler| compiler.value);
            let written = Written { file: &file.value, compiler };
            by_language.entry(language.value).or_default().push((needed.len(), written));
            needed.push((component, Vec::new()));
        }
    }
    for (language, written) in by_language {
        let (places, components): (Vec<usize>, Vec<Written<'_>>) = written.into_iter().unzip();
        let toolchains = match lang::rule(language).toolchains {
            NeededToolchains::Same(toolchains) => vec![toolchains.to_vec(); components.len()],
            NeededToolchains::Each(find) => find(folder, &components),
        };
        for (place, toolchains) in places.into_iter().zip(toolchains) {
            needed[place].1 = toolchains;
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_lists_what_is_near_or_else_what_there_is() {
        let check = |instead: &[&str], similar: bool, expect: Option<&str>| {
            let instead = instead.iter().map(ToString::to_string).collect();
            let error = UnknownComponent { name: "x".to_owned(), instead, similar };
            assert_eq!(error.hint().as_deref(), expect);
        };
        check(&["api"], true, Some("did you mean `api`?"));
        check(&["api-a", "api-b"], true, Some("did you mean `api-a` or `api-b`?"));
        check(&["a", "b"], false, Some("there is `a` and `b`"));
        check(&[], false, None);
        let many = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let listed =
            "there is `a`, `b`, `c`, `d`, `e`, `f`, `g`, `h`, and 2 more: `run info` shows all";
        check(&many, false, Some(listed));
    }
}
