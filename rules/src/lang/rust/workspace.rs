//! The Cargo workspace around a component: which packages it has and which files an action sees.
//!
//! An action gets the sources of the component's package and of the packages it depends on by path;
//! of the workspace's other members it gets the manifests with empty stand-ins for their sources,
//! as Cargo refuses a workspace whose members are absent. So an edit of one member never rebuilds
//! another that does not use it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use globset::Glob;
use toml::{Table, Value};

use super::package::{Package, dependency_folder};
use super::{CargoError, metadata};
use crate::bounded;
use crate::path::ProjectPath;
use crate::toolchain::{CARGO_COMPONENT, RUST};

/// The packages that Cargo sees together, from the component's point of view.
#[derive(Debug)]
pub(super) struct Workspace {
    /// The folder of the manifest with `[workspace]`, or of the lone package.
    pub(super) root: ProjectPath,
    /// All its local packages, by folder.
    pub(super) packages: BTreeMap<ProjectPath, Package>,
    /// Folders named by `path` in `[workspace.dependencies]`.
    shared_dependencies: BTreeMap<String, ProjectPath>,
    /// Every manifest that was read, the root's included.
    pub(super) manifests: BTreeSet<ProjectPath>,
}

impl Workspace {
    /// The workspace whose manifest is in the folder `root`, and `package` if that is no member of it.
    pub(super) fn load(
        project: &Manifests,
        root: &ProjectPath,
        package: Option<&ProjectPath>,
    ) -> Result<Self, CargoError> {
        let mut workspace = Self {
            packages: BTreeMap::new(),
            shared_dependencies: BTreeMap::new(),
            manifests: BTreeSet::new(),
            root: root.clone(),
        };
        workspace.read(project, package)?;
        Ok(workspace)
    }

    /// The package in the folder `dir` and all that it depends on by path.
    pub(super) fn closure(&self, dir: &ProjectPath) -> BTreeSet<ProjectPath> {
        let mut found = BTreeSet::new();
        let mut open = vec![dir.clone()];
        while let Some(dir) = open.pop() {
            let Some(package) = self.packages.get(&dir) else { continue };
            if found.insert(dir) {
                open.extend(self.local_dependencies(package));
            }
        }
        found
    }

    /// The workspace's lockfile.
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
            self.shared_dependencies = shared_dependencies(&self.root, workspace)?;
        }
        if root_manifest.contains_key("package") {
            open.push(self.root.clone());
        }
        open.extend(patches(&self.root, &root_manifest)?);
        while let Some(dir) = open.pop() {
            if self.packages.contains_key(&dir) {
                continue;
            }
            let manifest = project.read(&dir)?;
            self.check_workspace_of(project, &dir, &manifest)?;
            let package = Package::read(&project.folder, &dir, &manifest)?;
            self.manifests.insert(dir.join("Cargo.toml"));
            open.extend(self.local_dependencies(&package));
            self.packages.insert(dir, package);
        }
        Ok(())
    }

    /// Refuses a package that takes something from a workspace which is not there for an action: cargo would
    /// look for one in all folders above, also outside of the project.
    fn check_workspace_of(
        &self,
        project: &Manifests,
        dir: &ProjectPath,
        manifest: &Table,
    ) -> Result<(), CargoError> {
        let is_named = manifest.get("package").is_some_and(|p| p.get("workspace").is_some());
        if !is_named && !inherits(manifest) {
            return Ok(());
        }
        let root = project.workspace_root(dir)?;
        let is_its_own = root == *dir && manifest.contains_key("workspace");
        match root == self.root || is_its_own {
            true => Ok(()),
            false => Err(CargoError::OtherWorkspace {
                manifest: dir.join("Cargo.toml"),
                component: self.root.join("Cargo.toml"),
            }),
        }
    }

    fn local_dependencies(&self, package: &Package) -> Vec<ProjectPath> {
        let inherited = package.inherited_dependencies.iter();
        let inherited = inherited.filter_map(|name| self.shared_dependencies.get(name));
        package.path_dependencies.iter().chain(inherited).cloned().collect()
    }
}

/// The manifests of a project, each read once.
#[derive(Debug)]
pub(super) struct Manifests {
    folder: PathBuf,
    read: RefCell<BTreeMap<ProjectPath, Rc<Table>>>,
}

impl Manifests {
    pub(super) fn of(project: &Path) -> Self {
        Self { folder: project.to_owned(), read: RefCell::default() }
    }

    /// The manifest in a folder.
    pub(super) fn read(&self, dir: &ProjectPath) -> Result<Rc<Table>, CargoError> {
        if let Some(known) = self.read.borrow().get(dir) {
            return Ok(Rc::clone(known));
        }
        let manifest = Rc::new(read_manifest(&self.folder, dir)?);
        self.read.borrow_mut().insert(dir.clone(), Rc::clone(&manifest));
        Ok(manifest)
    }

    /// The folder of the package that holds a source, and that of its workspace's manifest.
    pub(super) fn find(
        &self,
        source: &ProjectPath,
    ) -> Result<(ProjectPath, ProjectPath), CargoError> {
        let package = source
            .ancestors()
            .find(|dir| self.is_package(dir))
            .ok_or_else(|| CargoError::NoManifest { source_file: source.clone() })?;
        let root = self.workspace_root(&package)?;
        Ok((package, root))
    }

    fn exists(&self, dir: &ProjectPath) -> bool {
        self.read.borrow().contains_key(dir)
            || dir.join("Cargo.toml").on_disk(&self.folder).is_file()
    }

    /// A manifest that cannot be read counts: its error is then the one to show.
    fn is_package(&self, dir: &ProjectPath) -> bool {
        self.exists(dir) && self.read(dir).map_or(true, |manifest| manifest.contains_key("package"))
    }

    /// Where the workspace of the package in `dir` starts (the rules of the Cargo reference,
    /// "Workspaces": `package.workspace`, its own `[workspace]`, or the nearest one above).
    fn workspace_root(&self, dir: &ProjectPath) -> Result<ProjectPath, CargoError> {
        let manifest = self.read(dir)?;
        if manifest.contains_key("workspace") {
            return Ok(dir.clone());
        }
        let package = manifest.get("package");
        let named = package.and_then(|p| p.get("workspace")).and_then(Value::as_str);
        if let Some(path) = named {
            return dependency_folder(dir, "workspace", path);
        }
        for above in dir.ancestors().filter(|above| self.exists(above)) {
            let manifest = self.read(&above)?;
            if let Some(workspace) = manifest.get("workspace").and_then(Value::as_table) {
                let excluded =
                    strings(workspace, "exclude").any(|path| dir.is_in(&above.join(path)));
                return Ok(if excluded { dir.clone() } else { above });
            }
        }
        Ok(dir.clone())
    }
}

/// The toolchains that the component in `source` needs. A manifest that can't be read asks for none
/// but Rust: planning tells what is wrong with it.
pub(super) fn toolchains(project: &Path, source: &ProjectPath) -> Vec<&'static str> {
    let manifests = Manifests::of(project);
    let package = source.ancestors().find(|dir| manifests.is_package(dir));
    let manifest = package.and_then(|dir| manifests.read(&dir).ok());
    match manifest.as_ref().and_then(|manifest| metadata::section(manifest)) {
        Some(_) => vec![RUST, CARGO_COMPONENT],
        None => vec![RUST],
    }
}

pub(super) fn read_manifest(project: &Path, dir: &ProjectPath) -> Result<Table, CargoError> {
    let manifest = dir.join("Cargo.toml");
    let text = bounded::read_text(&manifest.on_disk(project))
        .map_err(|source| CargoError::Read { path: manifest.clone(), source })?;
    toml::from_str(&text).map_err(|source| CargoError::Parse { manifest, source: source.into() })
}

/// Whether a manifest says `workspace = true` anywhere.
fn inherits(table: &Table) -> bool {
    table.iter().any(|(key, value)| match value {
        Value::Boolean(true) => key == "workspace",
        Value::Table(inner) => inherits(inner),
        _ => false,
    })
}

fn strings<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a str> {
    table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The folders of `[workspace] members`, globs expanded.
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

/// The folders with a manifest that match `pattern`, one path part at a time.
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

fn shared_dependencies(
    root: &ProjectPath,
    workspace: &Table,
) -> Result<BTreeMap<String, ProjectPath>, CargoError> {
    let table = workspace.get("dependencies").and_then(Value::as_table);
    let by_path = table
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name, value.get("path")?.as_str()?)));
    by_path.map(|(name, path)| Ok((name.clone(), dependency_folder(root, name, path)?))).collect()
}

/// The folders of `[patch]` entries that are paths.
fn patches(root: &ProjectPath, manifest: &Table) -> Result<Vec<ProjectPath>, CargoError> {
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
            names(&workspace.closure(&package)),
            ["libs/deep", "libs/shared", "services/api"]
        );
        let all: Vec<&str> = workspace.packages.keys().map(ProjectPath::as_str).collect();
        assert_eq!(all, ["libs/deep", "libs/shared", "services/api", "services/auth"]);
        let auth = &workspace.packages[&ProjectPath::parse("services/auth").unwrap()];
        let stubs = auth.stubs();
        assert_eq!(stubs.len(), 1);
        assert_eq!(
            (stubs[0].0.as_str(), stubs[0].1),
            ("services/auth/src/main.rs", "fn main() {}\n")
        );
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
    fn a_package_of_another_workspace_is_refused_if_it_takes_something_from_it() {
        let check = |lib: &str, expect: Result<(), &str>| {
            let lib = format!("[package]\nname = \"lib\"\n{lib}");
            let app = "[workspace]\nexclude = [\"lib\"]\n[package]\nname = \"app\"\n\
                       [dependencies]\nlib = { path = \"lib\" }";
            let files = [
                ("app/Cargo.toml", app),
                ("app/src/main.rs", ""),
                ("app/lib/Cargo.toml", lib.as_str()),
                ("app/lib/src/lib.rs", ""),
                ("Cargo.toml", "[workspace]\nexclude = [\"app\"]"),
            ];
            let dir = project(&files);
            let found = find(dir.path(), "app/src/main.rs");
            let found = found.map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(found.as_ref().map_err(String::as_str), expect.as_ref().map_err(|e| *e));
        };
        let other = "app/lib/Cargo.toml takes something from a workspace that is not that of the \
                     component (app/Cargo.toml)";
        check("version = \"1.0.0\"", Ok(()));
        check("version = \"1.0.0\"\n[workspace]", Ok(()));
        check("version.workspace = true\n[workspace.package]\nversion = \"1.0.0\"", Ok(()));
        check("version.workspace = true", Err(other));
        check("[dependencies]\na = { workspace = true }", Err(other));
        check("[lints]\nworkspace = true", Err(other));
        check(
            "workspace = \"../../../../other\"",
            Err(
                "app/lib/Cargo.toml: dependency `workspace` is at `../../../../other`, outside the project",
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
