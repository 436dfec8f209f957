//! Tests the cache that a team shares, with the servers that teams run: what one machine has made, another one does not
//! make again, and no fault of a server harms a build.

mod bazel;
mod commands;
mod execution;
mod idle;
mod machines;
mod servers;
mod trust;

use std::path::Path;

use crate::harness::{Run, Workspace};

/// The component of the polyglot example that builds quickly, in C. Its toolchain has 250 MB.
pub(super) const SOME: [&str; 1] = ["sort"];

/// Returns a copy of the polyglot example on another machine: its own home, store and path, and another user. It reaches no
/// registry.
fn other_machine() -> Workspace {
    let nowhere = "http://127.0.0.1:9";
    let machine = Workspace::example("polyglot").private_store().user(54_322);
    ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"]
        .iter()
        .fold(machine, |machine, name| machine.env(name, nowhere))
        .env("NO_PROXY", "127.0.0.1")
}

/// Builds components with a cache.
fn build(machine: &Workspace, url: &str, more: &[&str], components: &[&str]) -> Run {
    let arguments: Vec<&str> =
        ["build", "--remote", url].iter().chain(more).chain(components).copied().collect();
    machine.run_all(&arguments)
}

/// Checks that a machine has the same components as another one.
#[track_caller]
fn assert_same(one: &Workspace, other: &Workspace, components: &[&str]) {
    for name in components {
        let path = format!("target/wasm/{name}.wasm");
        assert!(one.read(&path) == other.read(&path), "{name} differs");
    }
}

/// Returns the number of files below a folder.
fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files_below(&entry.path()),
        _ => 1,
    };
    entries.map(count).sum()
}
