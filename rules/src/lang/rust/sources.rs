//! The files of the checkout that the actions of a Cargo workspace see.
//!
//! Cargo itself sees the *skeleton*: manifests, lockfile, configuration, and empty files in the place of the sources
//! of the workspace's packages, because it refuses a package whose targets have no source. It also sees the crates
//! that `cargo vendor` has put into the checkout, because it compares them with the lockfile. The units of the
//! component's own packages see in addition the sources of their package and of those that it depends on. The units
//! of other people's packages see the folder of their package, or all of the commit that it lies in.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use engine::{ActionId, Input, Source};
use walkdir::WalkDir;

use super::error::CargoError;
use super::fetch::{CRATES, FetchCrates, VENDOR};
use super::git::{Pinned, Repositories, patched_sources};
use super::lock::Lockfile;
use super::manifests::Manifests;
use super::package::{Package, source_folders};
use super::units::{PackageSources, Seen};
use super::vendored::Vendored;
use super::workspace::Workspace;
use super::{cargo_config, lock};
use crate::path::ProjectPath;
use crate::planner::source_tree::{Skeleton, SourceTree, Without};
use crate::planner::{PlanError, Planner, Request};

/// The common data from which all components of a workspace are planned.
pub(super) struct Common {
    pub(super) workspace: Workspace,
    pub(super) lock: Lockfile,
    pub(super) skeleton: Rc<Skeleton>,
}

impl Common {
    /// Reads the workspace in the folder `root`, and `package` if that is not a member of it.
    pub(super) fn read(
        planner: &mut Planner<'_>,
        manifests: &Manifests,
        root: &ProjectPath,
        package: Option<&ProjectPath>,
    ) -> Result<Self, PlanError> {
        let project = planner.project();
        let workspace = Workspace::load(manifests, root, package)?;
        let vendored = Vendored::find(project, root)?;
        let lock = lock::read(project, &workspace.lockfile(), &vendored);
        if let Err(CargoError::NoLockfile { .. }) = lock {
            manifests.refuse_workspace_above(root)?;
        }
        let lock = lock?;
        let digest = skeleton(planner, &workspace, &vendored)?;
        let skeleton = Rc::new(Skeleton::read(digest, planner.store())?);
        Ok(Self { workspace, lock, skeleton })
    }

    /// Refuses the packages of the project that the one in `dir` is compiled of, if one of them needs a commit of a
    /// repository that the lockfile does not have.
    pub(super) fn refuse_unlocked(
        &self,
        manifests: &Manifests,
        dir: &ProjectPath,
    ) -> Result<(), CargoError> {
        let Self { workspace, lock, .. } = self;
        let mut patched = patched_sources(&*manifests.read(&workspace.root)?);
        for (_, file) in cargo_config::files(&manifests.folder, &workspace.root) {
            patched.extend(patched_sources(&cargo_config::read(&manifests.folder, &file)));
        }
        let locked = lock.repositories.iter().chain(&lock.vendored_repositories).collect();
        let (project, workspace) = (&*manifests.folder, &workspace.root);
        let pinned = Pinned { project, workspace, locked, patched };
        let packages = self.workspace.closure(dir, lock);
        let packages = packages.iter().filter(|dir| {
            self.workspace.packages.get(*dir).is_some_and(|package| lock.entry(package).is_some())
        });
        packages.into_iter().try_for_each(|dir| pinned.check(dir))
    }

    /// Adds the sources of a crate that others wrote and that lies in the project: one that `cargo vendor` has
    /// put there, or one that is patched in, with what it depends on in the project.
    fn add_crate(
        &self,
        planner: &mut Planner<'_>,
        tree: &mut SourceTree,
        dir: &ProjectPath,
    ) -> Result<(), PlanError> {
        if !self.workspace.packages.contains_key(dir) {
            add_vendored(planner, tree, dir)?;
        }
        for folder in self.workspace.closure(dir, &self.lock) {
            let package = &self.workspace.packages[&folder];
            tree.file(folder.join("Cargo.toml"));
            add_package(planner, tree, package, true, &|_| true)?;
        }
        Ok(())
    }

    /// Returns the tree with the sources of the package in `dir` and of what it depends on in the project, and
    /// with stand-ins for the other members.
    fn own(
        &self,
        planner: &mut Planner<'_>,
        dir: &ProjectPath,
        request: &Request<'_>,
        generated: Option<&Generated>,
    ) -> Result<SourceTree, PlanError> {
        let mut tree = SourceTree::on(Rc::clone(&self.skeleton));
        let is_generated = |path: &ProjectPath| generated.is_some_and(|file| file.path == *path);
        for folder in self.workspace.closure(dir, &self.lock) {
            let package = &self.workspace.packages[&folder];
            let stubs = package.stubs().into_iter();
            for path in stubs.filter(|path| !package.unbuilt_targets.contains(path)) {
                tree.remove(path);
            }
            let whole = self.workspace.patched.contains(&folder);
            add_package(planner, &mut tree, package, whole, &|path| !is_generated(path))?;
        }
        request.add_inputs_and_wit(planner.project(), &mut tree, &dir.join("wit"));
        if let Some(Generated { path, text }) = generated {
            tree.generated(path.clone(), text.as_slice());
        }
        Ok(tree)
    }
}

/// The actions that fetch what others wrote.
#[derive(Clone, Copy)]
pub(super) struct Fetched<'a> {
    /// The action that fetches crates of registries.
    pub(super) crates: ActionId,
    pub(super) repositories: Option<&'a Repositories>,
}

/// A file that is generated among the sources of the component's package.
pub(super) struct Generated {
    pub(super) path: ProjectPath,
    pub(super) text: Vec<u8>,
}

/// The sources that the units of a component see.
pub(super) struct SourcesOfUnits<'a, 'b> {
    common: &'a Common,
    /// The folder of the component's package.
    dir: &'a ProjectPath,
    request: &'a Request<'b>,
    generated: Option<Generated>,
    fetched: Fetched<'a>,
    /// The folders of the component's own packages: its package, and those that it depends on in the project.
    own: BTreeSet<ProjectPath>,
    /// The trees with a package of the component's own that were stored, by its folder and those of the other
    /// packages in them.
    stored: RefCell<BTreeMap<(ProjectPath, BTreeSet<ProjectPath>), cache::Digest>>,
}

impl<'a, 'b> SourcesOfUnits<'a, 'b> {
    /// Makes the sources for the component of the package in `dir`.
    pub(super) fn new(
        common: &'a Common,
        dir: &'a ProjectPath,
        request: &'a Request<'b>,
        generated: Option<Generated>,
        fetched: Fetched<'a>,
    ) -> Self {
        let own = common.workspace.closure(dir, &common.lock);
        Self { common, dir, request, generated, fetched, own, stored: RefCell::default() }
    }

    /// Returns the tree with the component's own package in `dir` and with other packages of the project.
    fn own_tree(
        &self,
        planner: &mut Planner<'_>,
        dir: ProjectPath,
        others: BTreeSet<ProjectPath>,
    ) -> Result<cache::Digest, PlanError> {
        let key = (dir, others);
        if let Some(tree) = self.stored.borrow().get(&key) {
            return Ok(*tree);
        }
        let (dir, others) = &key;
        let generated = self.generated.as_ref().filter(|_| dir == self.dir);
        let mut tree = self.common.own(planner, dir, self.request, generated)?;
        let closure = self.common.workspace.closure(dir, &self.common.lock);
        for other in others.difference(&closure) {
            self.common.add_crate(planner, &mut tree, other)?;
        }
        let tree = planner.store_tree(tree)?;
        self.stored.borrow_mut().insert(key, tree);
        Ok(tree)
    }

    /// Returns the tree with packages of the project that others wrote. All components of the workspace share it.
    fn tree_of_others(
        &self,
        planner: &mut Planner<'_>,
        dirs: &BTreeSet<ProjectPath>,
    ) -> Result<cache::Digest, PlanError> {
        let key = format!("packages of Cargo {}: {dirs:?}", self.common.workspace.root);
        let tree = planner.known(&key, |planner| {
            let mut tree = SourceTree::default();
            for dir in dirs {
                self.common.add_crate(planner, &mut tree, dir)?;
            }
            planner.store_tree(tree)
        })?;
        Ok(*tree)
    }
}

impl PackageSources for SourcesOfUnits<'_, '_> {
    fn of(
        &self,
        planner: &mut Planner<'_>,
        folder: &str,
        others: &BTreeSet<&str>,
    ) -> Result<Seen, PlanError> {
        let (mut inputs, mut in_project) = (Vec::new(), BTreeSet::new());
        // Packages of one commit see the same input.
        let mut commits = BTreeMap::new();
        let mut own = None;
        let folders: BTreeSet<&str> = others.iter().copied().chain([folder]).collect();
        for place in folders {
            if let Some(name) = place.strip_prefix(&format!("/{VENDOR}/{CRATES}/")) {
                let source = Source::output(self.fetched.crates, FetchCrates::output_of(name));
                inputs.push(Input::new(format!("{VENDOR}/{CRATES}/{name}"), source));
                continue;
            }
            if let Some(commit) = self.fetched.repositories.and_then(|all| all.commit(place)) {
                commits.insert(commit.at.clone(), commit);
                continue;
            }
            let dir = project_folder(place)?;
            if place == folder && self.own.contains(&dir) {
                own = Some(dir);
            } else {
                in_project.insert(dir);
            }
        }
        inputs.extend(commits.into_values());
        let is_own = own.is_some();
        let tree = match own {
            Some(dir) => Some(self.own_tree(planner, dir, in_project)?),
            None if in_project.is_empty() => None,
            None => Some(self.tree_of_others(planner, &in_project)?),
        };
        inputs.extend(tree.map(|tree| Input::new("src", Source::Tree(tree))));
        Ok(Seen { inputs, is_own })
    }
}

/// Returns a folder of the project by its absolute path in the action.
fn project_folder(path: &str) -> Result<ProjectPath, PlanError> {
    let below = path.strip_prefix("/src").expect("BUG: the package is nowhere");
    Ok(ProjectPath::parse(below.trim_start_matches('/'))?)
}

fn skeleton(
    planner: &mut Planner<'_>,
    workspace: &Workspace,
    vendored: &Vendored,
) -> Result<cache::Digest, PlanError> {
    let mut tree = SourceTree::default();
    add_manifests(planner, workspace, &mut tree);
    for path in workspace.packages.values().flat_map(Package::stubs) {
        tree.generated(path, "");
    }
    for folder in &vendored.folders {
        add_vendored(planner, &mut tree, folder)?;
    }
    planner.store_tree(tree)
}

fn add_manifests(planner: &Planner<'_>, workspace: &Workspace, tree: &mut SourceTree) {
    for manifest in &workspace.manifests {
        tree.file(manifest.clone());
    }
    tree.file(workspace.lockfile());
    for (_, path) in cargo_config::files(planner.project(), &workspace.root) {
        match cargo_config::without_secrets(planner.project(), &path) {
            Some(text) => tree.generated(path, text),
            None => tree.file(path),
        }
    }
}

/// Adds the sources of a package, which are the folders of its root files. A `whole` package was written by
/// others, and may include its own README; so everything in its folder is added.
fn add_package(
    planner: &Planner<'_>,
    tree: &mut SourceTree,
    package: &Package,
    whole: bool,
    wanted: &dyn Fn(&ProjectPath) -> bool,
) -> Result<(), PlanError> {
    let without = Without { folders: planner.outputs(), marker: Some("Cargo.toml") };
    let folders = match whole && !package.dir.is_root() {
        true => BTreeSet::from([package.dir.clone()]),
        false => source_folders(package),
    };
    for folder in folders {
        tree.folder(planner.project(), &folder, &without, wanted)?;
    }
    package.build_script.iter().for_each(|script| tree.file(script.clone()));
    Ok(())
}

/// Adds every file of a folder of vendored crates, because Cargo compares each with a list.
fn add_vendored(
    planner: &Planner<'_>,
    tree: &mut SourceTree,
    folder: &ProjectPath,
) -> Result<(), PlanError> {
    let project = planner.project();
    for entry in WalkDir::new(folder.on_disk(project)).sort_by_file_name() {
        let failed =
            |source| PlanError::from(CargoError::Vendored { folder: folder.clone(), source });
        let entry = entry.map_err(failed)?;
        if !entry.file_type().is_dir() {
            tree.file(ProjectPath::of(project, entry.path())?);
        }
    }
    Ok(())
}
