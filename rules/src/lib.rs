//! Turns `run.toml` and sources into actions: the manifest, toolchains and their lock, WIT, and one
//! module per language.
//!
//! Knows nothing of how actions are scheduled or cached (`engine`), reads no environment and never
//! prints.

mod beside;
mod bounded;
mod broken_toml;
pub mod dependency;
pub mod diagnose;
mod edited;
mod errands;
mod lang;
pub mod manifest;
pub mod package;
pub mod path;
pub mod plan;
pub mod planner;
pub mod platform;
pub mod proof;
pub mod publish;
pub mod redact;
pub mod toolchain;
pub mod wasm;
pub mod wit;
mod worker;

pub use broken_toml::BrokenToml;
pub use edited::replace_file;
pub use errands::run_worker_if_asked;
