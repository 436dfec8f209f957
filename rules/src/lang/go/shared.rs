//! Picks the packages of the project that other people's packages import. They belong to a module of the
//! project that replaces one that somebody requires, or to the component's own module, which somebody
//! requires in turn.
//!
//! They are compiled in the layer of other people's packages, which need them there. Only the go command
//! knows which packages these are, because it has read everybody's imports. So this action stands between its
//! answer and the layer. Most projects have no such packages, and then the layer sees no source of the
//! project.

use std::collections::{BTreeMap, BTreeSet};

use cache::{Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};

use super::listed::Listed;

/// The action that picks the sources of these packages. The constants name its inputs and outputs.
#[derive(Debug)]
pub(super) struct PickShared;

impl PickShared {
    /// Input: what the go command says of all packages of the component.
    pub(super) const LISTED: &'static str = "listed.json";
    /// Input: the skeleton, which is the files that say which modules there are.
    pub(super) const SKELETON: &'static str = "skeleton";
    /// Input: the sources of all packages of the project.
    pub(super) const SOURCES: &'static str = "sources";
    /// Output: the skeleton, and the sources of the packages that others import.
    pub(super) const PICKED: &'static str = "picked";
}

/// Returns the import paths of the project's packages that other people's packages import, directly or not.
pub(super) fn shared(listed: &[Listed]) -> BTreeSet<&str> {
    let by_path: BTreeMap<&str, &Listed> =
        listed.iter().map(|package| (package.import_path.as_str(), package)).collect();
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let others = listed.iter().filter(|package| !package.standard && !package.is_of_project());
    let mut open: Vec<&str> = others.map(|package| package.import_path.as_str()).collect();
    while let Some(path) = open.pop() {
        let Some(package) = by_path.get(path).filter(|package| !package.standard) else { continue };
        if !seen.insert(path) {
            continue;
        }
        if package.is_of_project() {
            found.insert(path);
        }
        open.extend(package.imports.iter().map(String::as_str));
    }
    found
}

impl Builtin for PickShared {
    fn name(&self) -> &str {
        "go-shared"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        Vec::new()
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let listed =
            Listed::read(&cx.read(Self::LISTED)?).map_err(|error| BuiltinError::failed(&error))?;
        let tree = |name: &str| {
            let digest = *cx.input(name).digest();
            cx.store().tree(&digest)?.ok_or(BuiltinError::Missing(digest))
        };
        let shared = shared(&listed);
        let mut picked = tree(Self::SKELETON)?;
        if !shared.is_empty() {
            let sources = tree(Self::SOURCES)?;
            for package in
                listed.iter().filter(|package| shared.contains(package.import_path.as_str()))
            {
                pick(package, &sources, &mut picked)
                    .map_err(|error| BuiltinError::failed(&error))?;
            }
        }
        cx.produce(Self::PICKED, Artifact::Tree(cx.store().put_tree(&picked)?));
        Ok(())
    }
}

/// Copies the files of a package into `picked`. Bindings are not among the sources, as overlays add them.
fn pick(package: &Listed, sources: &Tree, picked: &mut Tree) -> Result<(), cache::TreeError> {
    let files = [&package.go_files, &package.assembly, &package.headers, &package.embed_files];
    for name in files.into_iter().flatten() {
        let file = format!("{}/{name}", package.dir);
        let file = file.trim_start_matches("/src").trim_start_matches('/');
        if let Some(entry @ Entry::File { .. }) = sources.get(file) {
            picked.insert(file, entry.clone())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_import_is_found_with_all_that_it_needs() {
        let listed = Listed::read(
            br#"{"ImportPath": "fmt", "Standard": true}
            {"ImportPath": "m", "Dir": "/src", "Module": {"Main": true}, "Imports": ["fmt", "x.org/a", "m/own", "m/both"]}
            {"ImportPath": "m/own", "Dir": "/src/own", "Module": {"Main": true}, "Imports": ["l.org/unused"]}
            {"ImportPath": "m/both", "Dir": "/src/both", "Module": {"Main": true}}
            {"ImportPath": "l.org/unused", "Dir": "/src/l/unused", "Module": {"Replace": {"Path": "./l"}}}
            {"ImportPath": "l.org/used", "Dir": "/src/l/used", "Module": {"Replace": {"Path": "./l"}}, "Imports": ["m/both"]}
            {"ImportPath": "x.org/a", "Dir": "/deps/mod/x", "Imports": ["x.org/b"]}
            {"ImportPath": "x.org/b", "Dir": "/deps/mod/x", "Imports": ["l.org/used", "gone.org"]}"#,
        );
        let listed = listed.unwrap();
        assert_eq!(shared(&listed), BTreeSet::from(["l.org/used", "m/both"]));
        assert!(shared(&listed[..5]).is_empty());
    }

    #[test]
    fn vendored_packages_are_not_of_the_project() {
        let listed = Listed::read(
            br#"{"ImportPath": "l.org/x", "Dir": "/src/vendor/l.org/x", "Module": {"Replace": {"Path": "./l"}}}
            {"ImportPath": "go.bytecodealliance.org/pkg/x", "Dir": "/usr/lib/go-pkg/x",
             "Module": {"Replace": {"Path": "/usr/lib/go-pkg"}}}"#,
        );
        assert!(listed.unwrap().iter().all(|package| !package.is_of_project()));
    }
}
