//! Tests what goes wrong on real machines: killed processes, races, damaged files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::configuration::prebuilt;
use crate::harness::{Run, Workspace};

/// The number of times that a build is killed.
const KILLS: u64 = 50;

#[test]
fn a_killed_build_loses_nothing() {
    let workspace = Workspace::example("hello");
    let program = |round: u64| format!("fn main() {{ println!(\"round {round}\"); }}\n");
    workspace.write("src/main.rs", program(0));
    let started = std::time::Instant::now();
    workspace.run(["build"]).ok();
    workspace.write("src/main.rs", program(1));
    let before = std::time::Instant::now();
    workspace.run(["build"]).ok();
    let length = before.elapsed();
    eprintln!("first build {:?}, an edit {length:?}", before - started);
    for round in 0..KILLS {
        // There is always something to compile, so that a kill can happen at every stage of a build.
        workspace.write("src/main.rs", program(1000 + round));
        let mut child = workspace.spawn(&["build"]);
        std::thread::sleep(moment(round, length));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let survivor = workspace.run(["build"]).ok();
    let bytes = workspace.read("target/wasm/hello.wasm");
    assert!(bytes.windows(10).any(|window| window == b"round 1049"), "{}", survivor.stderr);
    // The bytes are right: they are the same as with a store that no kill has touched.
    let clean = Workspace::example("hello").private_store();
    clean.write("src/main.rs", program(1000 + KILLS - 1));
    clean.run(["build"]).ok();
    assert!(clean.read("target/wasm/hello.wasm") == bytes);
}

/// Returns the moment of a kill. The moments are spread over the length of a build and are the same in every
/// run (a linear congruential sequence).
fn moment(round: u64, length: Duration) -> Duration {
    let mixed =
        round.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    length.mul_f64((mixed >> 33) as f64 / f64::from(u32::MAX >> 1))
}

#[test]
fn two_builds_at_once_both_succeed() {
    let workspace = Workspace::example("hello");
    workspace.run(["build"]).ok();
    for round in 0..3 {
        workspace.write("src/main.rs", format!("fn main() {{ println!(\"both {round}\"); }}\n"));
        let builds: Vec<_> = (0..2).map(|_| workspace.spawn(&["build"])).collect();
        for child in builds {
            Run::of(child.wait_with_output().unwrap()).ok();
        }
        let bytes = workspace.read("target/wasm/hello.wasm");
        let wanted = format!("both {round}");
        assert!(bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes()));
    }
}

#[test]
fn two_projects_may_fill_one_empty_store_at_once() {
    let first = prebuilt();
    let home = first.store().parent().unwrap().to_owned();
    let second = prebuilt().env("RUN_HOME", &home);
    let builds = [first.spawn(&["build"]), second.spawn(&["build"])];
    for child in builds {
        Run::of(child.wait_with_output().unwrap()).ok();
    }
    assert_eq!(first.read("target/wasm/legacy.wasm"), second.read("target/wasm/legacy.wasm"));
}

#[test]
fn a_flipped_byte_in_any_blob_is_noticed_and_repaired() {
    let workspace = prebuilt();
    workspace.run(["build"]).ok();
    let right = workspace.read("target/wasm/legacy.wasm");
    let blobs = files(&workspace.store().join("cas"));
    assert!(!blobs.is_empty());
    for blob in blobs {
        let metadata = std::fs::metadata(&blob).unwrap();
        if metadata.len() == 0 {
            continue;
        }
        flip(&blob);
        // A build may need the blob in two ways.
        std::fs::remove_file(workspace.path("target/wasm/legacy.wasm")).unwrap();
        workspace.run(["build"]).ok();
        assert!(workspace.read("target/wasm/legacy.wasm") == right, "{}", blob.display());
        std::fs::remove_dir_all(workspace.path(".run")).unwrap();
        std::fs::remove_file(workspace.path("target/wasm/legacy.wasm")).unwrap();
        workspace.run(["build"]).ok();
        assert!(workspace.read("target/wasm/legacy.wasm") == right, "{}", blob.display());
    }
}

#[test]
fn a_flipped_byte_in_a_toolchain_is_noticed_and_repaired() {
    let workspace = Workspace::example("hello").private_store();
    workspace.run(["build"]).ok();
    // The largest executable blob is the compiler itself.
    let rustc = files(&workspace.store().join("cas"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "x"))
        .max_by_key(|path| std::fs::metadata(path).unwrap().len())
        .unwrap();
    flip(&rustc);
    workspace.write("src/main.rs", "fn main() { println!(\"repaired\"); }\n");
    workspace.run(["build"]).ok().says("warning: a blob of the store was damaged and set aside, ");
    let bytes = workspace.read("target/wasm/hello.wasm");
    assert!(bytes.windows(8).any(|window| window == b"repaired"));
}

#[test]
fn an_interrupt_ends_the_build_with_8_and_leaves_nothing_running() {
    let workspace = Workspace::example("hello");
    workspace.run(["build"]).ok();
    workspace.write(
        "build.rs",
        "fn main() { std::thread::sleep(std::time::Duration::from_secs(600)); }",
    );
    let child = workspace.spawn(&["build"]);
    std::thread::sleep(Duration::from_secs(4));
    interrupt(child.id());
    let ended = std::time::Instant::now();
    let run = Run::of(child.wait_with_output().unwrap()).exits(8);
    assert!(ended.elapsed() < Duration::from_secs(5), "{}", run.stderr);
    assert!(run.stderr.contains("Interrupted"), "{}", run.stderr);
}

fn interrupt(pid: u32) {
    let status = std::process::Command::new("kill").args(["-INT", &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

/// Flips the lowest bit in the middle of a file, in place.
fn flip(path: &Path) {
    use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
