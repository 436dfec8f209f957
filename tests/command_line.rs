//! Tests the command line: spellings, summaries, machine-readable output, `clean` and `info`.

use crate::configuration::prebuilt;
use crate::harness::Workspace;

#[test]
fn builds_and_says_so() {
    let workspace = prebuilt();
    let first = workspace.run(["build"]).ok();
    assert_eq!(first.ran(), ["legacy:finish"]);
    assert!(first.stderr.contains("Finished 1 action: 0 hits, 1 ran"), "{}", first.stderr);
    assert_eq!(workspace.read("target/wasm/legacy.wasm"), workspace.read("vendor/legacy.wasm"));
    let second = workspace.run(["build"]).ok();
    assert!(second.stderr.contains("Finished 1 action: 1 hit, nothing ran"), "{}", second.stderr);
}

#[test]
fn the_spelling_of_run_2_is_the_same() {
    prebuilt().run(["v2", "build"]).ok().says("Finished");
}

#[test]
fn works_from_a_folder_inside_and_from_outside() {
    let workspace = prebuilt();
    workspace.run(["-C", "vendor", "build"]).ok();
    assert!(workspace.exists("target/wasm/legacy.wasm"));
    workspace.run(["-C", "nowhere", "build"]).exits(2).says("nowhere");
}

#[test]
fn quiet_says_nothing() {
    let run = prebuilt().run(["build", "-q"]).ok();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

#[test]
fn wrong_usage_exits_with_2() {
    let workspace = prebuilt();
    workspace.run(["biuld"]).exits(2).says("build");
    workspace.run(["build", "--jobs", "0"]).exits(2);
    assert!(workspace.run(["--help"]).ok().stdout.contains("Exit codes"));
}

#[test]
fn json_has_one_object_a_line() {
    let run = prebuilt().run(["build", "--message-format", "json"]).ok();
    let events: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    for name in ["build_started", "action_started", "action_finished", "build_finished", "result"] {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    let result = events.last().unwrap();
    assert_eq!(result["success"], true);
    assert_eq!(result["components"][0]["path"], "target/wasm/legacy.wasm");
}

#[test]
fn clean_removes_only_what_build_wrote() {
    let workspace = prebuilt();
    workspace.run(["build"]).ok();
    workspace.write("target/wasm/notes.txt", "mine");
    workspace.run(["clean"]).ok();
    assert!(!workspace.exists("target/wasm/legacy.wasm") && !workspace.exists(".run"));
    assert_eq!(workspace.read_text("target/wasm/notes.txt"), "mine");
    let again = workspace.run(["build"]).ok();
    assert!(again.ran().is_empty(), "the cache stays: {:?}", again.ran());
}

#[test]
fn an_overwritten_output_is_repaired_and_the_store_is_not_damaged() {
    let workspace = prebuilt();
    workspace.run(["build"]).ok();
    workspace.write("target/wasm/legacy.wasm", "broken by hand");
    workspace.run(["build"]).ok();
    assert_eq!(workspace.read("target/wasm/legacy.wasm"), workspace.read("vendor/legacy.wasm"));
    std::fs::remove_file(workspace.path("target/wasm/legacy.wasm")).unwrap();
    workspace.run(["build"]).ok();
    assert_eq!(workspace.read("target/wasm/legacy.wasm"), workspace.read("vendor/legacy.wasm"));
}

#[test]
fn the_output_folder_and_the_store_may_be_chosen() {
    let workspace = prebuilt();
    let text = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{text}\n[build]\noutput_dir = \"dist\"\n"));
    let store = workspace.root().join("elsewhere");
    let workspace = workspace.env("RUN_HOME", &store);
    workspace.run(["build"]).ok();
    assert!(workspace.exists("dist/legacy.wasm"));
    assert!(store.join("store").is_dir());
}

#[test]
fn info_shows_the_project_as_understood() {
    let workspace = Workspace::example("polyglot");
    let text = workspace.run(["info"]).ok().stdout;
    for expected in
        ["polyglot 0.1.0", "api", "rust", "greeter", "python", "legacy", "wasi:http", "store"]
    {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
    let json = workspace.run(["info", "--message-format", "json"]).ok().stdout;
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["project"]["name"], "polyglot");
    assert_eq!(value["components"][0]["language"], "rust");
}

#[test]
fn sha_256_gives_the_same_components_and_shares_the_store() {
    let blake3 = prebuilt();
    blake3.run(["build"]).ok();
    let home = blake3.store().parent().unwrap().to_owned();
    let sha256 = prebuilt().env("RUN_HOME", home).env("RUN_DIGEST_FUNCTION", "sha256");
    assert_eq!(sha256.run(["build"]).ok().ran(), ["legacy:finish"]);
    assert_eq!(sha256.run(["build"]).ok().ran(), Vec::<&str>::new());
    assert_eq!(blake3.run(["build"]).ok().ran(), Vec::<&str>::new());
    let path = "target/wasm/legacy.wasm";
    assert!(blake3.read(path) == sha256.read(path));
    let wrong = prebuilt().env("RUN_DIGEST_FUNCTION", "md5");
    wrong.run(["build"]).exits(2).says("blake3 or sha256");
}

#[test]
fn the_doctor_finds_a_machine_that_can_build() {
    let workspace = Workspace::new();
    let run = workspace.run(["doctor", "--message-format", "json"]).ok();
    let checks: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for name in ["sandbox", "determinism", "kernel", "limits", "store", "room", "reflinks", "cargo"]
    {
        let check = checks.iter().find(|check| check["name"] == name);
        assert_ne!(check.unwrap_or_else(|| panic!("no {name}"))["state"], "missing", "{check:?}");
    }
    assert!(!checks.iter().any(|check| check["name"] == "toolchains"), "there is no project");
    let project = prebuilt().file("run.lock.toml", include_str!("../examples/hello/run.lock.toml"));
    let run = project.private_store().run(["doctor"]).ok();
    let line = run.stdout.lines().find(|line| line.starts_with("toolchains ")).unwrap();
    assert!(
        line.contains("1 pinned for this machine, to be fetched when they are needed: rust"),
        "{line}"
    );
    // A missing client is not a reason to fail.
    let run = workspace.env("PATH", "/nowhere").run(["doctor"]).ok();
    let npm = run.stdout.lines().find(|line| line.starts_with("npm ")).unwrap();
    assert!(npm.contains("limited") && npm.contains("not found"), "{npm}");
}
