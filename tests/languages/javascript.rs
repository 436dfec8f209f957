//! JavaScript: what a component gets of its world, and errors in the sources and in the lockfile, each in the user's terms.

use std::collections::BTreeSet;
use std::sync::Once;

use crate::harness::{Run, Workspace, repository};

mod npm;

const SOURCE: &str = "components/slug/app.js";
const LOCK: &str = "components/slug/package-lock.json";

fn build(workspace: &Workspace) -> Run {
    workspace.run(["build", "-p", "slug"])
}

/// A world of one function. An engine is made for each world, which takes a while: so tests share this one.
pub(super) const HELLO: &str = "package demo:app;
interface api { hello: func(name: string) -> string; }
world app { export api; }
";

/// [`HELLO`] with what all features of the engine need.
const WEB: &str = "package demo:app;
interface api { hello: func(name: string) -> string; }
world app {
  import wasi:cli/stderr@0.2.12;
  import wasi:cli/stdout@0.2.12;
  import wasi:clocks/monotonic-clock@0.2.12;
  import wasi:clocks/wall-clock@0.2.12;
  import wasi:http/outgoing-handler@0.2.12;
  import wasi:random/random@0.2.12;
  export api;
}
";

/// A project with one component, `app`, and a WIT package.
pub(super) fn app(source: &str, code: &str, wit: &str) -> Workspace {
    let manifest = manifest("app", source, "wit");
    Workspace::new().file("run.toml", manifest).file(source, code).file("wit/world.wit", wit)
}

fn manifest(name: &str, source: &str, wit: &str) -> String {
    let component =
        format!("[[component]]\nname = \"{name}\"\nsource = \"{source}\"\nwit = \"{wit}\"\n");
    format!("[project]\nname = \"p\"\nversion = \"0.1.0\"\n{component}")
}

/// A project with one component of the world [`HELLO`], for which the first test that asks makes the engine.
pub(super) fn hello(source: &str, code: &str) -> Workspace {
    static ENGINE: Once = Once::new();
    ENGINE.call_once(|| {
        let code = "export const api = { hello: (name) => name };\n";
        app("app.js", code, HELLO).run(["build"]).ok();
    });
    app(source, code, HELLO)
}

/// The functions that the engine of a component imports, as `interface function`.
fn engine_imports(component: &[u8]) -> BTreeSet<String> {
    let modules = wasmparser::Parser::new(0).parse_all(component).filter_map(|payload| {
        let wasmparser::Payload::ModuleSection { unchecked_range, .. } = payload.unwrap() else {
            return None;
        };
        let bounds = [unchecked_range.start, unchecked_range.end];
        let [start, end] = bounds.map(|bound| usize::try_from(bound).unwrap());
        Some(&component[start..end])
    });
    let engine = modules.max_by_key(|module| module.len()).unwrap();
    let mut found = BTreeSet::new();
    for payload in wasmparser::Parser::new(0).parse_all(engine) {
        if let wasmparser::Payload::ImportSection(section) = payload.unwrap() {
            for import in section.into_imports() {
                let import = import.unwrap();
                found.insert(format!("{} {}", import.module, import.name));
            }
        }
    }
    found
}

/// The functions of a text in WIT that are no drafts, each as `interface function`.
fn functions(text: &str, version: &str) -> Vec<String> {
    let (mut package, mut interface, mut resource) = ("", "", None);
    let (mut found, mut gate) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['/', '@']) {
            gate |= line.starts_with("@unstable");
            continue;
        }
        let is_draft = std::mem::take(&mut gate);
        let words: Vec<&str> = line.split([' ', ':', '(', '{', ';']).collect();
        let name = words.get(1).copied().unwrap_or_default();
        match words[0] {
            "package" => package = line.trim_start_matches("package ").split('@').next().unwrap(),
            "interface" => (interface, resource) = (if is_draft { "" } else { name }, None),
            "world" => interface = "",
            "resource" if !line.ends_with(';') => resource = Some(name),
            "}" => resource = None,
            _ => {}
        }
        let called = match (words[0], resource) {
            _ if interface.is_empty() || is_draft => continue,
            ("constructor", Some(resource)) => format!("[constructor]{resource}"),
            (function, Some(resource)) if line.contains(": static func(") => {
                format!("[static]{resource}.{function}")
            }
            (function, Some(resource)) if line.contains(": func(") => {
                format!("[method]{resource}.{function}")
            }
            (function, None) if line.contains(": func(") => function.to_owned(),
            _ => continue,
        };
        found.push(format!("{package}/{interface}@{version} {}", called.replace('%', "")));
    }
    found
}

/// The functions of WASI that a world may import, without those that would switch a feature of the engine on.
fn importable(text: &str, version: &str) -> Vec<String> {
    let packages = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];
    // The engine has another form of the sockets of this version.
    let packages = packages.into_iter().filter(|name| (*name, version) != ("sockets", "0.2.10"));
    let functions = packages.flat_map(|name| {
        let file = format!("rules/wit/wasi-{text}/{name}.wit");
        functions(&std::fs::read_to_string(repository().join(file)).unwrap(), version)
    });
    // The first two are what a component exports.
    let without = ["/run@", "/incoming-handler@", "/outgoing-handler@", "/random@", "/stderr@"];
    functions.filter(|name| !without.iter().any(|part| name.contains(part))).collect()
}

/// Each interface of WASI, whatever of it the engine has for itself. The engine was built with 0.2.10, and its tools put
/// stubs in the place of what has the name of 0.2.0 to 0.2.3 as well.
#[test]
fn nothing_that_a_world_imports_is_stubbed_away() {
    let service = "export const incomingHandler = { handle() {} };\n";
    let workspace = Workspace::new().file("app.js", service);
    for (text, version) in [("0.2.3", "0.2.3"), ("0.2.9", "0.2.10"), ("0.2.12", "0.2.12")] {
        let expected = importable(text, version);
        assert!(expected.len() > 100, "{}", expected.len());
        let interfaces: BTreeSet<&str> =
            expected.iter().map(|name| name.split(' ').next().unwrap()).collect();
        let imports: String = interfaces.iter().map(|name| format!("  import {name};\n")).collect();
        let export = format!("  export wasi:http/incoming-handler@{version};\n");
        workspace.write("run.toml", manifest("app", "app.js", "wit"));
        let wit = format!("package demo:app;\nworld app {{\n{imports}{export}}}\n");
        workspace.write("wit/world.wit", wit);
        workspace.run(["build"]).ok();
        let found = engine_imports(&workspace.read("target/wasm/app.wasm"));
        let lost: Vec<&String> = expected.iter().filter(|name| !found.contains(*name)).collect();
        assert!(lost.is_empty(), "{version}: {lost:?}");
    }
    workspace
        .write("app.js", "addEventListener('fetch', (e) => e.respondWith(new Response('')));\n");
    let run = workspace.run(["build"]).exits(1);
    run.says("`addEventListener(\"fetch\", …)` is not what makes a component serve requests")
        .says("export const incomingHandler = { handle(request, response)");
}

#[test]
fn an_import_stays_without_the_feature_of_the_engine_that_has_the_same() {
    let code = "import { now } from 'wasi:clocks/wall-clock@0.2.3';
import { getStdout } from 'wasi:cli/stdout@0.2.3';
export const api = { hello(name) { getStdout(); return `${name} ${now().seconds}`; } };
";
    let wit = HELLO.replace(
        "export api;",
        "import wasi:clocks/wall-clock@0.2.3; import wasi:cli/stdout@0.2.3; export api;",
    );
    let workspace = app("app.js", code, &wit);
    workspace.run(["build"]).ok();
    let component = workspace.read("target/wasm/app.wasm");
    let world = ["wasi:cli/stdout", "wasi:clocks/wall-clock", "wasi:io/error", "wasi:io/poll"];
    assert_eq!(super::imports(&component), [&world[..], &["wasi:io/streams"]].concat());
    let found = engine_imports(&component);
    for name in ["wasi:clocks/wall-clock@0.2.3 now", "wasi:cli/stdout@0.2.3 get-stdout"] {
        assert!(found.contains(name), "{found:?}");
    }
}

#[test]
fn what_a_world_lacks_for_the_code_is_told_with_the_imports_to_add() {
    let code = "const work = [
  () => Date.now(),
  () => setTimeout(() => {}, 1),
  () => Math.random(),
  () => fetch('http://example.test/a'),
  () => console.log('hello'),
];
export const api = { hello: async (name) => `${await work[name.length]()}` };
";
    let told = hello("app.js", code).run(["build"]).ok();
    let warnings: Vec<&str> =
        told.stderr.lines().filter(|line| line.contains("warning: app.js uses")).collect();
    let uses = ["`Date.now`, `setTimeout`", "`fetch`", "`Math.random`", "`console.log`"];
    assert_eq!(warnings.len(), uses.len(), "{}", told.stderr);
    for used in uses {
        assert!(warnings.iter().any(|warning| warning.contains(used)), "{used}: {warnings:?}");
    }
    // What they say to add makes the world with which the popular packages are tried.
    let parts = warnings.iter().flat_map(|warning| warning.split('`'));
    let imports: BTreeSet<&str> = parts.filter(|part| part.starts_with("import ")).collect();
    let imports: String = imports.iter().map(|line| format!("  {line}\n")).collect();
    assert_eq!(HELLO.replace("{ export api; }", &format!("{{\n{imports}  export api;\n}}")), WEB);
}

#[test]
fn names_of_the_bundles_own_and_questions_are_no_uses() {
    let code = "const fetch = (text) => text;
function work(console, crypto) { console.log(1); return crypto.randomUUID(); }
export const api = { hello: (name) => (typeof setTimeout === 'function' ? fetch(name) : work(1, 2)) };
";
    let workspace = hello("app.js", code);
    let told = workspace.run(["build"]).ok();
    assert!(!told.stderr.contains("warning"), "{}", told.stderr);
    // Other ways to the same functions.
    let code = "const { random } = Math;
const send = globalThis['fetch'], log = console;
export const api = { hello: (name) => { log.log(self.performance?.now()); return `${random(send)}`; } };
";
    workspace.write("app.js", code);
    let run = workspace.run(["build"]).ok().says("uses `Math.random`").says("uses `fetch`");
    run.says("uses `console`").says("uses `performance.now`");
}

#[test]
fn async_functions_of_a_world_are_refused_by_name() {
    let code = "export const api = { async hello(name) { return `${name}!`; } };\n";
    let workspace = hello("app.js", code);
    workspace.replace("wit/world.wit", "func", "async func");
    let run = workspace.run(["build"]).exits(2).says("run.toml:");
    run.says("can't have `async` functions of a world: `demo:app/api#hello`").says("as `func`");
    workspace.replace("wit/world.wit", "async func", "func");
    workspace.run(["build"]).ok();
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
