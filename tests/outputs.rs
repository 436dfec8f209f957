//! Tests that a build removes the outputs of components that are no longer in run.toml, and that it removes
//! nothing else from the output folder.

use std::path::Path;

use crate::configuration::prebuilt;
use crate::harness::Workspace;

const PROJECT: &str = "[project]\nname = \"p\"\nversion = \"0.1.0\"\n";

/// Writes a run.toml with components of these names.
fn components(workspace: &Workspace, names: &[&str], rest: &str) {
    let component = |name: &&str| {
        format!("\n[[component]]\nname = \"{name}\"\npath = \"vendor/legacy.wasm\"\n")
    };
    let components: String = names.iter().map(component).collect();
    workspace.write("run.toml", format!("{PROJECT}{components}{rest}"));
}

#[test]
fn a_renamed_component_leaves_nothing_behind() {
    let workspace = prebuilt();
    components(&workspace, &["old", "kept"], "");
    workspace.run(["build"]).ok();
    components(&workspace, &["new", "kept"], "");
    let run = workspace.run(["build"]).ok().says("     Removed target/wasm/old.wasm\n");
    assert!(!run.stderr.contains("kept.wasm"), "{}", run.stderr);
    assert!(!workspace.exists("target/wasm/old.wasm"));
    assert!(workspace.exists("target/wasm/new.wasm") && workspace.exists("target/wasm/kept.wasm"));
    let again = workspace.run(["build"]).ok();
    assert!(!again.stderr.contains("Removed"), "{}", again.stderr);
    components(&workspace, &["kept"], "");
    let run = workspace.run(["build", "--message-format", "json"]).ok();
    assert!(run.stdout.contains(r#"{"event":"removed","path":"target/wasm/new.wasm"}"#));
}

#[test]
fn a_component_that_is_disabled_goes_and_one_that_is_not_selected_stays() {
    let workspace = prebuilt();
    components(&workspace, &["one", "two"], "");
    workspace.run(["build"]).ok();
    components(&workspace, &["one", "two"], "enabled = false\n");
    workspace.run(["build", "-p", "one"]).ok();
    assert!(workspace.exists("target/wasm/two.wasm"), "this build was about `one` alone");
    workspace.run(["build"]).ok().says("Removed target/wasm/two.wasm");
    assert!(!workspace.exists("target/wasm/two.wasm"));
}

#[test]
fn a_former_output_folder_is_emptied() {
    let workspace = prebuilt();
    components(&workspace, &["one"], "");
    workspace.run(["build"]).ok();
    components(&workspace, &["one"], "\n[build]\noutput_dir = \"dist/wasm\"\n");
    workspace.run(["build"]).ok().says("Removed target/wasm/one.wasm");
    assert!(!workspace.exists("target") && workspace.exists("dist/wasm/one.wasm"));
}

#[test]
fn what_somebody_has_changed_or_put_there_is_left_alone() {
    let workspace = prebuilt();
    components(&workspace, &["one", "two", "three"], "");
    workspace.run(["build"]).ok();
    workspace.write("target/wasm/one.wasm", "mine");
    std::fs::remove_file(workspace.path("target/wasm/two.wasm")).unwrap();
    workspace.write("target/wasm/two.wasm/file", "mine");
    workspace.write("target/wasm/other.wasm", workspace.read("vendor/legacy.wasm"));
    components(&workspace, &["three"], "");
    let run = workspace.run(["build"]).ok();
    for name in ["one", "two"] {
        let told = format!("warning: `target/wasm/{name}.wasm` is made no longer; it stays");
        assert!(run.stderr.contains(&told), "{}", run.stderr);
    }
    assert_eq!(workspace.read_text("target/wasm/one.wasm"), "mine");
    assert!(workspace.exists("target/wasm/two.wasm/file"));
    assert!(workspace.exists("target/wasm/other.wasm"), "not written by a build");
    let again = workspace.run(["build"]).ok();
    assert!(!again.stderr.contains("made no longer"), "it is told once: {}", again.stderr);
}

#[test]
fn a_build_that_fails_removes_nothing() {
    let workspace = prebuilt();
    components(&workspace, &["one", "two"], "");
    workspace.run(["build"]).ok();
    components(&workspace, &["one"], "");
    workspace.write("vendor/legacy.wasm", "broken");
    workspace.run(["build"]).exits(1);
    assert!(workspace.exists("target/wasm/two.wasm"));
}

#[test]
fn clean_removes_what_former_builds_wrote() {
    let workspace = prebuilt();
    components(&workspace, &["one", "two", "three"], "");
    workspace.run(["build"]).ok();
    components(&workspace, &["one", "three"], "\n[build]\noutput_dir = \"dist\"\n");
    workspace.run(["build", "-p", "one"]).ok();
    workspace.write("target/wasm/three.wasm", "mine");
    let run = workspace.run(["clean"]).ok().says("`target/wasm/three.wasm` stays");
    assert!(run.stderr.contains("Removed 4 files"), "{}", run.stderr);
    assert!(!workspace.exists("dist") && !workspace.exists(".run"));
    assert!(!workspace.exists("target/wasm/one.wasm") && !workspace.exists("target/wasm/two.wasm"));
    assert_eq!(workspace.read_text("target/wasm/three.wasm"), "mine");
}

/// Without the journal nobody knows who wrote a file, so it stays. `run clean` still removes a file with the
/// name of a component, because a build would also overwrite it without asking.
#[test]
fn without_a_journal_only_the_names_in_run_toml_count() {
    let workspace = prebuilt();
    components(&workspace, &["one", "two"], "");
    workspace.run(["build"]).ok();
    std::fs::remove_dir_all(workspace.path(".run")).unwrap();
    components(&workspace, &["one"], "");
    workspace.run(["build"]).ok();
    std::fs::remove_dir_all(workspace.path(".run")).unwrap();
    workspace.run(["clean"]).ok();
    assert!(workspace.exists("target/wasm/two.wasm") && !workspace.exists("target/wasm/one.wasm"));
}

/// A journal may come with a checkout, so it must not lead to anything outside of the project.
#[test]
fn a_journal_of_somebody_else_reaches_nothing_outside() {
    let workspace = prebuilt();
    components(&workspace, &["one"], "");
    workspace.run(["build"]).ok();
    let line = workspace.read_text(".run/outputs");
    let digest = line.split(' ').next().unwrap().to_owned();
    let outside = workspace.root().join("outside.wasm");
    std::fs::copy(workspace.path("vendor/legacy.wasm"), &outside).unwrap();
    std::os::unix::fs::symlink(workspace.root(), workspace.path("link")).unwrap();
    std::os::unix::fs::symlink(&outside, workspace.path("outside.wasm")).unwrap();
    let names = ["../outside.wasm", outside.to_str().unwrap(), "link/outside.wasm", "outside.wasm"];
    let lines: String = names.iter().map(|name| format!("{digest} {name}\n")).collect();
    workspace.write(".run/outputs", format!("{line}{lines}blake3:00 x\n\u{0}\n"));
    workspace.run(["build"]).ok();
    workspace.run(["clean"]).ok();
    assert!(outside.exists() && Path::new(&workspace.path("outside.wasm")).is_symlink());
}

#[test]
fn a_build_that_is_killed_while_it_writes_is_remembered() {
    let workspace = prebuilt();
    let names: Vec<String> = (0..200).map(|at| format!("c{at}")).collect();
    components(&workspace, &names.iter().map(String::as_str).collect::<Vec<_>>(), "");
    let first = workspace.path("target/wasm/c0.wasm");
    let mut child = workspace.spawn(&["build", "-q"]);
    while !first.exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    components(&workspace, &["new"], "");
    workspace.run(["build"]).ok();
    let left = std::fs::read_dir(workspace.path("target/wasm")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    let ours = |name: &&std::ffi::OsString| !name.to_string_lossy().starts_with('.');
    assert_eq!(left.iter().filter(ours).collect::<Vec<_>>(), ["new.wasm"]);
}

#[test]
fn builds_at_the_same_time_forget_nothing_of_each_other() {
    let workspace = prebuilt();
    let names: Vec<String> = (0..8).map(|at| format!("c{at}")).collect();
    components(&workspace, &names.iter().map(String::as_str).collect::<Vec<_>>(), "");
    let builds: Vec<_> = names.iter().map(|name| workspace.spawn(&["build", "-p", name])).collect();
    for child in builds {
        crate::harness::Run::of(child.wait_with_output().unwrap()).ok();
    }
    components(&workspace, &["new"], "");
    workspace.run(["build"]).ok();
    assert_eq!(std::fs::read_dir(workspace.path("target/wasm")).unwrap().count(), 1);
}
