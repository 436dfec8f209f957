//! Tests of whole files: each reads a `run.toml` and compares everything that is said about it.

mod cases;
mod disk;
mod mutation;
mod page;
mod reference;
mod remedies;
mod scale;

use std::path::Path;

use super::{Diagnostics, Manifest};

/// Reads a text without a disk.
fn parse(text: &str) -> (Option<Manifest>, Diagnostics) {
    Manifest::parse(text, Path::new("/project"))
}

/// Reads a text that must be valid, but may cause warnings.
#[track_caller]
fn valid(text: &str) -> Manifest {
    let (manifest, findings) = parse(text);
    manifest.unwrap_or_else(|| panic!("{findings}\nin\n{text}"))
}
