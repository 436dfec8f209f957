//! Decides which components a command is about, and which toolchains these need.
//!
//! It looks at run.toml and, where a language chooses its toolchain by files, at the project folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::lang;
use crate::lang::rule::{NeededToolchains, Written};
use crate::manifest::{Component, Language, Manifest, Origin, Test, suggest};
use crate::toolchain::{CatalogueError, Toolchains};

/// The components that a command is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The names of the chosen components. If there are none, all enabled components are selected.
    names: BTreeSet<String>,
    /// True if components of tests are among all enabled components.
    with_tests: bool,
    /// Components that are needed in a composition of their own.
    mocked: BTreeSet<Mocked>,
}

/// A component that is composed with packages of `[dev_dependencies]` for a test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mocked {
    /// The name of the component.
    pub component: String,
    /// The names of the packages.
    pub packages: BTreeSet<String>,
}

/// The error when a command that builds for use is asked for a component of tests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("component `{0}` is for tests, and only `run test` builds it")]
pub struct OnlyForTests(pub String);

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
            None => Ok(Self { names: names.iter().cloned().collect(), ..Self::default() }),
            Some(name) => {
                let near = suggest::near(name, known.iter().copied());
                let similar = !near.is_empty();
                let instead = if similar { near } else { known.into_iter().collect() };
                let instead = instead.into_iter().map(ToOwned::to_owned).collect();
                Err(UnknownComponent { name: name.clone(), instead, similar })
            }
        }
    }

    /// Selects all enabled components, also those of tests.
    #[must_use]
    pub fn with_tests() -> Self {
        Self { with_tests: true, ..Self::default() }
    }

    /// Selects what tests need. There has to be a test.
    #[must_use]
    pub fn of_tests(tests: &[Test]) -> Self {
        let mocked = tests.iter().filter(|test| !test.with.is_empty()).map(|test| Mocked {
            component: test.component.value.to_string(),
            packages: test.packages(),
        });
        Self {
            names: tests.iter().map(|test| test.component.value.to_string()).collect(),
            with_tests: true,
            mocked: mocked.collect(),
        }
    }

    /// Refuses a selection that names a component of tests.
    ///
    /// # Errors
    /// If there is such a component.
    pub fn refuse_tests(&self, manifest: &Manifest) -> Result<(), OnlyForTests> {
        let mut of_tests = manifest.components.iter().filter(|component| *component.test);
        match of_tests.find(|component| self.names.contains(component.name.as_str())) {
            Some(component) => Err(OnlyForTests(component.name.to_string())),
            None => Ok(()),
        }
    }

    /// Returns the components that are needed in compositions of their own.
    pub(super) fn mocked(&self) -> impl Iterator<Item = &Mocked> {
        self.mocked.iter()
    }

    /// Returns whether everything that the project makes for use is selected.
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
            component.is_built() || self.with_tests && *component.enabled
        } else {
            self.names.contains(component.name.as_str())
        }
    }
}

/// Returns the components in the order of run.toml, with everything that they depend on.
pub(super) fn with_dependencies<'c>(
    all: &'c [Component],
    selected: &[&'c Component],
) -> Vec<&'c Component> {
    if selected.iter().all(|component| component.dependencies.is_empty()) {
        return selected.to_vec();
    }
    let by_name: BTreeMap<&str, &Component> =
        all.iter().map(|component| (component.name.as_str(), component)).collect();
    let mut wanted: BTreeMap<&str, &Component> = BTreeMap::new();
    let mut next = selected.to_vec();
    while let Some(component) = next.pop() {
        if wanted.insert(component.name.as_str(), component).is_none() {
            let names = component.dependencies.iter().map(|dependency| dependency.as_str());
            next.extend(names.filter_map(|name| by_name.get(name).copied()));
        }
    }
    all.iter().filter(|component| wanted.contains_key(component.name.as_str())).collect()
}

/// Returns, for each toolchain, the enabled components that need it.
#[must_use]
pub fn needed_by<'a>(
    folder: &Path,
    manifest: &'a Manifest,
) -> BTreeMap<&'static str, Vec<&'a str>> {
    let mut by_toolchain: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for (component, toolchains) in needed(folder, manifest, &Selection::with_tests()) {
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
    // What a selected component depends on is built, too.
    let selected: Vec<&Component> = selection.components(manifest).collect();
    let built = with_dependencies(&manifest.components, &selected);
    let names: BTreeSet<&str> = built.iter().map(|component| component.name.as_str()).collect();
    for (component, toolchains) in needed(folder, manifest, selection) {
        if names.contains(component.name.as_str()) {
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
