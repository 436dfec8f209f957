//! The actions of a Rust component: fetch, dependencies, compile.
//!
//! A package for cargo-component shares all but the last: its crates lie in the same layer.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use engine::{Action, ActionId, Input, Label, Source, quote};

use super::c_compiler::CCompiler;
use super::cargo_component::CargoComponent;
use super::fetch::{FetchCrates, VENDOR};
use super::lock::Lockfile;
use super::manifests::Manifests;
use super::package::Package;
use super::process::{TARGET_DIR, cargo_process};
use super::sources::Common;
use super::workspace::Workspace;
use super::{CargoError, stand_in, toolchain_file};
use crate::lang::{Compiled, Request};
use crate::manifest::Features;
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::RUST;

/// The target triple: gives components directly.
const TARGET: &str = "wasm32-wasip2";

/// What Cargo is asked to compile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Selection {
    /// Which package, so that Cargo takes it for no other.
    package: String,
    /// The binary's name, or `None` for the library.
    binary: Option<String>,
    /// The file that comes out.
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
        let fetch = FetchCrates::new(lock.crates.clone(), workspace, planner.clients());
        let action = Action::builtin(Label::new(owner(&folder), "fetch"), fetch)
            .input(Input::new("src", Source::Tree(skeleton.digest)))
            .output("vendor");
        planner.add(action)
    })?;
    let vendor = Source::output(vendor, "vendor");
    let c_compiler = lock.compiles_c().then(|| CCompiler::new(planner)).transpose()?;
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

/// The owner of the actions that serve a whole workspace.
fn owner(folder: &ProjectPath) -> String {
    if folder.is_root() { "cargo".to_owned() } else { format!("cargo {folder}") }
}

/// Which target of `package` has `source` as its root.
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
        if !package.makes_cdylib {
            return Err(CargoError::NotACdylib {
                package: name,
                manifest: package.dir.join("Cargo.toml"),
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

/// What the layer has to cover: every Rust component of the project in this workspace, so that
/// all of them share it.
fn selections(
    planner: &Planner<'_>,
    workspace: &Workspace,
    lock: &Lockfile,
) -> Result<BTreeSet<Selection>, PlanError> {
    let mut found = BTreeSet::new();
    for (source, component) in planner.components_in(super::RULE.name) {
        let inside = source.ancestors().find_map(|dir| workspace.packages.get(&dir));
        let Some(package) = inside else { continue };
        found.insert(select(package, lock, source, &component.features)?);
    }
    Ok(found)
}

/// How Cargo is called, the same for the layer and for the compile.
struct Cargo<'a> {
    root: &'a ProjectPath,
    release: bool,
    vendor: &'a Source,
    image: &'a Source,
    /// What compiles C for the component, if a package needs that.
    c_compiler: Option<&'a CCompiler>,
    /// The tree without entries, on which the layer starts.
    empty: cache::Digest,
}

impl Cargo<'_> {
    /// Compiles everything but the packages of the workspace itself.
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

    /// A script of calls of Cargo, with all that it needs but sources and a target folder. `own` wins.
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
