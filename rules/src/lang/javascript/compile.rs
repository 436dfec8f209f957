//! Plans a component in JavaScript or TypeScript: its packages, its bundle, the engine for its world, and tsc
//! as a check beside them. This file only puts the actions together; each action has a file of its own.

use super::engine::{self, PreparedEngine};
use super::lock::Needs;
use super::package::Package;
use super::world::World;
use super::{bundle, check, fetch};

use crate::manifest::Language;
use crate::planner::{Compiled, LangError, PlanError, Planner, Request};

/// The language of a component: JavaScript or TypeScript.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    JavaScript,
    TypeScript,
}

/// Adds the actions that make `request`'s component.
pub(super) fn compile(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
    dialect: Dialect,
) -> Result<Compiled, PlanError> {
    let typed = dialect == Dialect::TypeScript;
    let language = if typed { Language::TypeScript } else { Language::JavaScript };
    let wit = request.wit.ok_or(LangError::NeedsWit { language: language.as_str() })?;
    let world = World::of(planner, wit)?;
    let package = Package::discover(planner.project(), request.source);
    let needs = Needs::of(planner, &package, &|name| typed && fetch::has_types_only(name))?;
    let packages = fetch::packages(planner, &package, &needs, typed)?;
    let sources = package.sources(planner, request, &needs)?;
    let engine = PreparedEngine::plan(planner, wit, &world)?;
    let tree = planner.store_tree(sources.tree.clone())?;
    let bundle = bundle::plan(planner, request, &world, tree, packages.as_ref())?;
    let checks = match typed && request.check {
        true => vec![check::plan(planner, request, wit, &world, sources, packages.as_ref())?],
        false => Vec::new(),
    };
    let action = engine.compile(request, bundle);
    Ok(Compiled { action: planner.add(action)?, output: engine::OUTPUT.to_owned(), checks })
}
