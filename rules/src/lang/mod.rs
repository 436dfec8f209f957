//! The source languages: how the sources of a component become a component or a core module.
//!
//! There is one module per language. It is given a [`Request`](crate::planner::Request) and a
//! [`Planner`](crate::planner::Planner). It adds its actions to the graph and says which output is the
//! result. Checking the result against its WIT world and stamping it are the same for all languages
//! ([`crate::wasm::Finish`]), so no module here knows of them.
//!
//! To add a language: its name in [`Language`], a module here with its [`Rule`], a line in [`rule()`], and an
//! entry in the toolchain catalogue.

pub(crate) mod bindings;
mod go;
mod javascript;
mod python;
pub(crate) mod rule;
mod rust;
mod zig;

use rule::Rule;

use crate::manifest::Language;

/// Returns the rule of a language.
pub(crate) const fn rule(language: Language) -> &'static Rule {
    match language {
        Language::Rust => &rust::RULE,
        Language::Python => &python::RULE,
        Language::Go => &go::RULE,
        Language::JavaScript => &javascript::RULE,
        Language::TypeScript => &javascript::TYPESCRIPT_RULE,
        Language::Zig => &zig::RULE,
        Language::C => &zig::C_RULE,
        Language::Cpp => &zig::CPP_RULE,
    }
}
