//! JavaScript and TypeScript: a module and everything that it imports, made a component by the parts of jco
//! and componentize-js.
//!
//! A component takes four actions. *engine* joins the JavaScript engine with the world and compiles the
//! result, once per world. *fetch* gets the packages of package-lock.json. *bundle* makes one module of the
//! sources; an edit that leaves it the same, such as that of a comment, goes no further. *compile* runs the
//! module in the engine and keeps the state that the engine is in then.
//!
//! For TypeScript, *types* declares the types of the world, and *check* checks those of the sources, unless
//! `check = false`. A build fails if the check fails, but no other action waits for it.

mod alias;
mod bundle;
mod check;
mod compile;
mod engine;
mod error;
mod fetch;
mod hints;
mod lock;
mod package;
mod tsconfig;
mod world;

use compile::Dialect;

use crate::lang::rule::{BROUGHT_BY_ANY, NeededToolchains, Rule};
use crate::toolchain::{ESBUILD, JCO, TYPESCRIPT};

/// The reason why there are no components for WASI 0.3.
const NO_WASI_3: Option<&str> =
    Some("asynchronous exports end the JavaScript engine of componentize-js");

pub(super) const RULE: Rule = Rule {
    toolchains: NeededToolchains::Same(&[ESBUILD, JCO]),
    // The engine imports clocks, random numbers and the client, and jco everything that the world names.
    brings: BROUGHT_BY_ANY,
    no_wasi_3: NO_WASI_3,
    compile: |planner, request| compile::compile(planner, request, Dialect::JavaScript),
    hints: hints::hints,
};

pub(super) const TYPESCRIPT_RULE: Rule = Rule {
    toolchains: NeededToolchains::Same(&[ESBUILD, JCO, TYPESCRIPT]),
    brings: BROUGHT_BY_ANY,
    no_wasi_3: NO_WASI_3,
    compile: |planner, request| compile::compile(planner, request, Dialect::TypeScript),
    // The rule of JavaScript has the hints for both languages.
    hints: |_| Vec::new(),
};
