//! Finds the locked packages in the files of a commit.
//!
//! Cargo.lock names a package by name and version alone. Cargo looks for it in every folder of the repository that is
//! not hidden and not called `target`, and follows dependencies by `path` anywhere. So a package that lies nowhere
//! else is also looked for in hidden folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use cache::{Entry, Tree};
use toml::{Table, Value};

use crate::lang::rust::manifests::{Manifests, inherits};
use crate::path::ProjectPath;

/// A package of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its folder in the commit.
    pub(super) folder: ProjectPath,
    /// The folder of the workspace that it takes something from. `None` if it takes nothing, or is the root itself.
    pub(super) workspace: Option<ProjectPath>,
}

/// An error for which a locked package is not found.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotFound {
    #[error(
        "the commit has no package `{name}` {version}; have Cargo.lock made anew by `cargo update -p {name}`"
    )]
    Absent { name: String, version: String },
    #[error(
        "the commit has package `{name}` {version} twice, in `{first}` and `{second}`, so it is not clear which one is meant; \
         use a commit in which only one has this name"
    )]
    Twice { name: String, version: String, first: ProjectPath, second: ProjectPath },
    #[error("`{folder}` takes something from a Cargo workspace that is not in the repository")]
    NoWorkspace { folder: ProjectPath },
}

/// Returns the packages with these names and versions. The files are on disk in the folder `root`.
pub(super) fn find(
    tree: &Tree,
    root: &Path,
    wanted: &BTreeSet<(String, String)>,
) -> Result<BTreeMap<(String, String), Found>, NotFound> {
    let manifests = Manifests::of(root);
    let mut found: BTreeMap<(String, String), Vec<ProjectPath>> = BTreeMap::new();
    for folder in folders(tree) {
        // A manifest that is broken is that of an example or a test.
        let Ok(manifest) = manifests.read(&folder) else { continue };
        if let Some(package) = identity(&manifests, &folder, &manifest)
            && wanted.contains(&package)
        {
            found.entry(package).or_default().push(folder);
        }
    }
    let one = |package: &(String, String)| {
        let folder = only(package, found.remove(package).unwrap_or_default())?;
        let workspace = workspace(&manifests, &folder)?;
        Ok((package.clone(), Found { folder, workspace }))
    };
    wanted.iter().map(one).collect()
}

/// Returns the only folder, or the only one that Cargo looks into first.
fn only(
    (name, version): &(String, String),
    folders: Vec<ProjectPath>,
) -> Result<ProjectPath, NotFound> {
    let is_seen = |folder: &ProjectPath| {
        !folder.parts().any(|part| part.starts_with('.') || part == "target")
    };
    let (seen, hidden): (Vec<_>, Vec<_>) = folders.into_iter().partition(is_seen);
    let mut folders = if seen.is_empty() { hidden } else { seen }.into_iter();
    let (name, version) = (name.clone(), version.clone());
    match (folders.next(), folders.next()) {
        (Some(folder), None) => Ok(folder),
        (None, _) => Err(NotFound::Absent { name, version }),
        (Some(first), Some(second)) => Err(NotFound::Twice { name, version, first, second }),
    }
}

/// Returns the folders that have a manifest.
fn folders(tree: &Tree) -> Vec<ProjectPath> {
    let (mut found, mut open) = (Vec::new(), vec![(ProjectPath::root(), tree)]);
    while let Some((folder, tree)) = open.pop() {
        for (name, entry) in &tree.entries {
            match entry {
                Entry::Directory(inner) => open.push((folder.join(name), inner)),
                Entry::File { .. } if name == "Cargo.toml" => found.push(folder.clone()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Returns the name and version of the package in a folder, if there is one.
fn identity(
    manifests: &Manifests,
    folder: &ProjectPath,
    manifest: &Table,
) -> Option<(String, String)> {
    let package = manifest.get("package")?;
    let name = package.get("name")?.as_str()?.to_owned();
    let version = match package.get("version") {
        Some(Value::String(version)) => version.clone(),
        Some(_) => {
            let root = manifests.workspace_root(folder).ok()?;
            let shared: Rc<Table> = manifests.read(&root).ok()?;
            shared.get("workspace")?.get("package")?.get("version")?.as_str()?.to_owned()
        }
        None => "0.0.0".to_owned(),
    };
    Some((name, version))
}

fn workspace(manifests: &Manifests, folder: &ProjectPath) -> Result<Option<ProjectPath>, NotFound> {
    let none = || NotFound::NoWorkspace { folder: folder.clone() };
    let manifest = manifests.read(folder).map_err(|_| none())?;
    if !inherits(&manifest) {
        return Ok(None);
    }
    let root = manifests.workspace_root(folder).map_err(|_| none())?;
    let is_root = manifests.read(&root).is_ok_and(|root| root.contains_key("workspace"));
    match is_root {
        true if root == *folder => Ok(None),
        true => Ok(Some(root)),
        false => Err(none()),
    }
}

#[cfg(test)]
mod tests {
    use cache::{ContentStore, DigestFunction};

    use super::*;

    /// Looks for packages in the files of a commit. Each is found as its folder, and that of its workspace.
    fn check(files: &[(&str, &str)], wanted: &[(&str, &str)], expect: Result<&[&str], &str>) {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::open(dir.path(), DigestFunction::Blake3).unwrap();
        let mut tree = Tree::default();
        for (path, text) in files {
            let digest = store.put(text.as_bytes()).unwrap();
            tree.insert(path, Entry::File { digest, executable: false }).unwrap();
        }
        let root = store.materialise(&store.put_tree(&tree).unwrap()).unwrap();
        let own = |(name, version): &(&str, &str)| ((*name).to_owned(), (*version).to_owned());
        let found = find(&tree, &root, &wanted.iter().map(own).collect());
        let shown = |found: &Found| match &found.workspace {
            Some(root) => format!("{} in {root}", found.folder),
            None => found.folder.to_string(),
        };
        let found = found.map(|all| all.values().map(shown).collect::<Vec<_>>());
        let expect = expect.map(|all| all.iter().map(ToString::to_string).collect());
        match (found.map_err(|error| error.to_string()), expect) {
            (Err(found), Err(expect)) => assert!(found.contains(expect), "{found}"),
            (found, expect) => assert_eq!(found, expect.map_err(str::to_owned)),
        }
    }

    const A: &str = "[package]\nname = \"a\"\nversion = \"1.0.0\"";
    const SHARED: &str = "[package]\nname = \"a\"\nversion.workspace = true";
    const ROOT: &str = "[workspace]\nmembers = [\"*\"]\n[workspace.package]\nversion = \"1.0.0\"";

    #[test]
    fn a_package_is_found_by_name_and_version() {
        let a = [("a", "1.0.0")];
        check(&[("Cargo.toml", A)], &a, Ok(&["."]));
        let other = A.replace("1.0.0", "2.0.0");
        let both = [("deep/er/Cargo.toml", A), ("old/Cargo.toml", other.as_str())];
        check(&both, &a, Ok(&["deep/er"]));
        check(&both, &[("a", "1.0.0"), ("a", "2.0.0")], Ok(&["deep/er", "old"]));
        check(&[("Cargo.toml", ROOT), ("a/Cargo.toml", SHARED)], &a, Ok(&["a in ."]));
        let root = format!("{SHARED}\n{ROOT}");
        check(&[("Cargo.toml", &root)], &a, Ok(&["."]));
        let named = SHARED.replace("[package]", "[package]\nworkspace = \"../w\"");
        check(&[("w/Cargo.toml", ROOT), ("a/Cargo.toml", &named)], &a, Ok(&["a in w"]));
        check(&[("a/Cargo.toml", "[package]\nname = \"a\"")], &[("a", "0.0.0")], Ok(&["a"]));
        check(&[("x/Cargo.toml", "broken"), ("a/Cargo.toml", A)], &a, Ok(&["a"]));
    }

    #[test]
    fn hidden_folders_count_if_the_package_is_nowhere_else() {
        let a = [("a", "1.0.0")];
        check(&[(".x/Cargo.toml", A)], &a, Ok(&[".x"]));
        check(&[(".x/Cargo.toml", A), ("a/Cargo.toml", A)], &a, Ok(&["a"]));
        check(&[("target/a/Cargo.toml", A), ("a/Cargo.toml", A)], &a, Ok(&["a"]));
    }

    #[test]
    fn what_is_not_clear_is_an_error() {
        let a = [("a", "1.0.0")];
        check(&[("a/Cargo.toml", SHARED)], &a, Err("has no package `a` 1.0.0"));
        check(&[("b/Cargo.toml", A), ("c/Cargo.toml", A)], &a, Err("in `b` and `c`"));
        let inherits = format!("{A}\nedition.workspace = true");
        check(&[("a/Cargo.toml", &inherits)], &a, Err("`a` takes something from"));
    }
}
