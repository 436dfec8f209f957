//! The Cargo workspace around a component: its packages, and the files of them that an action sees.
//!
//! The units of the component's package and of the packages that it depends on by path get their sources. Of the
//! workspace's other members an action gets the manifests, with empty files for the sources, because Cargo refuses
//! a workspace whose members are absent. So an edit of one member never rebuilds another that does not use it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use globset::Glob;
use toml::{Table, Value};

use super::cargo_config;
use super::error::CargoError;
use super::lock::{LockedPackage, Lockfile};
use super::manifests::{Manifests, inherits, strings};
use super::package::{Package, dependency_folder};
use crate::path::ProjectPath;

/// The packages that Cargo sees together, from the component's point of view.
#[derive(Debug)]
pub(super) struct Workspace {
    /// The folder of the manifest with `[workspace]`, or of the lone package.
    pub(super) root: ProjectPath,
    /// All its packages in the project, by folder.
    pub(super) packages: BTreeMap<ProjectPath, Package>,
    /// The folders that `[patch]` names by `path`, which are other people's crates in the project.
    pub(super) patched: BTreeSet<ProjectPath>,
    /// Every manifest that was read: the root's, those of the packages, and those of other workspaces that
    /// packages inherit something from.
    pub(super) manifests: BTreeSet<ProjectPath>,
}

impl Workspace {
    /// Loads the workspace whose manifest is in the folder `root`, and `package` if that is not a member of
    /// it.
    pub(super) fn load(
        project: &Manifests,
        root: &ProjectPath,
        package: Option<&ProjectPath>,
    ) -> Result<Self, CargoError> {
        let mut workspace = Self {
            packages: BTreeMap::new(),
            patched: BTreeSet::new(),
            manifests: BTreeSet::new(),
            root: root.clone(),
        };
        workspace.read(project, package)?;
        Ok(workspace)
    }

    /// Returns the package in the folder `dir` and all packages of the project that it depends on, by path or
    /// by a `[patch]`.
    pub(super) fn closure(&self, dir: &ProjectPath, lock: &Lockfile) -> BTreeSet<ProjectPath> {
        let (mut found, mut open) = (BTreeSet::new(), vec![dir.clone()]);
        while let Some(dir) = open.pop() {
            let Some(package) = self.packages.get(&dir) else { continue };
            if found.insert(dir) {
                open.extend(package.path_dependencies.iter().cloned());
                open.extend(self.folders_of(&lock.local_dependencies(package)));
            }
        }
        found
    }

    fn folders_of(&self, entries: &[&LockedPackage]) -> Vec<ProjectPath> {
        let meant = |package: &Package| entries.iter().any(|entry| entry.is(package));
        self.packages.values().filter(|p| meant(p)).map(|p| p.dir.clone()).collect()
    }

    /// Returns the path of the workspace's lockfile.
    pub(super) fn lockfile(&self) -> ProjectPath {
        self.root.join("Cargo.lock")
    }

    fn read(
        &mut self,
        project: &Manifests,
        package: Option<&ProjectPath>,
    ) -> Result<(), CargoError> {
        let root_manifest = project.read(&self.root)?;
        self.manifests.insert(self.root.join("Cargo.toml"));
        let mut open = Vec::from_iter(package.cloned());
        if let Some(workspace) = root_manifest.get("workspace").and_then(Value::as_table) {
            open.extend(members(&project.folder, &self.root, workspace)?);
        }
        if root_manifest.contains_key("package") {
            open.push(self.root.clone());
        }
        self.patched = patches(&self.root, &root_manifest)?;
        for (folder, file) in cargo_config::files(&project.folder, &self.root) {
            let config = cargo_config::read(&project.folder, &file);
            self.patched.extend(patches(&folder, &config)?);
        }
        open.extend(self.patched.iter().cloned());
        while let Some(dir) = open.pop() {
            if self.packages.contains_key(&dir) {
                continue;
            }
            let manifest = project.read(&dir)?;
            let mut package = Package::read(&project.folder, &dir, &manifest)?;
            self.manifests.insert(dir.join("Cargo.toml"));
            if let Some(root) = giving_workspace(project, &dir, &manifest)? {
                self.manifests.insert(root.join("Cargo.toml"));
                let shared = shared_dependencies(&root, &*project.read(&root)?)?;
                let inherited = package.inherited_dependencies.iter();
                let inherited = inherited.filter_map(|name| shared.get(name).cloned());
                package.path_dependencies.extend(inherited);
            }
            open.extend(package.path_dependencies.iter().cloned());
            self.packages.insert(dir, package);
        }
        Ok(())
    }
}

/// Returns the folder of the workspace that a package inherits something from: that of the component, or one
/// of its own, such as the workspace of a crate that is patched. A workspace outside of the project is
/// refused.
fn giving_workspace(
    project: &Manifests,
    dir: &ProjectPath,
    manifest: &Table,
) -> Result<Option<ProjectPath>, CargoError> {
    let is_named = manifest.get("package").is_some_and(|p| p.get("workspace").is_some());
    if !is_named && !inherits(manifest) {
        return Ok(None);
    }
    let root = project.workspace_root(dir)?;
    if project.read(&root)?.contains_key("workspace") {
        return Ok(Some(root));
    }
    project.refuse_workspace_above(dir)?;
    Err(CargoError::NoWorkspace { manifest: dir.join("Cargo.toml") })
}

/// Returns the folders of `[workspace] members`, with globs expanded.
fn members(
    project: &Path,
    root: &ProjectPath,
    workspace: &Table,
) -> Result<Vec<ProjectPath>, CargoError> {
    let mut found = Vec::new();
    for pattern in strings(workspace, "members") {
        let folder = dependency_folder(root, "members", pattern)?;
        if pattern.contains(['*', '?', '[']) {
            expand(project, &folder, &mut found)?;
        } else {
            found.push(folder);
        }
    }
    let excluded: Vec<ProjectPath> = strings(workspace, "exclude").map(|p| root.join(p)).collect();
    found.retain(|dir| !excluded.iter().any(|excluded| dir.is_in(excluded)));
    Ok(found)
}

/// Returns the folders with a manifest that match `pattern`, one path part at a time.
fn expand(
    project: &Path,
    pattern: &ProjectPath,
    found: &mut Vec<ProjectPath>,
) -> Result<(), CargoError> {
    let mut level = vec![ProjectPath::root()];
    for part in pattern.parts() {
        let glob = Glob::new(part)
            .map_err(|source| CargoError::BadGlob { pattern: pattern.clone(), source })?
            .compile_matcher();
        let mut next = Vec::new();
        for dir in &level {
            let mut names: Vec<String> = std::fs::read_dir(dir.on_disk(project))
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| glob.is_match(name))
                .collect();
            names.sort();
            next.extend(names.iter().map(|name| dir.join(name)));
        }
        level = next;
    }
    found.extend(level.into_iter().filter(|d| d.join("Cargo.toml").on_disk(project).is_file()));
    Ok(())
}

/// Returns the folders that `[workspace.dependencies]` names by `path`.
fn shared_dependencies(
    root: &ProjectPath,
    manifest: &Table,
) -> Result<BTreeMap<String, ProjectPath>, CargoError> {
    let workspace = manifest.get("workspace");
    let table = workspace.and_then(|w| w.get("dependencies")).and_then(Value::as_table);
    let by_path = table
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name, value.get("path")?.as_str()?)));
    by_path.map(|(name, path)| Ok((name.clone(), dependency_folder(root, name, path)?))).collect()
}

/// Returns the folders of `[patch]` entries that are paths.
fn patches(root: &ProjectPath, manifest: &Table) -> Result<BTreeSet<ProjectPath>, CargoError> {
    let sources = manifest.get("patch").and_then(Value::as_table).into_iter().flatten();
    sources
        .filter_map(|(_, patched)| patched.as_table())
        .flatten()
        .filter_map(|(name, value)| Some((name, value.get("path")?.as_str()?)))
        .map(|(name, path)| dependency_folder(root, name, path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn find(project: &Path, source: &str) -> Result<(Workspace, ProjectPath), CargoError> {
        let manifests = Manifests::of(project);
        let (package, root) = manifests.find(&ProjectPath::parse(source).unwrap())?;
        Ok((Workspace::load(&manifests, &root, Some(&package))?, package))
    }

    fn discover(dir: &tempfile::TempDir, source: &str) -> (Workspace, ProjectPath) {
        find(dir.path(), source).unwrap()
    }

    fn names(paths: &BTreeSet<ProjectPath>) -> Vec<&str> {
        paths.iter().map(ProjectPath::as_str).collect()
    }

    #[test]
    fn finds_members_by_glob_and_follows_path_dependencies() {
        let dir = project(&[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"services/*\"]\n\
                 [workspace.dependencies]\nshared = { path = \"libs/shared\" }\n",
            ),
            (
                "services/api/Cargo.toml",
                "[package]\nname = \"api\"\n[dependencies]\nshared.workspace = true\n",
            ),
            ("services/api/src/lib.rs", ""),
            ("services/auth/Cargo.toml", "[package]\nname = \"auth\"\n"),
            ("services/auth/src/main.rs", ""),
            ("services/notes.txt", "not a package"),
            (
                "libs/shared/Cargo.toml",
                "[package]\nname = \"shared\"\n[dependencies]\ndeep = { path = \"../deep\" }\n",
            ),
            ("libs/shared/src/lib.rs", ""),
            ("libs/deep/Cargo.toml", "[package]\nname = \"deep\"\n"),
            ("libs/deep/src/lib.rs", ""),
        ]);
        let (workspace, package) = discover(&dir, "services/api/src/lib.rs");
        assert_eq!(workspace.root.as_str(), "");
        assert_eq!(package.as_str(), "services/api");
        assert_eq!(
            names(&workspace.closure(&package, &Lockfile::default())),
            ["libs/deep", "libs/shared", "services/api"]
        );
        let all: Vec<&str> = workspace.packages.keys().map(ProjectPath::as_str).collect();
        assert_eq!(all, ["libs/deep", "libs/shared", "services/api", "services/auth"]);
        let auth = &workspace.packages[&ProjectPath::parse("services/auth").unwrap()];
        let stubs = auth.stubs();
        assert_eq!(stubs, [ProjectPath::parse("services/auth/src/main.rs").unwrap()]);
    }

    #[test]
    fn a_lone_package_is_its_own_workspace() {
        let dir = project(&[
            ("api/Cargo.toml", "[package]\nname = \"my-api\"\n[lib]\npath = \"lib.rs\"\n"),
            ("api/lib.rs", ""),
        ]);
        let (workspace, package) = discover(&dir, "api/lib.rs");
        assert_eq!(workspace.root, package);
        let library = workspace.packages[&package].library.clone().unwrap();
        assert_eq!((library.name.as_str(), library.root.as_str()), ("my_api", "api/lib.rs"));
    }

    #[test]
    fn a_package_may_take_something_from_another_workspace_of_the_project() {
        let check = |lib: &str, expect: Result<&[&str], &str>| {
            let lib = format!("[package]\nname = \"lib\"\n{lib}");
            let app = "[workspace]\nexclude = [\"lib\"]\n[package]\nname = \"app\"\n\
                       [dependencies]\nlib = { path = \"lib\" }";
            let files = [
                ("app/Cargo.toml", app),
                ("app/src/main.rs", ""),
                ("app/lib/Cargo.toml", lib.as_str()),
                ("app/lib/src/lib.rs", ""),
                ("other/Cargo.toml", "[package]\nname = \"other\""),
                ("other/src/lib.rs", ""),
                (
                    "Cargo.toml",
                    "[workspace]\nexclude = [\"app/src\"]\n\
                     [workspace.dependencies]\nother = { path = \"other\" }",
                ),
            ];
            let dir = project(&files);
            let found = find(dir.path(), "app/src/main.rs").map(|(workspace, _)| {
                let manifests = workspace.manifests.iter().map(ProjectPath::to_string);
                manifests.collect::<Vec<_>>()
            });
            let found = found.map_err(|error| error.to_string());
            let expect = expect.map(|all| all.iter().map(ToString::to_string).collect());
            assert_eq!(found, expect.map_err(str::to_owned), "{lib}");
        };
        let own = ["app/Cargo.toml", "app/lib/Cargo.toml"];
        let above = ["Cargo.toml", "app/Cargo.toml", "app/lib/Cargo.toml"];
        check("version = \"1.0.0\"", Ok(&own));
        check("version = \"1.0.0\"\n[workspace]", Ok(&own));
        check("version.workspace = true\n[workspace.package]\nversion = \"1.0.0\"", Ok(&own));
        check("version.workspace = true", Ok(&above));
        check("[lints]\nworkspace = true", Ok(&above));
        let all = ["Cargo.toml", "app/Cargo.toml", "app/lib/Cargo.toml", "other/Cargo.toml"];
        check("[dependencies]\nother = { workspace = true }", Ok(&all));
        check(
            "workspace = \"../../../../other\"",
            Err(
                "app/lib/Cargo.toml belongs to the Cargo workspace of `../../../../other/Cargo.toml`, \
                 above the folder of run.toml",
            ),
        );
        check(
            "workspace = \"../../other\"\nversion.workspace = true",
            Err(
                "app/lib/Cargo.toml takes something from a Cargo workspace, and there is none in the project",
            ),
        );
    }

    #[test]
    fn a_dependency_outside_the_project_is_refused() {
        let dir = project(&[
            ("Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\nb = { path = \"../b\" }\n"),
            ("src/lib.rs", ""),
        ]);
        let error = find(dir.path(), "src/lib.rs").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Cargo.toml: dependency `b` is at `../b`, outside the project"
        );
    }
}
