//! Tests advice for Rust by following it word for word.

use std::process::Command;

use super::{ITOA, app, local};
use crate::harness::Workspace;
use crate::remedies::{add_to_component, told};

/// Runs the commands of the hint that begins with `with: `, in the project's folder, as a user would.
fn follow(workspace: &Workspace, said: &str) {
    let (_, command) =
        said.split_once("with: ").unwrap_or_else(|| panic!("no command in:\n{said}"));
    let command = command.lines().next().unwrap();
    let ended = Command::new("sh").args(["-c", command]).current_dir(workspace.path("")).output();
    let ended = ended.unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command}:\n{stderr}");
}

#[test]
fn a_toolchain_file_that_asks_for_another_rust_is_told() {
    let workspace = app("src/main.rs")
        .package("", "app", "")
        .file("rust-toolchain.toml", "[toolchain]\nchannel = \"nightly\"\n")
        .file("src/main.rs", "fn main() { println!(\"hi\"); }\n")
        .cargo_lock(&[&local("app", "")]);
    workspace.run(["build"]).ok().says("`rust-toolchain.toml` asks for Rust `nightly`");
    workspace.write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95\"\n");
    let run = workspace.run(["build"]).ok();
    assert!(!run.stderr.contains("rust-toolchain"), "{}", run.stderr);
}

#[test]
fn a_source_without_a_package_gets_one() {
    let workspace = app("src/main.rs").file("src/main.rs", "fn main() { println!(\"hi\"); }\n");
    let run = workspace.run(["build"]).exits(2).says("belongs to no Cargo package");
    follow(&workspace, &run.stderr);
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "hi\n");
}

/// The advice comes in steps: first a package, and then the section that says what a library is compiled to.
#[test]
fn a_library_without_a_package_gets_one() {
    let workspace = app("src/lib.rs").file("src/lib.rs", "");
    let make = told(&workspace, "run build", 2).after("make one with: ");
    workspace.types(&make).ok();
    let refused = told(&workspace, "run build", 2);
    refused.advises("add to Cargo.toml: `[lib]` and, below it, `crate-type");
    let section = format!("\n{}\n{}\n", refused.text("[lib]"), refused.text("crate-type = "));
    let manifest = workspace.read_text("Cargo.toml");
    workspace.write("Cargo.toml", format!("{manifest}{section}"));
    workspace.types("run build").ok();
    // It is already a library, but of another kind.
    workspace.replace("Cargo.toml", "\"cdylib\"", "\"rlib\"");
    let kind = told(&workspace, "run build", 2).text("\"cdylib\"");
    workspace.replace("Cargo.toml", "[\"rlib\"]", &format!("[\"rlib\", {kind}]"));
    workspace.types("run build").ok();
}

#[test]
fn a_source_of_another_name_gets_a_package() {
    let workspace = app("tools/tool.rs").file("tools/tool.rs", "fn main() { println!(\"hi\"); }\n");
    let refused = told(&workspace, "run build", 2);
    refused
        .advises("write a Cargo.toml beside or above it, with a `[package]` and `[[bin]] name = ");
    refused.advises("`path` being where `tool.rs` is");
    let binary = refused.text("[[bin]] ").replace("]] ", "]]\n");
    for (folder, path) in [("", "tools/tool.rs"), ("tools/", "tool.rs")] {
        let package = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
        let manifest = format!("{folder}Cargo.toml");
        workspace.write(&manifest, format!("{package}\n{binary}\npath = \"{path}\"\n"));
        let make = told(&workspace, "run build", 2).after("make it with: ");
        workspace.types(&make).ok();
        workspace.types("run build").ok();
        assert_eq!(workspace.app_prints(), "hi\n");
        std::fs::remove_file(workspace.path(&manifest)).unwrap();
    }
}

#[test]
fn a_package_without_a_lockfile_gets_one() {
    let workspace = app("src/main.rs")
        .package("", "app", "")
        .file("src/main.rs", "fn main() { println!(\"hi\"); }\n");
    let run = workspace.run(["build"]).exits(2).says("no Cargo.lock");
    follow(&workspace, &run.stderr);
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "hi\n");
}

/// Makes a Cargo workspace with a package that inherits its version from it. run.toml is beside the package.
fn workspace_above(package: &str) -> Workspace {
    app("src/main.rs")
        .file(
            "../Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"project\"]\n[workspace.package]\nversion = \"1.2.3\"\n",
        )
        .file("../Cargo.lock", "version = 4\n\n[[package]]\nname = \"api\"\nversion = \"1.2.3\"\n")
        .file("Cargo.toml", format!("[package]\nname = \"api\"\n{package}\n"))
        .file("src/main.rs", "fn main() { println!(env!(\"CARGO_PKG_VERSION\")); }\n")
}

#[test]
fn a_workspace_above_run_toml_is_named() {
    let workspace = workspace_above("version.workspace = true");
    let run = workspace.run(["build"]).exits(2);
    for expect in [
        "Cargo.toml belongs to the Cargo workspace of `../Cargo.toml`",
        "move run.toml (and run.lock.toml) beside `../Cargo.toml`",
    ] {
        assert!(run.stderr.contains(expect), "no {expect:?} in:\n{}", run.stderr);
    }
    assert!(!run.stderr.contains("empty `[workspace]`"), "{}", run.stderr);
    // A lockfile beside the package does not help, and does not change the message.
    workspace.write("Cargo.lock", workspace.read("../Cargo.lock"));
    workspace.run(["build"]).exits(2).says("belongs to the Cargo workspace of `../Cargo.toml`");
    // The advice is followed: run.toml moves beside the workspace's manifest, and its paths are relative to
    // there.
    let text = workspace.read_text("run.toml").replace("src/main.rs", "project/src/main.rs");
    workspace.write("../run.toml", text);
    std::fs::remove_file(workspace.path("run.toml")).unwrap();
    let _ = std::fs::remove_file(workspace.path("run.lock.toml"));
    workspace.run(["-C", "..", "build"]).ok();
    assert!(workspace.exists("../target/wasm/app.wasm"));
}

#[test]
fn a_package_that_takes_nothing_from_the_workspace_above_may_stand_alone() {
    let workspace = workspace_above("version = \"1.2.3\"\nedition = \"2021\"");
    workspace.run(["build"]).exits(2).says("add an empty `[workspace]` to Cargo.toml");
    let manifest = workspace.read_text("Cargo.toml");
    workspace.write("Cargo.toml", format!("{manifest}\n[workspace]\n"));
    let run = workspace.run(["build"]).exits(2).says("no Cargo.lock");
    follow(&workspace, &run.stderr);
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "1.2.3\n");
}

#[test]
fn forgotten_wit_is_asked_for_as_wit() {
    let workspace = Workspace::example("polyglot");
    let text = workspace.read_text("run.toml").replace("wit = \"components/calc/wit\"\n", "");
    workspace.write("run.toml", text);
    let line = told(&workspace, "run build calc", 1).text("wit = ");
    let source = "source = \"components/calc/src/lib.rs\"\n";
    workspace.replace("run.toml", source, &format!("{source}{line}\n"));
    workspace.types("run build calc").ok();
}

#[test]
fn a_stale_lockfile_is_mended_by_the_command_it_names() {
    let workspace = app("src/main.rs")
        .package("", "app", "[dependencies]\nitoa = \"1\"\n")
        .file("src/main.rs", "fn main() { println!(\"{}\", itoa::Buffer::new().format(3)); }\n")
        .cargo_lock(&[&local("app", "\"itoa\""), ITOA]);
    workspace.replace("Cargo.toml", "[dependencies]\n", "[dependencies]\ncfg-if = \"1\"\n");
    workspace.run(["build"]).exits(1).says("run `cargo update --workspace`");
    let mut update = Command::new("cargo");
    update.args(["update", "--workspace"]).current_dir(workspace.path(""));
    assert!(update.status().unwrap().success());
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "3\n");
}

/// Cargo's own message gives no remedy in run.toml, so `run` gives one.
#[test]
fn a_feature_that_a_binary_requires_is_switched_on() {
    let workspace = app("src/tool.rs")
        .package(
            "",
            "app",
            "[[bin]]\nname = \"tool\"\npath = \"src/tool.rs\"\nrequired-features = [\"cli\", \"net\"]\n\
             [features]\ncli = []\nnet = []\n",
        )
        .file("src/tool.rs", "fn main() { println!(\"{}\", cfg!(feature = \"cli\")); }\n")
        .cargo_lock(&[&local("app", "")]);
    let line = told(&workspace, "run build", 1).text("features = [");
    add_to_component(&workspace, &line);
    workspace.types("run build").ok();
    assert_eq!(workspace.app_prints(), "true\n");
}
