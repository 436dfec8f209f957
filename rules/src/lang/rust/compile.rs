//! The actions of a Rust component: fetch, dependencies and compile.
//!
//! A package for cargo-component differs only in its compile action: its dependencies are in the same layer.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use engine::{Action, ActionId, Input, Label, Source, quote};

use super::c_compiler::CCompiler;
use super::cargo_component::CargoComponent;
use super::error::CargoError;
use super::fetch::{FetchCrates, VENDOR};
use super::lock::Lockfile;
use super::manifests::Manifests;
use super::package::{CrateType, Package};
use super::process::{TARGET_DIR, cargo_process};
use super::sources::Common;
use super::workspace::Workspace;
use super::{c_code, stand_in, toolchain_file};
use crate::manifest::{Features, Language};
use crate::path::ProjectPath;
use crate::planner::{Compiled, PlanError, Planner, Request};
use crate::toolchain::RUST;

/// The target triple, for which rustc makes components directly.
pub(super) const TARGET: &str = "wasm32-wasip2";

/// The target of a package that Cargo is asked to compile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Selection {
    /// The specification of the package, which Cargo can't confuse with another.
    package: String,
    /// The binary's name, or `None` for the library.
    binary: Option<String>,
    /// The name of the compiled file.
    file: String,
    /// The package's features that are asked for.
    features: Vec<String>,
    default_features: bool,
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
    let Common { workspace, lock, skeleton, .. } = &*common;
    let image = planner.image(RUST)?;
    if let Some(pinned) = planner.version(RUST)
        && let Some(warning) = toolchain_file::disagreement(project, &workspace.root, pinned)
    {
        planner.warn(warning);
    }
    let package = &workspace.packages[&dir];
    let selection = select(package, lock, request.source, request.features)?;
    let through = match package.for_cargo_component {
        true => Some(CargoComponent::new(planner, workspace, package, request)?),
        false => None,
    };
    let folder = workspace.root.clone();
    let vendor = planner.once(&format!("vendor {folder}"), |planner| {
        let fetch = FetchCrates::new(lock.crates.clone(), workspace, planner.registries());
        let action = Action::builtin(Label::new(owner(&folder), "fetch"), fetch)
            .input(Input::new("src", Source::Tree(skeleton.digest)))
            .output("vendor");
        planner.add(action)
    })?;
    let vendor = Source::output(vendor, "vendor");
    let c_compiler = match compiles_c(planner, &manifests, &common, &dir)? {
        true => Some(CCompiler::new(planner)?),
        false => None,
    };
    let cargo = Cargo {
        root: &workspace.root,
        release: request.release,
        vendor: &vendor,
        image: &image,
        c_compiler: c_compiler.as_ref(),
        empty: planner.empty_tree()?,
    };
    let layer = planner.once(&format!("layer {folder}"), |planner| {
        let selected = selections(planner, workspace, lock)?;
        planner.add(cargo.layer(&selected, skeleton.digest))
    })?;
    let sources = common.sources(planner, &dir, request, through.as_ref())?;
    let action = cargo.compile(request, &selection, (sources, layer), through.as_ref());
    Ok(Compiled::new(planner.add(action)?, "component.wasm"))
}

/// Returns the owner of the actions that serve a whole workspace.
fn owner(folder: &ProjectPath) -> String {
    if folder.is_root() { "cargo".to_owned() } else { format!("cargo {folder}") }
}

/// Returns the target of `package` whose root is `source`.
fn select(
    package: &Package,
    lock: &Lockfile,
    source: &ProjectPath,
    features: &Features,
) -> Result<Selection, CargoError> {
    let name = package.name.clone();
    let selection = |binary: Option<&str>, file: &str| Selection {
        package: lock.specification(package),
        binary: binary.map(str::to_owned),
        file: format!("{file}.wasm"),
        features: features.names.iter().map(|name| name.value.to_string()).collect(),
        default_features: features.default.value,
    };
    if let Some(library) = package.library.as_ref().filter(|target| target.root == *source) {
        if package.crate_type != CrateType::Cdylib {
            return Err(CargoError::NotACdylib {
                package: name,
                manifest: package.dir.join("Cargo.toml"),
                crate_type: package.crate_type,
            });
        }
        return Ok(selection(None, &library.name));
    }
    match package.binaries.iter().find(|target| target.root == *source) {
        Some(binary) => Ok(selection(Some(&binary.name), &binary.name)),
        None => Err(CargoError::NotATarget {
            source_file: source.clone(),
            package: name,
            targets: package.targets_text(),
        }),
    }
}

/// Returns what the layer has to cover: every Rust component of the project in this workspace, so that all of
/// them share the layer.
fn selections(
    planner: &Planner<'_>,
    workspace: &Workspace,
    lock: &Lockfile,
) -> Result<BTreeSet<Selection>, PlanError> {
    let mut found = BTreeSet::new();
    for (source, component) in planner.components_in(Language::Rust) {
        let inside = source.ancestors().find_map(|dir| workspace.packages.get(&dir));
        let Some(package) = inside else { continue };
        found.insert(select(package, lock, source, &component.features)?);
    }
    Ok(found)
}

/// Returns true if a component that shares this layer has C in it, or the one from the package in `dir` does.
fn compiles_c(
    planner: &mut Planner<'_>,
    manifests: &Manifests,
    common: &Common,
    dir: &ProjectPath,
) -> Result<bool, CargoError> {
    let Common { workspace, lock, .. } = common;
    let in_layer = planner.known(&format!("C in {}", workspace.root), |planner| {
        let components = planner.components_in(Language::Rust).into_iter();
        let packages = components.filter_map(|(source, _)| manifests.find(source).ok());
        let mut beside = packages.filter(|(_, root)| *root == workspace.root);
        beside.try_fold(false, |found, (package, _)| {
            Ok::<_, CargoError>(found || c_code::is_in(&package, manifests, lock)?)
        })
    })?;
    Ok(*in_layer || c_code::is_in(dir, manifests, lock)?)
}

/// The settings and inputs of Cargo that the layer and the compile have in common.
struct Cargo<'a> {
    root: &'a ProjectPath,
    release: bool,
    vendor: &'a Source,
    image: &'a Source,
    /// The compiler for C, if a package of the component needs one.
    c_compiler: Option<&'a CCompiler>,
    /// The empty tree, on which the layer starts.
    empty: cache::Digest,
}

impl Cargo<'_> {
    /// Returns the action that compiles everything except the packages of the workspace itself.
    fn layer(&self, selected: &BTreeSet<Selection>, skeleton: cache::Digest) -> Action {
        let mut script: Vec<String> = selected
            .iter()
            .map(|selection| self.shell("cargo", "build", &selection.flags()))
            .collect();
        let profile = self.profile();
        script.push(stand_in::removal(&[profile.to_owned(), format!("{TARGET}/{profile}")]));
        script.push(format!("cp -a /{TARGET_DIR} /out/target"));
        let label = Label::new(owner(self.root), "dependencies");
        let action = self
            .action(label, &script.join(" && "), BTreeMap::new())
            .input(Input::new("src", Source::Tree(skeleton)))
            .input(Input::scratch(TARGET_DIR, Source::Tree(self.empty)));
        action.output("target")
    }

    /// Returns an action that runs a script of calls of Cargo. It lacks only the sources and a target folder.
    /// Variables in `own` override ours.
    fn action(&self, label: Label, script: &str, own: BTreeMap<String, String>) -> Action {
        let mut env = self.c_compiler.map(|_| CCompiler::variables()).unwrap_or_default();
        env.extend(own);
        let action = Action::process(label, cargo_process(self.root, script, env))
            .input(Input::root(self.image.clone()))
            .input(Input::new(VENDOR, self.vendor.clone()));
        match self.c_compiler {
            Some(compiler) => compiler.add_to(action),
            None => action,
        }
    }

    /// Returns the action that compiles one component on top of the layer.
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
        let action = self
            .action(label, &script, env)
            .input(src)
            .input(Input::scratch(TARGET_DIR, Source::output(layer, "target")))
            .output("component.wasm");
        match through {
            Some(through) => through.add_to(action),
            None => action,
        }
    }

    /// Returns the name of the folder in which Cargo puts the results of this profile.
    fn profile(&self) -> &'static str {
        if self.release { "release" } else { "debug" }
    }

    /// Returns a call of Cargo as shell text.
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
        let mut flags = vec!["-p".to_owned(), self.package.clone()];
        flags.extend(target);
        if !self.features.is_empty() {
            flags.extend(["--features".to_owned(), self.features.join(",")]);
        }
        if !self.default_features {
            flags.push("--no-default-features".to_owned());
        }
        flags
    }
}
