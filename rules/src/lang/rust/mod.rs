//! Rust: a Cargo package, compiled for `wasm32-wasip2` by a pinned cargo.
//!
//! *fetch* gets the crates of Cargo.lock, over the network, pinned by checksum. Cargo then lists what it would
//! compile ([`units`]), and each crate and each build script is an action of its own. So a crate is compiled
//! once, whatever else a lockfile has, and a one-line edit compiles one crate. Crates that the project patches
//! or vendors are compiled from the project's own files. For a package with `[package.metadata.component]` a
//! pinned cargo-component, a tool that is built from source, makes the bindings.

mod c_code;
mod c_compiler;
mod cargo;
mod cargo_component;
mod cargo_config;
mod compile;
mod error;
mod fence;
mod fetch;
mod git;
mod hints;
mod lock;
mod manifests;
mod metadata;
mod package;
mod process;
mod sources;
mod target_spec;
mod tool;
mod toolchain_file;
mod toolchains;
mod units;
mod vendored;
mod workspace;

use crate::lang::rule::{BROUGHT_BY_LIBRARY, NeededToolchains, Rule};

pub(super) const RULE: Rule = Rule {
    toolchains: NeededToolchains::Each(toolchains::needed),
    brings: BROUGHT_BY_LIBRARY,
    no_wasi_3: None,
    compile: compile::compile,
    hints: hints::hints,
};
