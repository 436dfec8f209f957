//! Generates the bindings of a package for cargo-component.
//!
//! That is all that such a package needs the tool for: with its bindings in place, it is compiled like any other. The
//! tool has a command for the bindings alone, but that one always wants to reach a registry. Before every other command
//! it makes the bindings, too. So it is asked to run a command of Cargo that compiles nothing.

use std::rc::Rc;

use cache::{Digest, Entry};
use engine::{Action, Input, Label, Source, quote};

use super::error::CargoError;
use super::manifests::read_manifest;
use super::metadata::{self, WIT};
use super::package::Package;
use super::process::cargo_process;
use super::sources::{Common, Generated};
use super::tool::built_tool;
use crate::planner::source_tree::SourceTree;
use crate::planner::{ComponentWit, PlanError, Planner, Request, in_action};
use crate::toolchain::CARGO_COMPONENT;

/// The file of bindings in the package, and the output of the action. A copy in the checkout is not used.
const BINDINGS: &str = "bindings.rs";

/// Checks that the package's manifest fits run.toml, before anything runs.
pub(super) fn check(
    planner: &Planner<'_>,
    package: &Package,
    request: &Request<'_>,
) -> Result<(), PlanError> {
    let manifest = read_manifest(planner.project(), &package.dir)?;
    metadata::check(package, &manifest, request.wit).map_err(CargoError::from)?;
    Ok(())
}

/// Returns the bindings of the package.
///
/// # Errors
/// Those of [`check`], and [`PlanError::Unknown`] while the bindings are not known.
pub(super) fn bindings(
    planner: &mut Planner<'_>,
    common: &Common,
    package: &Package,
    request: &Request<'_>,
    image: &Source,
) -> Result<Generated, PlanError> {
    let manifest = read_manifest(planner.project(), &package.dir)?;
    let wit = metadata::check(package, &manifest, request.wit).map_err(CargoError::from)?;
    let packages = packages(planner, wit)?;
    let root = &common.workspace.root;
    let mut sources = SourceTree::on(Rc::clone(&common.skeleton));
    let manifest = metadata::retargeted(&manifest, &wit.world, packages.into_iter());
    sources.generated(package.dir.join("Cargo.toml"), manifest);
    // Without a lockfile of its own, the tool refuses WIT of several packages when it is offline. Packages in
    // folders are not listed in it.
    sources.generated(root.join("Cargo-component.lock"), "version = 1\n");
    let path = package.dir.join("src").join(BINDINGS);
    let script = format!(
        "{CARGO_COMPONENT} pkgid --quiet --locked --offline -p {} > /dev/null && cp {} /out/{BINDINGS}",
        quote(&common.lock.specification(package)),
        quote(&format!("/{}", in_action(&path)))
    );
    let process = cargo_process(root, &script, request.env.clone());
    let action = Action::process(Label::new(request.name, "generate bindings"), process)
        .input(Input::root(image.clone()))
        .input(Input::root(built_tool(planner, CARGO_COMPONENT)?))
        .input(Input::scratch("src", Source::Tree(planner.store_tree(sources)?)))
        .input(Input::new(WIT, Source::Tree(wit.tree)))
        .output(BINDINGS);
    let action = planner.add(action)?;
    Ok(Generated { path, text: planner.content(action, BINDINGS)? })
}

/// Returns the names of the folders below `deps/` of completed WIT.
fn packages(planner: &Planner<'_>, wit: &ComponentWit) -> Result<Vec<String>, PlanError> {
    let store = planner.store();
    let folder =
        |digest: &Digest| store.directory(digest)?.ok_or(cache::StoreError::Missing(*digest));
    match folder(&wit.tree)?.entries.get("deps") {
        Some(Entry::Subtree(deps)) => Ok(folder(deps)?.entries.into_keys().collect()),
        _ => Ok(Vec::new()),
    }
}
