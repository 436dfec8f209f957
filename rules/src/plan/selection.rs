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
    /// Similar names that there are, the nearest first; if none is similar, all that there are.
    pub instead: Vec<String>,
    /// Whether the names are similar ones.
    pub similar: bool,
}

impl UnknownComponent {
    /// How many names a hint lists: a project may have hundreds of components.
    const LISTED: usize = 8;

    /// The names that could have been meant.
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
                let near = suggest::near(name, known.iter().copied());
                let similar = !near.is_empty();
                let instead = if similar { near } else { known.into_iter().collect() };
                let instead = instead.into_iter().map(ToOwned::to_owned).collect();
                Err(UnknownComponent { name: name.clone(), instead, similar })
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
