//! Same inputs, same bytes: whatever the path, the user, the clock, the jobs and the cache.

use crate::harness::{Workspace, repository};

/// The components of the polyglot example in Rust, Go, Zig and C.
const SAME: [&str; 6] = ["api", "calc", "shop", "checksum", "sort", "banner"];

/// Those in Python, JavaScript and TypeScript: their tools keep the state of an interpreter, which
/// has seen random numbers and clocks. One that is the same everywhere belongs to the others.
const NOT_YET: [&str; 4] = ["greeter", "report", "slug", "quote"];

/// The component whose toolchain comes through cargo, which a user without Rust does not have.
const NEEDS_CARGO: &str = "shop";

/// Builds components.
fn arguments<'a>(names: &[&'a str], jobs: &'a str) -> Vec<&'a str> {
    let components = names.iter().flat_map(|name| ["-p", name]);
    ["build", "-j", jobs].into_iter().chain(components).collect()
}

fn read(workspace: &Workspace, names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| workspace.read(&format!("target/wasm/{name}.wasm"))).collect()
}

#[test]
fn components_are_byte_identical_everywhere() {
    let first = Workspace::built("polyglot");
    let reference = read(&first, &SAME);

    // From nothing: no result of an earlier build, one job, another path, another user.
    let other_user = Workspace::example("polyglot").private_store().user(54_321);
    let names: Vec<&str> = SAME.into_iter().filter(|name| *name != NEEDS_CARGO).collect();
    other_user.run_all(&arguments(&names, "1")).ok();
    let same = read(&other_user, &names) == read(&first, &names);
    assert!(same, "another user, path, store and -j1");

    // Another clock, and again no cache.
    let other_time = Workspace::example("polyglot").private_store();
    other_time.run_through(&["faketime", "-f", "+400d"], &["build", "-j4"]).ok();
    assert!(read(&other_time, &SAME) == reference, "another clock");

    let both = read(&first, &NOT_YET).into_iter().zip(read(&other_time, &NOT_YET));
    let differ = NOT_YET.into_iter().zip(both).filter(|(_, (one, other))| one != other);
    let differ: Vec<&str> = differ.map(|(name, _)| name).collect();
    eprintln!("not byte-identical yet: {}", differ.join(", "));
    assert_eq!(differ, NOT_YET, "a component that is the same everywhere belongs to `SAME`");

    // With the cache, from another path: nothing runs at all.
    let cached = Workspace::example("polyglot");
    let run = cached.run_all(&arguments(&SAME, "2")).ok();
    assert_eq!(run.ran(), Vec::<&str>::new());
    assert!(read(&cached, &SAME) == reference, "from the cache");
}

#[test]
fn no_path_of_the_host_is_in_a_component() {
    let workspace = Workspace::built("polyglot");
    for bytes in read(&workspace, &SAME) {
        let text = String::from_utf8_lossy(&bytes);
        for path in [workspace.root().to_str().unwrap(), repository().to_str().unwrap()] {
            assert!(!text.contains(path), "{path}");
        }
    }
}
