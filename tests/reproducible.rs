//! Same inputs, same bytes: whatever the path, the user, the clock, the jobs and the cache.

use crate::harness::{Workspace, repository};

/// The components of the polyglot example in Rust, Zig and C.
const COMPONENTS: [&str; 5] = ["api", "calc", "checksum", "sort", "banner"];

/// Builds them.
fn arguments(jobs: &str) -> Vec<&str> {
    let components = COMPONENTS.iter().flat_map(|name| ["-p", name]);
    ["build", "-j", jobs].into_iter().chain(components).collect()
}

fn read(workspace: &Workspace) -> Vec<Vec<u8>> {
    COMPONENTS.iter().map(|name| workspace.read(&format!("target/wasm/{name}.wasm"))).collect()
}

fn bytes(workspace: &Workspace, jobs: &str) -> Vec<Vec<u8>> {
    workspace.run_all(&arguments(jobs)).ok();
    read(workspace)
}

#[test]
fn components_are_byte_identical_everywhere() {
    let reference = bytes(&Workspace::example("polyglot"), "4");

    // From nothing: no result of an earlier build, one job, another path, another user.
    let other_user = Workspace::example("polyglot").private_store().user(54_321);
    assert!(bytes(&other_user, "1") == reference, "another user, path, store and -j1");

    // Another clock, and again no cache.
    let other_time = Workspace::example("polyglot").private_store();
    other_time.run_through(&["faketime", "-f", "+400d"], &arguments("4")).ok();
    assert!(read(&other_time) == reference, "another clock");

    // With the cache, from another path: nothing runs at all.
    let cached = Workspace::example("polyglot");
    let run = cached.run_all(&arguments("2")).ok();
    assert_eq!(run.ran(), Vec::<&str>::new());
    assert!(read(&cached) == reference, "from the cache");
}

#[test]
fn go_components_are_byte_identical_everywhere() {
    let arguments = ["build", "-p", "shop", "-j1"];
    let reference = Workspace::example("polyglot");
    reference.run(["build", "-p", "shop"]).ok();
    // Another path and clock, one job, and no result of an earlier build.
    let other = Workspace::example("polyglot").private_store();
    let run = other.run_through(&["faketime", "-f", "+400d"], &arguments).ok();
    assert!(run.ran().contains(&"go:standard library"), "{:?}", run.ran());
    assert!(other.read("target/wasm/shop.wasm") == reference.read("target/wasm/shop.wasm"));
}

#[test]
fn no_path_of_the_host_is_in_a_component() {
    let workspace = Workspace::example("polyglot");
    for bytes in bytes(&workspace, "2") {
        let text = String::from_utf8_lossy(&bytes);
        for path in [workspace.root().to_str().unwrap(), repository().to_str().unwrap()] {
            assert!(!text.contains(path), "{path}");
        }
    }
}
