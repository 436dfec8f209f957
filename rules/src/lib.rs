//! Turns `run.toml` and sources into actions: the manifest, toolchains and their lock, WIT, and one
//! module per language.
//!
//! Knows nothing of how actions are scheduled or cached (`engine`), reads no environment and never
//! prints.

mod bounded;
mod broken_toml;
pub mod diagnose;
mod environment;
mod lang;
pub mod manifest;
mod memo;
pub mod path;
pub mod plan;
pub mod redact;
pub mod toolchain;
pub mod wasm;
pub mod wit;
mod worker;

pub use broken_toml::BrokenToml;
pub use lang::{Complaint, LangError, SourceTreeError};
pub use worker::run_worker_if_asked;
