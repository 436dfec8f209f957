//! Turns `run.toml` and sources into actions: the manifest, toolchains and their lock, WIT, and one module per language.
//!
//! Knows nothing of how actions are scheduled or cached (`engine`) and never prints.

pub mod lang;
pub mod manifest;
pub mod toolchain;
pub mod wasm;
pub mod wit;
