//! Finds dependencies from repositories that Cargo.lock pins no commit for.
//!
//! Cargo refuses such a lockfile, too, but it names neither file nor line. Only what is certain to be wrong is refused
//! here: a dependency for a test, an optional one and one that is patched need not be in the lockfile.

use std::path::Path;

use toml::Value;
use toml_edit::{Document, Item, TableLike};

use super::locked::{LockedRepository, Reference, canonical};
use crate::bounded;
use crate::lang::rust::error::CargoError;
use crate::path::ProjectPath;

/// The tables whose dependencies are always in the lockfile.
const TABLES: [&str; 2] = ["dependencies", "build-dependencies"];

/// The commits that a lockfile pins for the project's own packages.
pub(in crate::lang::rust) struct Pinned<'a> {
    pub(in crate::lang::rust) project: &'a Path,
    /// The folder of the workspace's manifest, from which packages take dependencies.
    pub(in crate::lang::rust) workspace: &'a ProjectPath,
    pub(in crate::lang::rust) locked: Vec<&'a LockedRepository>,
    /// The sources for which there are patches.
    pub(in crate::lang::rust) patched: Vec<String>,
}

/// A manifest with the places of everything in it.
struct Manifest {
    path: ProjectPath,
    document: Document<String>,
}

impl Pinned<'_> {
    /// Refuses the package in `dir`, which is in the lockfile, if it needs a commit that is not.
    pub(in crate::lang::rust) fn check(&self, dir: &ProjectPath) -> Result<(), CargoError> {
        let (Some(manifest), Some(root)) =
            (Manifest::read(self.project, dir)?, Manifest::read(self.project, self.workspace)?)
        else {
            return Ok(());
        };
        let shared = root.document.get("workspace").and_then(|it| it.get("dependencies"));
        for (name, dependency) in TABLES.iter().flat_map(|table| manifest.table(table)) {
            if is_set(dependency, "optional") {
                continue;
            }
            let (from, dependency) = match shared.and_then(|shared| shared.get(name)) {
                Some(shared) if is_set(dependency, "workspace") => (&root, shared),
                _ => (&manifest, dependency),
            };
            if let Some(at) = self.lacks(dependency) {
                return Err(from.refused(at, name));
            }
        }
        Ok(())
    }

    /// Returns where the URL of a dependency stands, if its commit is not locked.
    fn lacks(&self, dependency: &Item) -> Option<usize> {
        let word = |key: &str| Some(dependency.get(key)?.as_str()?.to_owned());
        let (url, reference) = (canonical(&word("git")?), Reference::of(word));
        let is_locked = self
            .locked
            .iter()
            .any(|locked| canonical(&locked.url) == url && locked.reference == reference);
        let is_patched = self.patched.iter().any(|source| canonical(source) == url);
        let at = dependency.get("git")?.span().map_or(0, |span| span.start);
        (!is_locked && !is_patched).then_some(at)
    }
}

impl Manifest {
    /// Reads the manifest in a folder. One that is broken is none, and is reported by others.
    fn read(project: &Path, dir: &ProjectPath) -> Result<Option<Self>, CargoError> {
        let path = dir.join("Cargo.toml");
        let text = bounded::read_text(&path.on_disk(project))
            .map_err(|source| CargoError::Read { path: path.clone(), source })?;
        Ok(Document::parse(text).ok().map(|document| Self { path, document }))
    }

    fn table(&self, name: &str) -> impl Iterator<Item = (&str, &Item)> {
        let table = self.document.get(name).and_then(Item::as_table_like);
        table.into_iter().flat_map(TableLike::iter)
    }

    /// Makes the error for the dependency `name`, of which the URL stands at this byte.
    fn refused(&self, at: usize, name: &str) -> CargoError {
        let line = self.document.raw()[..at].matches('\n').count() + 1;
        CargoError::NotLocked { manifest: self.path.clone(), line, name: name.to_owned() }
    }
}

fn is_set(dependency: &Item, key: &str) -> bool {
    dependency.get(key).and_then(Item::as_bool) == Some(true)
}

/// Returns the sources for which a manifest or a configuration has patches.
pub(in crate::lang::rust) fn patched_sources(config: &toml::Table) -> Vec<String> {
    let patches = config.get("patch").and_then(Value::as_table).into_iter().flatten();
    patches.map(|(source, _)| source.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "583592f399af0ffc66420bf80c9184730c4379ac";

    fn check(app: &str, expect: Option<&str>) {
        let dir = tempfile::tempdir().unwrap();
        let root = "[workspace]\nmembers = [\"app\"]\n\n[workspace.dependencies]\n\
                    w = { git = \"https://h/w\", tag = \"v2\" }\n";
        std::fs::write(dir.path().join("Cargo.toml"), root).unwrap();
        std::fs::create_dir(dir.path().join("app")).unwrap();
        std::fs::write(dir.path().join("app/Cargo.toml"), app).unwrap();
        let locked = ["https://h/a?rev=12", "https://h/w?tag=v1"];
        let locked = locked
            .map(|source| LockedRepository::parse(&format!("git+{source}#{COMMIT}"), 1).unwrap());
        let pinned = Pinned {
            project: dir.path(),
            workspace: &ProjectPath::root(),
            locked: locked.iter().collect(),
            patched: vec!["https://h/patched".to_owned()],
        };
        let found = pinned.check(&ProjectPath::parse("app").unwrap());
        assert_eq!(found.err().map(|error| error.to_string()).as_deref(), expect, "{app}");
    }

    #[test]
    fn a_dependency_without_a_locked_commit_is_told_with_its_line() {
        let none = "app/Cargo.toml:3: Cargo.lock has no commit for dependency `a`";
        check("[dependencies]\n# A note.\na = { git = \"https://h/a\", rev = \"13\" }", Some(none));
        check("[dependencies.a]\nversion = \"1\"\ngit = \"https://h/a\"", Some(none));
        check("[build-dependencies]\n\na.git = \"https://h/b\"", Some(none));
        let shared = "Cargo.toml:5: Cargo.lock has no commit for dependency `w`";
        check("[dependencies]\nw.workspace = true", Some(shared));
    }

    #[test]
    fn what_need_not_be_locked_is_no_error() {
        check("[dependencies]\na = { git = \"https://h/a.git\", rev = \"12\" }\nb = \"1\"", None);
        check("[dependencies]\na = { git = \"https://h/b\", optional = true }", None);
        check("[dependencies]\na = { git = \"https://h/patched\" }", None);
        check("[dev-dependencies]\na = { git = \"https://h/b\" }", None);
        check("broken", None);
    }
}
