//! Tests packages for JavaScript: where they come from, which of their files are used, and that popular ones
//! work.

use super::{HELLO, LOCK, WEB, app, build, hello};
use crate::harness::{self, Workspace, repository};

const WORKSPACE_LOCK: &str = include_str!("../../fixtures/npm/workspace.json");

#[test]
fn a_lockfile_that_is_missing_or_stale_is_told_with_the_command_that_mends_it() {
    let workspace = Workspace::example("polyglot");
    let command = "cd components/slug && npm install --package-lock-only";
    let manifest = "components/slug/package.json";
    workspace.replace(manifest, "^2.0.0", "^2.0.1");
    let run = build(&workspace).exits(2).says("run.toml:").says(command);
    run.says("`github-slugger` ^2.0.1 is asked for, and it was made for ^2.0.0");
    std::fs::remove_file(workspace.path(LOCK)).unwrap();
    build(&workspace).exits(2).says("no package-lock.json beside").says(command);
    workspace.write(manifest, "{ \"dependencies\": [] }");
    build(&workspace).exits(2).says("`components/slug/package.json` is not valid").says("line 1");
}

#[test]
fn a_package_that_can_not_be_pinned_is_refused() {
    let workspace = Workspace::example("polyglot");
    workspace.replace(LOCK, "\"version\": \"2.0.0\",", "\"link\": true,");
    let run = build(&workspace)
        .exits(2)
        .says("`node_modules/github-slugger` is a link, and it does not say to what");
    run.says("a folder of this project");
}

#[test]
fn a_package_with_other_bytes_than_pinned_is_refused() {
    let workspace = Workspace::example("polyglot");
    workspace.replace(LOCK, "sha512-IaOQ9", "sha512-IaOQA");
    let run = build(&workspace).exits(102).says("github-slugger@2.0.0").says("sha512-IaOQA");
    run.says("sha512-IaOQ9");
}

/// Makes an npm workspace in which the component's package needs another package of the project and one of
/// the registry.
pub(crate) fn npm_workspace() -> Workspace {
    let code = "import { X } from '@acme/x';
import { slug } from 'github-slugger';
export const api = { hello: (name) => name + X + slug('A b') };
";
    let own = r#"{ "name": "app", "private": true, "version": "1.0.0", "type": "module",
        "dependencies": { "@acme/x": "^1.0.0", "github-slugger": "^2.0.0" } }"#;
    let x = r#"{ "name": "@acme/x", "version": "1.0.0", "type": "module", "exports": "./i.js" }"#;
    let root = r#"{ "name": "root", "private": true, "workspaces": ["packages/*"] }"#;
    hello("packages/app/app.js", code)
        .file("package.json", root)
        .file("package-lock.json", WORKSPACE_LOCK)
        .file("packages/app/package.json", own)
        .file("packages/x/package.json", x)
        .file("packages/x/i.js", "export const X = 'x!';\n")
}

#[test]
fn packages_of_a_workspace_are_part_of_the_sources() {
    let workspace = npm_workspace();
    workspace.run(["build"]).ok();
    // This text is new to every build.
    let unique = workspace.root().file_name().unwrap().to_str().unwrap().to_owned();
    workspace.replace("packages/x/i.js", "x!", &unique);
    let ran = workspace.run(["build"]).ok();
    assert_eq!(ran.ran(), ["app:bundle", "app:compile", "app:finish"]);
}

#[test]
fn a_lockfile_that_lacks_a_package_of_the_workspace_is_told_with_the_command_that_mends_it() {
    let workspace = npm_workspace();
    let manifest = "packages/x/package.json";
    workspace.replace(
        manifest,
        "\"exports\"",
        "\"dependencies\": { \"ms\": \"^2.0.0\" }, \"exports\"",
    );
    let run = workspace.run(["build"]).exits(2);
    run.says("of `packages/x`, it lacks `ms` ^2.0.0").says("npm install --package-lock-only");
    std::fs::remove_file(workspace.path("package-lock.json")).unwrap();
    let run = workspace.run(["build"]).exits(2).says("no package-lock.json beside `package.json`");
    run.says("make the one of the workspace with: npm install --package-lock-only\n");
    // The project is only a part of the workspace.
    workspace.write(
        "packages/app/run.toml",
        workspace.read_text("run.toml").replace("packages/app/", ""),
    );
    workspace.write("packages/app/wit/world.wit", HELLO);
    let run = workspace.run(["-C", "packages/app", "build"]).exits(2);
    run.says("`package.json` is a package of the workspace in").says("put run.toml into");
}

#[test]
fn a_dependency_by_file_is_a_folder_of_the_project() {
    let lock = r#"{ "name": "a", "lockfileVersion": 3, "requires": true, "packages": {
        "": { "name": "a", "dependencies": { "shared": "file:../shared" } },
        "../shared": { "version": "1.0.0" },
        "node_modules/shared": { "resolved": "../shared", "link": true } } }"#;
    let code =
        "import shared from 'shared';\nexport const api = { hello: (name) => name + shared };\n";
    let manifest = r#"{ "name": "a", "dependencies": { "shared": "file:../shared" } }"#;
    let shared = r#"{ "name": "shared", "version": "1.0.0", "main": "main.cjs" }"#;
    let workspace = hello("a/app.js", code)
        .file("a/package.json", manifest)
        .file("a/package-lock.json", lock)
        .file("shared/package.json", shared)
        .file("shared/main.cjs", "module.exports = require('./deep/part.cjs');\n")
        .file("shared/deep/part.cjs", "module.exports = '!';\n");
    workspace.run(["build"]).ok();
    workspace.replace("a/package-lock.json", "\"../shared\", \"link\"", "\"../../out\", \"link\"");
    workspace.replace("a/package-lock.json", "\"../shared\": {", "\"../../out\": {");
    workspace.run(["build"]).exits(2).says("is a link out of the project, to `../../out`");
}

/// Tests packages that many projects depend on, resolved as for a browser's worker. It also tests the web
/// features of the engine, a package by `file:`, and Unicode properties in regular expressions. There is one
/// component for all of them, because it takes long to load.
#[test]
fn popular_packages_work() {
    let workspace = app("app.js", &fixture("app.js"), WEB);
    for file in ["package.json", "package-lock.json", "shared/package.json", "shared/main.cjs"] {
        workspace.write(file, fixture(file));
    }
    let told = workspace.run(["build"]).ok();
    assert!(!told.stderr.contains("warning"), "{}", told.stderr);
    let component = workspace.read("target/wasm/app.wasm");
    let asynchronous = tokio::runtime::Runtime::new().unwrap();
    let failed = asynchronous.block_on(async {
        let loaded = harness::load(&component).answering(|asked| {
            Some(runtime::OutgoingResponse { status: 200, body: asked.url.clone().into() })
        });
        let answer = async |name: &str| {
            let name = format!("\"{name}\"");
            let answer = loaded.call(Some("demo:app/api"), "hello", &[&name]).await;
            answer.map_or_else(|error| error.to_string(), Option::unwrap_or_default)
        };
        let names = answer("").await;
        let names: Vec<&str> = names.trim_matches('"').split(' ').collect();
        assert!(names.len() > 20, "{names:?}");
        // The top level ran while the component was made, and an uncaught exception ends the component.
        assert_eq!(answer("built").await, answer("built").await);
        let thrown = answer("throw").await;
        assert!(thrown.contains("nobody catches this"), "{thrown}");
        let mut failed = Vec::new();
        for name in names {
            let answer = answer(name).await;
            if answer != "\"yes\"" {
                failed.push((name.to_owned(), answer));
            }
        }
        failed
    });
    assert!(failed.is_empty(), "{failed:#?}");
}

fn fixture(name: &str) -> String {
    let path = repository().join("tests/fixtures/npm/popular").join(name);
    std::fs::read_to_string(path).unwrap()
}
