//! Tests run.lock.toml: a build needs it, and reports if it is incomplete or wrong.

use crate::harness::Workspace;

#[test]
fn without_a_lock_ci_and_locked_builds_stop_with_the_command_to_run() {
    let workspace = Workspace::example("hello");
    std::fs::remove_file(workspace.path("run.lock.toml")).unwrap();
    workspace.run(["build", "--locked"]).exits(2).says("run toolchain sync");
    assert!(!workspace.exists("run.lock.toml") && !workspace.exists("target"));
    let ci = workspace.env("CI", "true");
    ci.run(["build"]).exits(2).says("run toolchain sync");
}

#[test]
fn a_build_without_a_lock_makes_one_and_syncing_again_changes_no_byte() {
    let workspace = Workspace::example("hello");
    std::fs::remove_file(workspace.path("run.lock.toml")).unwrap();
    workspace.run(["build"]).ok();
    let lock = workspace.read_text("run.lock.toml");
    for expected in [
        "[toolchains]\n",
        "rust = \"1.95.0\"",
        "[checksums]\n",
        "rust = \"sha256:",
        "[[package]]",
        "pkg:deb/debian/libc6@",
    ] {
        assert!(lock.contains(expected), "no {expected:?} in:\n{lock}");
    }
    workspace.run(["toolchain", "sync"]).ok();
    assert_eq!(workspace.read_text("run.lock.toml"), lock);
    workspace.run(["build", "--frozen"]).ok();
}

/// One store is empty, and the other has the content of other tests.
#[test]
fn two_fresh_syncs_give_the_same_lock() {
    let stores = [Workspace::private_store, |workspace| workspace];
    let locks = stores.map(|with_store| {
        let workspace = with_store(Workspace::example("polyglot"));
        std::fs::remove_file(workspace.path("run.lock.toml")).unwrap();
        workspace.run(["toolchain", "sync"]).ok();
        workspace.read_text("run.lock.toml")
    });
    assert_eq!(locks[0], locks[1]);
}

#[test]
fn other_bytes_than_pinned_end_with_102_and_nothing_is_kept() {
    let workspace = Workspace::example("hello").private_store();
    // The pin of one package differs from the package in the registry.
    let lock = workspace.read_text("run.lock.toml");
    let package = lock.find("file = \"busybox-static").expect("it is in the image");
    let at = package + lock[package..].find("sha256 = \"").unwrap() + "sha256 = \"".len();
    let mut broken = lock.into_bytes();
    broken[at] = if broken[at] == b'0' { b'1' } else { b'0' };
    workspace.write("run.lock.toml", broken);
    workspace.run(["build"]).exits(102);
    assert!(!workspace.exists("target/wasm/hello.wasm"));
}

#[test]
fn a_broken_lock_is_named_with_its_line() {
    let workspace = Workspace::example("hello");
    workspace.write("run.lock.toml", "[toolchains]\nrust = 1\n");
    workspace.run(["build"]).exits(2).says("run.lock.toml:2:");
}

#[test]
fn a_pinned_crate_with_other_bytes_ends_with_102() {
    let workspace = Workspace::example("polyglot");
    let lock = workspace.read_text("Cargo.lock");
    let at = lock.find("checksum = \"").unwrap() + "checksum = \"".len();
    let mut broken = lock.into_bytes();
    broken[at] = if broken[at] == b'0' { b'1' } else { b'0' };
    workspace.write("Cargo.lock", broken);
    workspace.run(["build", "-p", "calc"]).exits(102);
}
