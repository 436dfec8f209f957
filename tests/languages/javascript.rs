//! JavaScript: errors in the sources and in the lockfile, each in the user's terms.

use crate::harness::{Run, Workspace};

const SOURCE: &str = "components/slug/app.js";
const LOCK: &str = "components/slug/package-lock.json";

fn build(workspace: &Workspace) -> Run {
    workspace.run(["build", "-p", "slug"])
}

#[test]
fn errors_in_a_module_are_told_with_its_place() {
    let workspace = Workspace::example("polyglot");
    let original = workspace.read_text(SOURCE);
    let check = |text: &str, action: &str, expected: &[&str]| {
        workspace.write(SOURCE, text);
        let run = build(&workspace).exits(1).says(&format!("error: slug:{action}"));
        expected.iter().for_each(|text| assert!(run.stderr.contains(text), "{}", run.stderr));
        assert!(!workspace.exists("target/wasm/slug.wasm"));
    };
    let syntax = format!("{original}export const = 1;\n");
    check(&syntax, "bundle", &["components/slug/app.js:6:13", "Expected identifier"]);
    let renamed = original.replace("const text", "const txt");
    check(&renamed, "compile", &["\"app.js\" does not export a \"text\" interface"]);
    let number = original.replace("text = { slug }", "text = { slug: 42 }");
    check(&number, "compile", &["does not export a \"demo:slug/text@0.1.0\" slug function"]);
    let throws = format!("{original}undefined.missing();\n");
    check(&throws, "compile", &["(bundled from components/slug/app.js) TypeError", "missing"]);
    let builtin = format!("import fs from \"node:fs\";\n{original}fs.rmSync(\"/\");\n");
    let hint = "the modules of Node.js are not there in a component";
    check(&builtin, "bundle", &["components/slug/app.js:1:15", "\"node:fs\"", hint]);
    let unknown = format!("import x from \"not-in-the-lockfile\";\n{original}x();\n");
    let hint = "npm install --package-lock-only NAME";
    check(&unknown, "bundle", &["components/slug/app.js:1:14", "not-in-the-lockfile", hint]);
}

#[test]
fn nothing_is_downloaded_while_a_component_is_made() {
    let workspace = Workspace::example("polyglot");
    let original = workspace.read_text(SOURCE);
    let module = "https://192.0.2.1/module.js";
    workspace.write(SOURCE, format!("import x from \"{module}\";\n{original}x();\n"));
    let run = build(&workspace).exits(1).says("error: slug:compile");
    run.says(&format!("Error loading module \"{module}\"")).says("nothing is downloaded");
}

#[test]
fn a_lockfile_that_is_missing_or_stale_is_told_with_the_command_that_mends_it() {
    let workspace = Workspace::example("polyglot");
    let command = "npm install --package-lock-only --prefix components/slug";
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
    let run = build(&workspace).exits(2).says("is a link, not a package of a registry");
    run.says("imported by their relative paths");
}

#[test]
fn a_package_with_other_bytes_than_pinned_is_refused() {
    let workspace = Workspace::example("polyglot");
    workspace.replace(LOCK, "sha512-IaOQ9", "sha512-IaOQA");
    let run = build(&workspace).exits(102).says("github-slugger@2.0.0").says("sha512-IaOQA");
    run.says("sha512-IaOQ9");
}

#[test]
fn a_comment_goes_no_further_than_the_bundle() {
    let workspace = Workspace::example("polyglot");
    build(&workspace).ok();
    let before = workspace.read("target/wasm/slug.wasm");
    assert_eq!(super::imports(&before), Vec::<String>::new(), "its world imports nothing");
    let unique = format!("{}", workspace.root().display());
    workspace.write(SOURCE, format!("// {unique}\n{}", workspace.read_text(SOURCE)));
    assert_eq!(build(&workspace).ok().ran(), ["slug:bundle"]);
    assert!(workspace.read("target/wasm/slug.wasm") == before);
    workspace.replace(SOURCE, "text = {", &format!("text = {{ unique: {unique:?},"));
    assert_eq!(build(&workspace).ok().ran(), ["slug:bundle", "slug:compile", "slug:finish"]);
}
