//! Go: a main package of a Go module, compiled by a pinned go for `GOOS=wasip1`.
//!
//! The actions of a component are these:
//! - *bindings*: generated from the WIT by this program.
//! - *fetch*: the modules of go.sum, over the network, pinned by checksum.
//! - *list*: the go command says which files and packages the component is made of, down to the standard
//!   library. It stays the judge of that.
//! - *layer*: arranges its answer for planning, which goes on with it, and for the linker.
//! - *compile*: one action for each package. Those of the standard library and of other people's modules are
//!   shared by all components and projects.
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
mod pack;
mod packages;
mod pattern;
mod pieces;
mod places;
mod program;
mod sources;
mod sums;
mod tinygo;
mod whole_module;

use crate::lang::rule::{BROUGHT_BY_LIBRARY, NeededToolchains, Rule, Written};
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
    brings: BROUGHT_BY_LIBRARY,
    no_wasi_3: Some("Go's scheduler has no support for asynchronous exports yet"),
    compile: compile::compile,
    hints: |output| {
        // The places come first, because they correct the paths in the text that the other hints read.
        let places = places::hint(output);
        places.into_iter().chain(hints::hints(output)).collect()
    },
};
