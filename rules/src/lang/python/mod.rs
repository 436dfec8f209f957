//! Python: a module and everything that it imports, made a component by componentize-py.
//!
//! Two actions do it. *fetch* gets the wheels that the project's lockfile pins by checksum, over the network,
//! into one folder of packages. *compile* runs componentize-py on the project's own files and that folder.
//! There is no layer, because componentize-py embeds an interpreter of its own and offers no step whose
//! result could be kept.

mod compile;
mod error;
mod fetch;
mod file;
mod guest;
mod hints;
mod late;
mod lock;
mod marker;
mod metadata;
mod module;
mod pyproject;
mod requirement;
mod statements;
mod wheel;

use crate::lang::rule::{BROUGHT_BY_ANY, NeededToolchains, Rule};
use crate::toolchain::COMPONENTIZE_PY;

pub(super) const RULE: Rule = Rule {
    toolchains: NeededToolchains::Same(&[COMPONENTIZE_PY]),
    // The interpreter imports nearly everything, and componentize-py everything that the world names.
    brings: BROUGHT_BY_ANY,
    no_wasi_3: None,
    compile: compile::compile,
    hints: hints::hints,
};
