//! Turns `run.toml` and sources into actions: the manifest, toolchains and their lock, WIT, and one
//! module per language.
//!
//! Knows nothing of how actions are scheduled or cached (`engine`), reads no environment and never
//! prints.

pub mod diagnose;
mod environment;
mod lang;
pub mod manifest;
mod memo;
pub mod path;
pub mod plan;
pub mod toolchain;
pub mod wasm;
pub mod wit;

pub use lang::{Complaint, LangError, SourceTreeError};
