//! The actions of a Rust component: fetch, dependencies, compile.
//!
//! A package for cargo-component shares all but the last: its crates lie in the same layer.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use engine::{Action, ActionId, Input, Label, Source, quote};

use super::cargo_component::CargoComponent;
use super::cargo_config;
use super::fetch::{FetchCrates, VENDOR};
use super::lock::LockedCrate;
use super::package::{Package, source_folders};
use super::process::{TARGET_DIR, cargo_process};
use super::workspace::{Manifests, Workspace};
use super::{CargoError, lock};
use crate::lang::source_tree::{Skeleton, SourceTree, Without};
use crate::lang::{Compiled, Request};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::RUST;

/// The target triple: gives components directly.
const TARGET: &str = "wasm32-wasip2";

/// What Cargo is asked to compile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Selection {
    package: String,
    /// The binary's name, or `None` for the library.
    binary: Option<String>,
    /// The file that comes out.
    file: String,
}

/// Adds the actions that compile `request`'s component; the last one leaves the component.
pub(crate) fn compile(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
) -> Result<Compiled, PlanError> {
    let project = planner.project();
    let manifests =
        planner.known("Cargo manifests", |_| Ok::<_, PlanError>(Manifests::of(project)))?;
    let (dir, root) = manifests.find(request.source)?;
    let mut common = planner.known(&format!("Cargo {root}"), |planner| {
        Common::read(planner, &manifests, &root, None)
    })?;
    if !common.workspace.packages.contains_key(&dir) {
        common = Rc::new(Common::read(planner, &manifests, &root, Some(&dir))?);
    }
    let Common { workspace, crates, skeleton } = &*common;
    let image = planner.image(RUST)?;
    let package = &workspace.packages[&dir];
    let selection = select(package, request.source)?;
    let through = match package.for_cargo_component {
        true => Some(CargoComponent::new(planner, package, request)?),
        false => None,
    };
    let folder = workspace.root.clone();
    let vendor = planner.once(&format!("vendor {folder}"), |planner| {
        let fetch = FetchCrates::new(crates.clone(), workspace, planner.clients());
        let action = Action::builtin(Label::new(owner(&folder), "fetch"), fetch)
            .input(Input::new("src", Source::Tree(skeleton.digest)))
            .output("vendor");
        planner.add(action)
    })?;
    let vendor = Source::output(vendor, "vendor");
    let cargo = Cargo {
        root: &workspace.root,
        release: request.release,
        vendor: &vendor,
        image: &image,
        empty: planner.empty_tree()?,
    };
    let layer = planner.once(&format!("layer {folder}"), |planner| {
        let selected = selections(planner, workspace)?;
        planner.add(cargo.layer(workspace, &selected, skeleton.digest))
    })?;
    let sources = sources(planner, &common, &dir, request, through.as_ref())?;
    let action = cargo.compile(request, &selection, (sources, layer), through.as_ref());
    Ok(Compiled::new(planner.add(action)?, "component.wasm"))
}

/// What all components of a workspace are planned from.
struct Common {
    workspace: Workspace,
    crates: Vec<LockedCrate>,
    /// The manifests, the lockfile and Cargo's configuration, with empty stand-ins for all sources.
    skeleton: Rc<Skeleton>,
}

impl Common {
    fn read(
        planner: &mut Planner<'_>,
        manifests: &Manifests,
        root: &ProjectPath,
        package: Option<&ProjectPath>,
    ) -> Result<Self, PlanError> {
        let workspace = Workspace::load(manifests, root, package)?;
        let crates = lock::read(planner.project(), &workspace.lockfile())?;
        let digest = skeleton(planner, &workspace)?;
        let skeleton = Rc::new(Skeleton::read(digest, planner.store())?);
        Ok(Self { workspace, crates, skeleton })
    }
}

/// The owner of the actions that serve a whole workspace.
fn owner(folder: &ProjectPath) -> String {
    if folder.is_root() { "cargo".to_owned() } else { format!("cargo {folder}") }
}

/// Which target of `package` has `source` as its root.
fn select(package: &Package, source: &ProjectPath) -> Result<Selection, CargoError> {
    let name = package.name.clone();
    if let Some(library) = package.library.as_ref().filter(|target| target.root == *source) {
        if !package.makes_cdylib {
            return Err(CargoError::NotACdylib {
                package: name,
                manifest: package.dir.join("Cargo.toml"),
            });
        }
        return Ok(Selection {
            package: name,
            binary: None,
            file: format!("{}.wasm", library.name),
        });
    }
    match package.binaries.iter().find(|target| target.root == *source) {
        Some(binary) => Ok(Selection {
            package: name,
            binary: Some(binary.name.clone()),
            file: format!("{}.wasm", binary.name),
        }),
        None => Err(CargoError::NotATarget {
            source_file: source.clone(),
            package: name,
            targets: package.targets_text(),
        }),
    }
}

/// What the layer has to cover: every Rust component of the project in this workspace, so that
/// all of them share it.
fn selections(
    planner: &Planner<'_>,
    workspace: &Workspace,
) -> Result<BTreeSet<Selection>, PlanError> {
    let mut found = BTreeSet::new();
    for source in planner.sources_in(super::RULE.name) {
        let inside = source.ancestors().find_map(|dir| workspace.packages.get(&dir));
        let Some(package) = inside else { continue };
        found.insert(select(package, &source)?);
    }
    Ok(found)
}

/// The manifests, the lockfile and Cargo's configuration, with empty stand-ins for all sources.
fn skeleton(planner: &mut Planner<'_>, workspace: &Workspace) -> Result<cache::Digest, PlanError> {
    let mut tree = SourceTree::default();
    manifests(planner, workspace, &mut tree);
    for package in workspace.packages.values() {
        for (path, text) in package.stubs() {
            tree.generated(path, text);
        }
    }
    planner.store_tree(tree)
}

fn manifests(planner: &Planner<'_>, workspace: &Workspace, tree: &mut SourceTree) {
    for manifest in &workspace.manifests {
        tree.file(manifest.clone());
    }
    tree.file(workspace.lockfile());
    let folders: BTreeSet<ProjectPath> =
        std::iter::once(workspace.root.clone()).chain(workspace.root.ancestors()).collect();
    for folder in folders {
        let path = folder.join(".cargo/config.toml");
        match cargo_config::without_secrets(planner.project(), &path) {
            Some(text) => tree.generated(path, text),
            None => tree.optional_file(planner.project(), path),
        }
    }
}

/// The sources of the package in `dir` and of what it depends on by path, and stand-ins for the
/// other members.
fn sources(
    planner: &mut Planner<'_>,
    Common { workspace, skeleton, .. }: &Common,
    dir: &ProjectPath,
    request: &Request<'_>,
    through: Option<&CargoComponent>,
) -> Result<cache::Digest, PlanError> {
    let mut tree = SourceTree::on(Rc::clone(skeleton));
    let project = planner.project().to_owned();
    let is_generated = |path: &ProjectPath| through.is_some_and(|through| through.makes(path));
    for folder in workspace.closure(dir) {
        let package = &workspace.packages[&folder];
        let stubs = package.stubs().into_iter().map(|(path, _)| path);
        for path in stubs.filter(|path| !package.unbuilt_targets.contains(path)) {
            tree.remove(path);
        }
        let without = Without { folders: planner.outputs(), marker: Some("Cargo.toml") };
        for sources in source_folders(package) {
            tree.folder(&project, &sources, &without, &|path| !is_generated(path))?;
        }
        package.build_script.iter().for_each(|script| tree.file(script.clone()));
    }
    request.add_inputs_and_wit(&project, &mut tree, &dir.join("wit"));
    if let Some(through) = through {
        through.add_manifest(&mut tree);
    }
    planner.store_tree(tree)
}

/// How Cargo is called, the same for the layer and for the compile.
struct Cargo<'a> {
    root: &'a ProjectPath,
    release: bool,
    vendor: &'a Source,
    image: &'a Source,
    /// The tree without entries, on which the layer starts.
    empty: cache::Digest,
}

impl Cargo<'_> {
    /// Compiles everything but the packages of the workspace itself.
    fn layer(
        &self,
        workspace: &Workspace,
        selected: &BTreeSet<Selection>,
        skeleton: cache::Digest,
    ) -> Action {
        let mut script: Vec<String> = selected
            .iter()
            .map(|selection| self.shell("cargo", "build", &selection.flags()))
            .collect();
        // What was compiled from stand-ins must not pass for the real thing.
        let own: Vec<String> =
            workspace.packages.values().flat_map(|p| ["-p".to_owned(), p.name.clone()]).collect();
        script.push(self.shell("cargo", "clean", &own));
        // A lock file in the layer would be one that the compile may not open.
        let profile = self.profile();
        script.push(format!(
            "rm -f /{TARGET_DIR}/{profile}/.cargo-lock /{TARGET_DIR}/{TARGET}/{profile}/.cargo-lock"
        ));
        script.push(format!("cp -a /{TARGET_DIR} /out/target"));
        let label = Label::new(owner(self.root), "dependencies");
        Action::process(label, cargo_process(self.root, &script.join(" && "), BTreeMap::new()))
            .input(Input::root(self.image.clone()))
            .input(Input::new("src", Source::Tree(skeleton)))
            .input(Input::new(VENDOR, self.vendor.clone()))
            .input(Input::scratch(TARGET_DIR, Source::Tree(self.empty)))
            .output("target")
    }

    /// Compiles one component on top of the layer.
    fn compile(
        &self,
        request: &Request<'_>,
        selection: &Selection,
        (sources, layer): (cache::Digest, ActionId),
        through: Option<&CargoComponent>,
    ) -> Action {
        let program = through.map_or("cargo", |_| CargoComponent::PROGRAM);
        let built = format!("/{TARGET_DIR}/{TARGET}/{}/{}", self.profile(), selection.file);
        let script = format!(
            "{} && cp {} /out/component.wasm",
            self.shell(program, "build", &selection.flags()),
            quote(&built)
        );
        let mut env = request.env.clone();
        let src = match through {
            Some(_) => CargoComponent::sources(sources),
            None => Input::new("src", Source::Tree(sources)),
        };
        if through.is_some() {
            let (name, value) = CargoComponent::ENVIRONMENT;
            env.insert(name.to_owned(), value.to_owned());
        }
        let label = Label::new(request.name, "compile");
        let action = Action::process(label, cargo_process(self.root, &script, env))
            .input(Input::root(self.image.clone()))
            .input(src)
            .input(Input::new(VENDOR, self.vendor.clone()))
            .input(Input::scratch(TARGET_DIR, Source::output(layer, "target")))
            .output("component.wasm");
        match through {
            Some(through) => through.add_to(action),
            None => action,
        }
    }

    /// The folder that Cargo puts results of this profile into.
    fn profile(&self) -> &'static str {
        if self.release { "release" } else { "debug" }
    }

    /// One call of Cargo as shell text.
    fn shell(&self, program: &str, verb: &str, flags: &[String]) -> String {
        let profile = if self.release { " --release" } else { "" };
        let flags: Vec<String> = flags.iter().map(|flag| quote(flag)).collect();
        format!(
            "{program} {verb} --quiet --config /{VENDOR}/config.toml --locked --offline \
             --target {TARGET}{profile} {}",
            flags.join(" ")
        )
    }
}

impl Selection {
    fn flags(&self) -> Vec<String> {
        let target = match &self.binary {
            Some(name) => vec!["--bin".to_owned(), name.clone()],
            None => vec!["--lib".to_owned()],
        };
        ["-p".to_owned(), self.package.clone()].into_iter().chain(target).collect()
    }
}
