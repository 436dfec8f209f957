//! Tests errors in run.toml: all findings are printed at once with their places, and nothing is written.

use crate::harness::Workspace;

const PREBUILT: &[u8] = include_bytes!("../examples/polyglot/vendor/legacy.wasm");

/// Makes a project with one pre-built component and an empty store. It builds without any toolchain.
pub(crate) fn prebuilt() -> Workspace {
    Workspace::new()
        .private_store()
        .file(
            "run.toml",
            "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n\
             [[component]]\nname = \"legacy\"\npath = \"vendor/legacy.wasm\"\n",
        )
        .file("vendor/legacy.wasm", PREBUILT)
}

#[test]
fn all_findings_are_shown_with_place_and_advice() {
    let workspace = Workspace::new().file(
        "run.toml",
        "[project]\nname = \"p\"\nversion = \"1.0\"\n\n\
         [[component]]\nname = \"api\"\nsource = \"src/lib.rs\"\nlanguge = \"rust\"\n",
    );
    let run = workspace.run(["build"]).exits(2);
    for expected in ["run.toml:3:", "1.0.0", "run.toml:8:1", "`language`", "src/lib.rs"] {
        assert!(run.stderr.contains(expected), "no {expected:?} in:\n{}", run.stderr);
    }
    assert!(!workspace.exists("target") && !workspace.exists(".run"));
    assert!(!workspace.exists("run.lock.toml"));
}

#[test]
fn without_a_project_there_is_advice() {
    Workspace::new().run(["build"]).exits(2).says("run.toml");
}

#[test]
fn an_unknown_component_has_a_suggestion() {
    let workspace = prebuilt();
    for arguments in
        [["build", "-p", "legcay"], ["verify", "-p", "legcay"], ["info", "-p", "legcay"]]
    {
        workspace.run(arguments).exits(2).says("did you mean `legacy`?");
    }
    for arguments in [["build", "legcay"], ["verify", "legcay"], ["info", "legcay"]] {
        workspace.run(arguments).exits(2).says("did you mean `legacy`?");
    }
    workspace.run(["build", "legacy", "server"]).exits(2).says("there is `legacy`");
}

#[test]
fn components_are_named_by_words_or_flags() {
    let workspace = prebuilt();
    let text = workspace.read_text("run.toml");
    let more = ["second", "third"]
        .map(|name| format!("[[component]]\nname = \"{name}\"\npath = \"vendor/legacy.wasm\"\n"));
    workspace.write("run.toml", format!("{text}\n{}", more.concat()));
    let check = |arguments: &[&str], expect: [bool; 3]| {
        workspace.run_all(arguments).ok();
        let names = ["legacy", "second", "third"];
        let path = |name: &str| format!("target/wasm/{name}.wasm");
        assert_eq!(names.map(|name| workspace.exists(&path(name))), expect, "{arguments:?}");
        workspace.run(["clean"]).ok();
    };
    check(&["build"], [true, true, true]);
    check(&["build", "second"], [false, true, false]);
    check(&["v2", "build", "legacy", "third", "-j1"], [true, false, true]);
    check(&["build", "legacy", "-p", "second"], [true, true, false]);
    check(&["build", "--", "third"], [false, false, true]);
    let info = workspace.run(["info", "second"]).ok().stdout;
    assert!(info.contains("second") && !info.contains("legacy\n"), "{info}");
}

#[test]
fn a_token_in_the_file_is_never_printed() {
    let workspace = prebuilt();
    let text = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{text}\n[registry]\nauth_token = \"s3cr3t-t0ken\"\n"));
    for arguments in [["build", "-vv"], ["info", "-vv"]] {
        let run = workspace.run(arguments).ok().says("RUN_AUTH_TOKEN");
        assert!(!run.stderr.contains("s3cr3t") && !run.stdout.contains("s3cr3t"));
    }
}

#[test]
fn a_core_module_is_not_a_prebuilt_component() {
    let workspace = prebuilt().file("vendor/legacy.wasm", b"\0asm\x01\0\0\0");
    let run = workspace.run(["build"]).exits(1);
    assert!(run.stderr.contains("core module"), "{}", run.stderr);
    assert!(!workspace.exists("target/wasm/legacy.wasm"));
}

#[test]
fn what_is_not_wasm_is_refused() {
    let workspace = prebuilt().file("vendor/legacy.wasm", b"hello");
    workspace.run(["build"]).exits(1).says("legacy");
}

#[test]
fn a_component_whose_bindings_need_wit_is_refused_without() {
    let workspace = Workspace::example("polyglot");
    workspace.replace("run.toml", "wit = \"components/shop/wit\"\n", "");
    let run = workspace.run(["build", "-p", "shop"]).exits(2);
    run.says("run.toml:").says("a go component needs `wit`").says("add `wit = \"wit\"`");
}
