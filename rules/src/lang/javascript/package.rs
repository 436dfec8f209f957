//! Finds the npm package around a source file, and lists the files that belong to it.
//!
//! The package is the folder of the nearest package.json, beside the source or above it. If there is none, it
//! is the folder of the nearest tsconfig.json, because paths in that file start there. If that is missing,
//! too, it is the source's own folder. A folder below the package that has a package.json of its own is
//! another package. Actions see such a package only if this one depends on it, which [`super::lock`] finds
//! out.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::NpmError;
use super::lock::Needs;
use crate::bounded;
use crate::path::ProjectPath;
use crate::planner::source_tree::{SourceTree, Without};
use crate::planner::{PlanError, Planner, Request};

pub(super) const MANIFEST: &str = "package.json";
pub(super) const LOCKFILE: &str = "package-lock.json";
pub(super) const TSCONFIG: &str = "tsconfig.json";

/// The endings of modules, and of the data files that modules import without a loader.
const EXTENSIONS: [&str; 9] =
    [".cjs", ".cts", ".js", ".json", ".jsx", ".mjs", ".mts", ".ts", ".tsx"];

/// A package of the project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Package {
    /// The package's folder.
    pub(super) folder: ProjectPath,
    /// True if the folder has a package.json.
    pub(super) has_manifest: bool,
}

/// The files of a package.
#[derive(Clone, Debug)]
pub(super) struct PackageSources {
    /// All files, at their paths in the project.
    pub(super) tree: SourceTree,
    /// The `.d.ts` files, which declare types for all modules.
    pub(super) declarations: Vec<ProjectPath>,
    /// The nearest tsconfig.json at or above the component's source.
    pub(super) tsconfig: Option<ProjectPath>,
}

impl Package {
    /// Finds the package that `source` belongs to.
    pub(super) fn discover(project: &Path, source: &ProjectPath) -> Self {
        let nearest = |name: &str| {
            source.ancestors().find(|folder| folder.join(name).on_disk(project).is_file())
        };
        match nearest(MANIFEST) {
            Some(folder) => Self { folder, has_manifest: true },
            None => Self {
                folder: nearest(TSCONFIG).unwrap_or_else(|| source.parent()),
                has_manifest: false,
            },
        }
    }

    pub(super) fn manifest(&self) -> ProjectPath {
        self.folder.join(MANIFEST)
    }

    /// Lists the package's files, those of the packages of the project that it needs, and the TypeScript
    /// configurations above it.
    pub(super) fn sources(
        &self,
        planner: &Planner<'_>,
        request: &Request<'_>,
        needs: &Needs,
    ) -> Result<PackageSources, PlanError> {
        let project = planner.project().to_owned();
        let mut tree = SourceTree::default();
        let without = Without { folders: planner.outputs(), marker: Some(MANIFEST) };
        for package in std::iter::once(self).chain(&needs.linked) {
            tree.folder(&project, &package.folder, &without, &is_module)?;
        }
        for (folder, links) in needs.link_folders(planner)? {
            tree.subtree(folder, links);
        }
        tree.file(request.source.clone());
        request.add_inputs(&mut tree);
        for folder in self.folder.ancestors() {
            for path in configurations(&project, &folder)? {
                tree.file(path);
            }
        }
        let own = |path: &&ProjectPath| {
            let linked = |package: &Self| !package.folder.is_root() && path.is_in(&package.folder);
            path.as_str().ends_with(".d.ts") && !needs.linked.iter().any(linked)
        };
        let declarations = tree.files().filter(own).cloned().collect();
        let mut candidates = request.source.ancestors().map(|folder| folder.join(TSCONFIG));
        let tsconfig = candidates.find(|path| tree.files().any(|file| file == path));
        Ok(PackageSources { tree, declarations, tsconfig })
    }
}

fn is_module(path: &ProjectPath) -> bool {
    let name = path.file_name();
    name != LOCKFILE && EXTENSIONS.iter().any(|extension| name.ends_with(extension))
}

/// Returns the configurations in `folder` that a tsconfig.json below it may extend.
fn configurations(project: &Path, folder: &ProjectPath) -> Result<Vec<ProjectPath>, NpmError> {
    let failed = |source| NpmError::Read { path: folder.clone(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.on_disk(project)).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with("tsconfig") && name.ends_with(".json") {
            found.push(folder.join(name));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a JSON file of the project. `None` if there is no such file.
pub(super) fn read<T: DeserializeOwned>(
    project: &Path,
    path: &ProjectPath,
) -> Result<Option<T>, NpmError> {
    let Some(text) = read_text(project, path)? else { return Ok(None) };
    let parsed = serde_json::from_str(&text);
    parsed.map(Some).map_err(|source| NpmError::Parse { path: path.clone(), source })
}

/// Reads a text file of the project. `None` if there is no such file.
pub(super) fn read_text(project: &Path, path: &ProjectPath) -> Result<Option<String>, NpmError> {
    bounded::read_text_if_there(&path.on_disk(project))
        .map_err(|source| NpmError::Read { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_the_folder_of_the_nearest_manifest() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["a/src", "b", "c/src"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for file in ["a/package.json", "a/src/tsconfig.json", "c/tsconfig.json"] {
            std::fs::write(dir.path().join(file), "{}").unwrap();
        }
        let check = |source: &str, folder: &str, has_manifest: bool| {
            let package = Package::discover(dir.path(), &ProjectPath::parse(source).unwrap());
            let folder = ProjectPath::parse(folder).unwrap();
            assert_eq!(package, Package { folder, has_manifest }, "{source}");
        };
        check("a/app.js", "a", true);
        check("a/src/app.js", "a", true);
        check("b/app.js", "b", false);
        check("c/src/app.ts", "c", false);
    }

    #[test]
    fn modules_are_told_by_their_extension() {
        let check = |path: &str, expect: bool| {
            assert_eq!(is_module(&ProjectPath::parse(path).unwrap()), expect, "{path}");
        };
        check("src/app.ts", true);
        check("src/types.d.ts", true);
        check("data.json", true);
        check("package-lock.json", false);
        check("README.md", false);
        check("app.js.map", false);
    }
}
