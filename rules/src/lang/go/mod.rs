//! Go: a main package of a Go module, compiled by a pinned go for `GOOS=wasip1`.
//!
//! The actions of a component are these:
//! - *standard library*: compiled once for all components.
//! - *bindings*: generated from the WIT by this program.
//! - *fetch*: the modules of go.sum, over the network, pinned by checksum.
//! - *packages*: the bindings of imports and other people's modules, compiled once.
//! - *list*: the go command says which files and packages the component is made of.
//! - *layer*: arranges these answers and packages for the compiler and the linker.
//! - *compile*: one action for each of the project's own packages, so a one-line edit compiles one package.
//! - *link*: makes the core module.
//!
//! A component with `compiler = "tinygo"` is compiled by [`tinygo`] instead. How a component is laid out:
//! docs/languages.md.

mod arrange;
mod build_info;
mod command;
mod compile;
mod constraint;
mod embed;
mod error;
mod fetch;
mod flags;
mod hints;
mod imports;
mod listed;
mod manifest;
mod module;
mod not_compiled;
mod packages;
mod pattern;
mod places;
mod shared;
mod sources;
mod standard_library;
mod sums;
mod tinygo;
mod tools;
mod whole_module;

use crate::lang::rule::{NeededToolchains, Rule, Written};
use crate::manifest::Compiler;
use crate::toolchain::{GO, TINYGO, TINYGO_GO};

pub(super) const RULE: Rule = Rule {
    toolchains: NeededToolchains::Each(|_, components| {
        let needed = |component: &Written<'_>| match component.compiler {
            Some(Compiler::TinyGo) => vec![TINYGO, TINYGO_GO],
            _ => vec![GO],
        };
        components.iter().map(needed).collect()
    }),
    compile: compile::compile,
    hints: |output| {
        // The places come first, because they correct the paths in the text that the other hints read.
        let places = places::hint(output);
        places.into_iter().chain(hints::hints(output)).collect()
    },
};
