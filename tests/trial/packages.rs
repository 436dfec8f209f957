//! Packages and components that are there for tests only.

use super::fixture::{checker, project_of, rng, user};
use super::{line, ran, shows};
use crate::harness::Workspace;

/// A folder that is a registry with `test:rng`, a component that gives the number 21.
fn registry() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let text = format!("\n[registry]\nurl = \"{url}\"\n");
    let publisher = project_of("rng", rng("1.0.0", 21), &text);
    publisher.run(["publish", "-p", "rng", "--package", "test:rng"]).ok();
    (folder, url)
}

const TWICE: &str = r#"
[[test]]
name = "adds two numbers"
component = "user"
function = "twice"
expect = "42"
with = ["test:rng"]

[[test]]
name = "has no mock"
component = "user"
function = "twice"
expect = "42"
"#;

#[test]
fn a_package_of_a_registry_stands_in_for_an_import() {
    let (_folder, url) = registry();
    let rest = format!(
        "{TWICE}\n[dev_dependencies]\n\"test:rng\" = \"0.1.0\"\n\n[registry]\nurl = \"{url}\"\n"
    );
    let workspace = project_of("user", user(), &rest);
    // A build needs no package for tests, and pins none.
    workspace.run(["build"]).ok();
    assert!(!workspace.exists("run.lock.toml"));
    workspace.run(["test", "--locked"]).exits(2).says("test:rng");
    let run = workspace.run(["test"]).exits(3);
    assert!(workspace.read_text("run.lock.toml").contains("name = \"test:rng\""));
    assert!(run.ran().contains(&"user:compose with test:rng"), "{:?}", run.ran());
    line(&run, "ok user: adds two numbers (");
    shows(&run, "component imports instance `demo:rng/rand@1.0.0`");
    // Everything is kept, so nobody is asked.
    drop(_folder);
    let run = workspace.run(["test", "adds", "--frozen"]).ok();
    line(&run, "ok user: adds two numbers (cached)");
    workspace.run(["build", "--frozen"]).ok();
}

#[test]
fn a_component_in_a_file_stands_in_too() {
    let rest =
        format!("{TWICE}\n[dev_dependencies]\n\"test:rng\" = {{ path = \"mocks/rng.wasm\" }}\n");
    let workspace = project_of("user", user(), &rest).file("mocks/rng.wasm", rng("1.0.0", 21));
    workspace.run(["test", "adds"]).ok();
    workspace.write("mocks/rng.wasm", rng("1.0.0", 20));
    let run = workspace.run(["test", "adds"]).exits(3);
    shows(&run, "expected  42\n    actual    40\n");
    // The component that is built for use is not composed with it.
    workspace.run(["build"]).ok();
    assert_eq!(workspace.read("target/wasm/user.wasm"), user());
}

/// The parts of a run.toml with a component of tests, which is composed with `rng`.
const CHECKS: &str = r#"
[[component]]
name = "checks"
path = "checks.wasm"
test = true
dependencies = ["rng"]
"#;

fn checked(number: u32) -> Workspace {
    let start = "(call $write_stderr) (call $exit (i32.ne (call $next) (i32.const 21)))";
    project_of("rng", rng("1.0.0", number), CHECKS).file("checks.wasm", checker(start))
}

#[test]
fn a_component_of_tests_is_composed_with_what_it_tests() {
    let workspace = checked(21);
    let run = workspace.run(["test"]).ok();
    line(&run, "ok checks: checks (");
    line(&workspace.run(["test"]).ok(), "ok checks: checks (cached)");
    workspace.write("rng.wasm", rng("1.0.0", 22));
    let run = workspace.run(["test"]).exits(3);
    assert_eq!(ran(&run), ["checks:test checks"]);
    shows(&run, "the exit code is another one\n    expected  0\n    actual    1\n");
    shows(&run, "  standard error:\n    to stderr\n");
}

#[test]
fn a_component_of_tests_is_for_nothing_else() {
    let workspace = checked(21);
    let run = workspace.run(["build"]).ok();
    assert!(
        workspace.exists("target/wasm/rng.wasm") && !workspace.exists("target/wasm/checks.wasm")
    );
    assert!(!run.ran().iter().any(|action| action.starts_with("checks:")), "{:?}", run.ran());
    workspace
        .run(["build", "checks"])
        .exits(2)
        .says("component `checks` is for tests, and only `run test` builds it");
    workspace.run(["info", "checks"]).ok();
    let text = workspace.read_text("run.toml");
    let other =
        "\n[[component]]\nname = \"other\"\npath = \"rng.wasm\"\ndependencies = [\"checks\"]\n";
    workspace.write("run.toml", text + other);
    workspace.run(["build"]).exits(2).says("component `checks` is for tests");
}

#[test]
fn a_component_of_tests_sees_all_packages_for_tests() {
    let start = "(call $exit (i32.ne (call $next) (i32.const 21)))";
    let rest = "test = true\n\n[dev_dependencies]\n\"test:rng\" = { path = \"mocks/rng.wasm\" }\n\
                \"demo:rng\" = { path = \"wit/rng.wit\" }\n";
    let workspace = project_of("checks", checker(start), rest)
        .file("mocks/rng.wasm", rng("1.0.0", 21))
        .file("wit/rng.wit", "package demo:rng@1.0.0;\ninterface rand { next: func() -> u32; }\n");
    // Its world may refer to WIT packages that are there for tests.
    workspace.replace("run.toml", "test = true\n", "test = true\nwit = \"wit/checks.wit\"\n");
    workspace.write(
        "wit/checks.wit",
        "package a:b;\nworld checks { import demo:rng/rand@1.0.0; export wasi:cli/run@0.2.4; }\n",
    );
    workspace.run(["test"]).ok();
}
