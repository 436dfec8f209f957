//! Plans a Rust component: fetch, the list of units, and an action for each unit. A package for cargo-component gets its
//! bindings before.

use std::collections::BTreeMap;
use std::rc::Rc;

use engine::{Action, ActionId, Input, Label, Source};

use super::c_compiler::CCompiler;
use super::cargo::{Cargo, Selection, owner};
use super::error::CargoError;
use super::fetch::FetchCrates;
use super::git::{FetchRepositories, Repositories};
use super::lock::Lockfile;
use super::manifests::Manifests;
use super::package::{CrateType, Package};
use super::sources::{Common, Fetched, SourcesOfUnits};
use super::units::UnitActions;
use super::workspace::Workspace;
use super::{c_code, cargo_component, toolchain_file};
use crate::manifest::{Features, Language};
use crate::path::ProjectPath;
use crate::planner::{Compiled, PlanError, Planner, Request};
use crate::toolchain::RUST;

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
    if package.for_cargo_component {
        cargo_component::check(planner, package, request)?;
    }
    common.refuse_unlocked(&manifests, &dir)?;
    let repositories = FetchRepositories::add(
        planner,
        owner(&workspace.root),
        workspace.lockfile(),
        &lock.repositories,
    )?;
    let repositories = repositories.as_ref();
    let fetched = fetch(planner, &common, repositories)?;
    let c_compiler = match compiles_c(planner, &manifests, &common, &dir)? {
        true => Some(CCompiler::new(planner)?),
        false => None,
    };
    let cargo = Cargo {
        root: &workspace.root,
        release: request.release,
        vendor: &Source::output(fetched, FetchCrates::VENDORED),
        image: &image,
        repositories,
        skeleton: skeleton.digest,
        c_compiler: c_compiler.as_ref(),
    };
    let mut selected = selections(planner, workspace, lock, request.env);
    selected.insert(selection.clone(), dir.clone());
    let (units, root) = cargo.units(planner, request.env, &selected, &selection)?;
    let Some(root) = root else {
        return Err(CargoError::NotCompiled { package: package.name.clone() }.into());
    };
    let generated = match package.for_cargo_component {
        true => Some(cargo_component::bindings(planner, &common, package, request, &image)?),
        false => None,
    };
    let sources = SourcesOfUnits::new(
        &common,
        &dir,
        request,
        generated,
        Fetched { crates: fetched, repositories },
    );
    let actions = UnitActions {
        component: request.name,
        units,
        environment: cargo.environment(),
        image: image.clone(),
        c_compiler: c_compiler.as_ref(),
        empty: planner.empty_tree()?,
        sources: &sources,
        added: BTreeMap::new(),
        gives_module: request.wit.is_some_and(|wit| wit.origins.uses_wasi_3()),
    };
    let (action, output) = actions.root(planner, root)?;
    Ok(Compiled::new(action, &output))
}

/// Adds the action that fetches the crates of registries.
fn fetch(
    planner: &mut Planner<'_>,
    common: &Common,
    repositories: Option<&Repositories>,
) -> Result<ActionId, PlanError> {
    let Common { workspace, lock, skeleton } = common;
    let folder = &workspace.root;
    planner.once(&format!("vendor {folder}"), |planner| {
        let fetch = FetchCrates::new(lock, workspace, planner.registries());
        let outputs = fetch.outputs();
        let action = Action::builtin(Label::new(owner(folder), "fetch"), fetch)
            .input(Input::new("src", Source::Tree(skeleton.digest)));
        let listing = |it: &Repositories| Input::new(FetchCrates::REPOSITORIES, it.listing());
        let action = repositories.map(listing).into_iter().fold(action, Action::input);
        planner.add(outputs.into_iter().fold(action, Action::output))
    })
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

/// Returns the targets of all Rust components of the project in this workspace that have these variables in
/// run.toml, with the folders of their packages. All of them share one list of units.
fn selections(
    planner: &Planner<'_>,
    workspace: &Workspace,
    lock: &Lockfile,
    env: &BTreeMap<String, String>,
) -> BTreeMap<Selection, ProjectPath> {
    let mut found = BTreeMap::new();
    for (source, component) in planner.components_in(Language::Rust) {
        let inside = source.ancestors().find_map(|dir| workspace.packages.get(&dir));
        let Some(package) = inside.filter(|_| component.environment() == *env) else { continue };
        // A component that can't be selected reports that itself, and keeps no other one from being built.
        if let Ok(selection) = select(package, lock, source, &component.features) {
            found.insert(selection, package.dir.clone());
        }
    }
    found
}

/// Returns true if a component of the workspace has C in it, or the one from the package in `dir` does. One list
/// of units serves them all.
fn compiles_c(
    planner: &mut Planner<'_>,
    manifests: &Manifests,
    common: &Common,
    dir: &ProjectPath,
) -> Result<bool, CargoError> {
    let Common { workspace, lock, .. } = common;
    let in_others = planner.known(&format!("C in {}", workspace.root), |planner| {
        let components = planner.components_in(Language::Rust).into_iter();
        let packages = components.filter_map(|(source, _)| manifests.find(source).ok());
        let mut beside = packages.filter(|(_, root)| *root == workspace.root);
        // What is wrong with another component is reported when that is planned.
        Ok::<_, CargoError>(
            beside.any(|(package, _)| c_code::is_in(&package, manifests, lock).unwrap_or_default()),
        )
    })?;
    Ok(*in_others || c_code::is_in(dir, manifests, lock)?)
}
