//! A Cargo package of the project: the targets and path dependencies in its `Cargo.toml`.
//!
//! Only what decides which files an action has to see is read here. Cargo itself, inside the action, judges
//! everything else. Paths are relative to the project, with `/`.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

use super::error::CargoError;
use super::metadata;
use crate::path::{self, ProjectPath};

/// A package of the project, as its manifest describes it.
#[derive(Debug, Clone)]
pub(super) struct Package {
    /// `[package] name`.
    pub(super) name: String,
    /// `[package] version`; `None` if it is the workspace's.
    pub(super) version: Option<String>,
    /// The folder that holds its `Cargo.toml`.
    pub(super) dir: ProjectPath,
    /// The name and root file of the library, if it has one.
    pub(super) library: Option<Target>,
    /// The crate type of the library.
    pub(super) crate_type: CrateType,
    /// Its binaries.
    pub(super) binaries: Vec<Target>,
    /// The build script's file.
    pub(super) build_script: Option<ProjectPath>,
    /// The root files of the tests, benchmarks and examples that the manifest names. Cargo refuses a manifest
    /// whose named targets are absent, though no build of a component needs them.
    pub(super) unbuilt_targets: Vec<ProjectPath>,
    /// The folders of the packages that it depends on by `path`.
    pub(super) path_dependencies: BTreeSet<ProjectPath>,
    /// True if it is built by cargo-component.
    pub(super) for_cargo_component: bool,
    /// The names of the dependencies that it takes from `[workspace.dependencies]`.
    pub(super) inherited_dependencies: BTreeSet<String>,
}

/// A library or binary of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The target's name, as Cargo calls it.
    pub(super) name: String,
    /// Its root file.
    pub(super) root: ProjectPath,
}

/// The crate type of a library in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lang) enum CrateType {
    /// `cdylib`, perhaps among others, which gives a file that can become a component.
    Cdylib,
    /// Other types only.
    Other,
    /// None: there is a section `[lib]` without `crate-type`.
    Unset,
    /// None: there is no section `[lib]`.
    NoSection,
}

/// The tables that list dependencies.
const DEPENDENCY_TABLES: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

impl Package {
    /// Reads the package in `dir`, whose manifest is already parsed.
    pub(super) fn read(
        project: &Path,
        dir: &ProjectPath,
        manifest: &Table,
    ) -> Result<Self, CargoError> {
        let name = manifest
            .get("package")
            .and_then(|p| p.get("name"))
            .and_then(Value::as_str)
            .ok_or_else(|| CargoError::NoPackageName { manifest: dir.join("Cargo.toml") })?;
        let exists = |path: &ProjectPath| path.on_disk(project).is_file();
        Ok(Self {
            name: name.to_owned(),
            version: version(manifest),
            library: library(name, dir, manifest, &exists),
            crate_type: crate_type(manifest),
            binaries: binaries(project, name, dir, manifest, &exists),
            build_script: build_script(dir, manifest, &exists),
            unbuilt_targets: unbuilt_targets(dir, manifest),
            path_dependencies: path_dependencies(dir, manifest)?,
            for_cargo_component: metadata::section(manifest).is_some(),
            inherited_dependencies: inherited_dependencies(manifest),
            dir: dir.clone(),
        })
    }

    /// Returns the root files of everything that Cargo may compile for a component.
    pub(super) fn roots(&self) -> impl Iterator<Item = &ProjectPath> {
        let targets = self.library.iter().chain(&self.binaries).map(|target| &target.root);
        targets.chain(&self.build_script)
    }

    /// Returns the targets that a component may name as its `source`, for a message.
    pub(super) fn targets_text(&self) -> String {
        let targets = self.library.iter().chain(&self.binaries);
        targets.map(|target| format!("`{}`", target.root)).collect::<Vec<_>>().join(", ")
    }

    /// Returns the root files without which Cargo refuses the package. They may be empty if nothing is compiled.
    pub(super) fn stubs(&self) -> Vec<ProjectPath> {
        self.roots().chain(&self.unbuilt_targets).cloned().collect()
    }
}

/// Returns the version in a manifest, or the one that Cargo assumes without it.
fn version(manifest: &Table) -> Option<String> {
    match manifest.get("package")?.get("version") {
        Some(Value::String(version)) => Some(version.clone()),
        Some(_) => None,
        None => Some("0.0.0".to_owned()),
    }
}

fn library(
    package: &str,
    dir: &ProjectPath,
    manifest: &Table,
    exists: &dyn Fn(&ProjectPath) -> bool,
) -> Option<Target> {
    let declared = manifest.get("lib");
    let text = |key| declared.and_then(|lib| lib.get(key)).and_then(Value::as_str);
    let root = dir.join(text("path").unwrap_or("src/lib.rs"));
    (declared.is_some() || exists(&root)).then(|| Target {
        name: text("name").map_or_else(|| package.replace('-', "_"), str::to_owned),
        root,
    })
}

fn crate_type(manifest: &Table) -> CrateType {
    let Some(library) = manifest.get("lib").and_then(Value::as_table) else {
        return CrateType::NoSection;
    };
    let named = ["crate-type", "crate_type"].into_iter().find_map(|key| library.get(key));
    let mut types = named.and_then(Value::as_array).into_iter().flatten();
    match named {
        None => CrateType::Unset,
        Some(_) if types.any(|kind| kind.as_str() == Some("cdylib")) => CrateType::Cdylib,
        Some(_) => CrateType::Other,
    }
}

fn binaries(
    project: &Path,
    package: &str,
    dir: &ProjectPath,
    manifest: &Table,
    exists: &dyn Fn(&ProjectPath) -> bool,
) -> Vec<Target> {
    let mut found: Vec<Target> = declared_targets(manifest, "bin")
        .map(|(name, path)| {
            let root = path.map_or_else(
                || default_binary_root(package, name, dir, exists),
                |path| dir.join(path),
            );
            Target { name: name.to_owned(), root }
        })
        .collect();
    if manifest.get("package").and_then(|p| p.get("autobins")).and_then(Value::as_bool)
        == Some(false)
    {
        return found;
    }
    let main = dir.join("src/main.rs");
    let mut automatic = exists(&main)
        .then(|| Target { name: package.to_owned(), root: main })
        .into_iter()
        .collect();
    programs_in(project, &dir.join("src/bin"), &mut automatic);
    for target in automatic {
        if found.iter().all(|known| known.name != target.name && known.root != target.root) {
            found.push(target);
        }
    }
    found
}

fn default_binary_root(
    package: &str,
    name: &str,
    dir: &ProjectPath,
    exists: &dyn Fn(&ProjectPath) -> bool,
) -> ProjectPath {
    let in_bin = [format!("src/bin/{name}.rs"), format!("src/bin/{name}/main.rs")];
    let found = in_bin.iter().map(|path| dir.join(path)).find(|path| exists(path));
    match found {
        Some(root) => root,
        None if name == package => dir.join("src/main.rs"),
        None => dir.join(&in_bin[0]),
    }
}

/// Adds the binaries that Cargo discovers below `src/bin`.
fn programs_in(project: &Path, folder: &ProjectPath, found: &mut Vec<Target>) {
    let Ok(entries) = std::fs::read_dir(folder.on_disk(project)) else { return };
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    for name in names {
        if let Some(stem) = name.strip_suffix(".rs") {
            found.push(Target { name: stem.to_owned(), root: folder.join(&name) });
        } else if folder.join(&name).join("main.rs").on_disk(project).is_file() {
            found.push(Target { root: folder.join(&name).join("main.rs"), name });
        }
    }
}

fn build_script(
    dir: &ProjectPath,
    manifest: &Table,
    exists: &dyn Fn(&ProjectPath) -> bool,
) -> Option<ProjectPath> {
    match manifest.get("package").and_then(|p| p.get("build")) {
        Some(Value::String(path)) => Some(dir.join(path)),
        Some(Value::Boolean(false)) => None,
        _ => Some(dir.join("build.rs")).filter(exists),
    }
}

fn unbuilt_targets(dir: &ProjectPath, manifest: &Table) -> Vec<ProjectPath> {
    [("test", "tests"), ("bench", "benches"), ("example", "examples")]
        .into_iter()
        .flat_map(|(table, folder)| {
            declared_targets(manifest, table).map(move |(name, path)| match path {
                Some(path) => dir.join(path),
                None => dir.join(&format!("{folder}/{name}.rs")),
            })
        })
        .collect()
}

/// Returns the name and path of each `[[table]]` of targets.
fn declared_targets<'a>(
    manifest: &'a Table,
    table: &str,
) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
    let entries = manifest.get(table).and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| {
        let name = entry.get("name").and_then(Value::as_str)?;
        Some((name, entry.get("path").and_then(Value::as_str)))
    })
}

/// Returns every table of dependencies of a manifest, including those for single targets.
fn dependency_tables(manifest: &Table) -> impl Iterator<Item = &Table> {
    let per_target = manifest
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(|targets| targets.values().filter_map(Value::as_table));
    std::iter::once(manifest)
        .chain(per_target)
        .flat_map(|scope| DEPENDENCY_TABLES.iter().filter_map(|name| scope.get(*name)?.as_table()))
}

fn path_dependencies(
    dir: &ProjectPath,
    manifest: &Table,
) -> Result<BTreeSet<ProjectPath>, CargoError> {
    dependency_tables(manifest)
        .flat_map(|table| table.iter())
        .filter_map(|(name, value)| Some((name, value.get("path")?.as_str()?)))
        .map(|(name, path)| dependency_folder(dir, name, path))
        .collect()
}

/// Returns the folder of a dependency that the manifest in `dir` names by `path`.
pub(super) fn dependency_folder(
    dir: &ProjectPath,
    name: &str,
    path: &str,
) -> Result<ProjectPath, CargoError> {
    dir.resolve(path).map_err(|source| CargoError::DependencyOutside {
        manifest: dir.join("Cargo.toml"),
        dependency: name.to_owned(),
        path: path.to_owned(),
        source,
    })
}

fn inherited_dependencies(manifest: &Table) -> BTreeSet<String> {
    dependency_tables(manifest)
        .flat_map(|table| table.iter())
        .filter(|(_, value)| value.get("workspace").and_then(Value::as_bool) == Some(true))
        .map(|(name, _)| name.clone())
        .collect()
}

/// Returns the folders of a package that hold its sources, which are those of its root files. If only a build
/// script is in the package's own folder, that folder is left out and the script stands alone.
pub(super) fn source_folders(package: &Package) -> BTreeSet<ProjectPath> {
    let is_lone = |root: &ProjectPath| {
        Some(root) == package.build_script.as_ref() && root.parent() == package.dir
    };
    let roots = package.roots().filter(|root| !is_lone(root));
    let folders: BTreeSet<ProjectPath> = roots.map(ProjectPath::parent).collect();
    path::outermost(folders)
}
