//! Tests JavaScript: what a component gets from its world, and errors in the sources and in the lockfile, in
//! the user's terms.

use std::collections::BTreeSet;
use std::sync::Once;

use crate::first_build::get;
use crate::harness::{self, Run, Workspace, repository};
use crate::remedies::told;

pub(crate) mod npm;

const SOURCE: &str = "components/slug/app.js";
const LOCK: &str = "components/slug/package-lock.json";

fn build(workspace: &Workspace) -> Run {
    workspace.run(["build", "-p", "slug"])
}

/// A world with one function. Tests share it, because making an engine for a world takes a while.
pub(super) const HELLO: &str = "package demo:app;
interface api { hello: func(name: string) -> string; }
world app { export api; }
";

/// [`HELLO`] with the imports that all features of the engine need.
pub(crate) const WEB: &str = "package demo:app;
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

/// Makes a project with one component, `app`, and a WIT package.
pub(super) fn app(source: &str, code: &str, wit: &str) -> Workspace {
    let manifest = manifest("app", source, "wit");
    Workspace::new().file("run.toml", manifest).file(source, code).file("wit/world.wit", wit)
}

fn manifest(name: &str, source: &str, wit: &str) -> String {
    let component =
        format!("[[component]]\nname = \"{name}\"\nsource = \"{source}\"\nwit = \"{wit}\"\n");
    format!("[project]\nname = \"p\"\nversion = \"0.1.0\"\n{component}")
}

/// Makes a project with one component of the world [`HELLO`]. The first test that calls this makes the
/// engine.
pub(crate) fn hello(source: &str, code: &str) -> Workspace {
    static ENGINE: Once = Once::new();
    ENGINE.call_once(|| {
        let code = "export const api = { hello: (name) => name };\n";
        app("app.js", code, HELLO).run(["build"]).ok();
    });
    app(source, code, HELLO)
}

/// Returns the functions that the engine of a component imports, as `interface function`.
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

/// Returns the functions in a WIT text that are not drafts, each as `interface function`.
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

/// The patch numbers of the built-in releases of WASI 0.2, each with the release for which its text was
/// written.
const RELEASES: [(u32, &str); 13] = [
    (0, "0.2.0"),
    (1, "0.2.1"),
    (2, "0.2.3"),
    (3, "0.2.3"),
    (4, "0.2.4"),
    (5, "0.2.4"),
    (6, "0.2.4"),
    (7, "0.2.4"),
    (8, "0.2.4"),
    (9, "0.2.9"),
    (10, "0.2.9"),
    (11, "0.2.9"),
    (12, "0.2.12"),
];

/// Returns the functions of WASI that a world may import, without those that would switch on a feature of the
/// engine.
fn importable((patch, text): (u32, &str)) -> Vec<String> {
    let packages = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];
    // The engine has another form of this version of the sockets.
    let packages = packages.into_iter().filter(|name| (*name, patch) != ("sockets", 10));
    let functions = packages.flat_map(|name| {
        let file = format!("rules/wit/wasi-{text}/{name}.wit");
        let text = std::fs::read_to_string(repository().join(file)).unwrap();
        functions(&text, &format!("0.2.{patch}"))
    });
    // A component exports the first two.
    let without = ["/run@", "/incoming-handler@", "/outgoing-handler@", "/random@", "/stderr@"];
    functions.filter(|name| !without.iter().any(|part| name.contains(part))).collect()
}

/// Returns a handler for requests of this release, which answers with their method and path.
fn handler((patch, _): (u32, &str)) -> String {
    let version = format!("0.2.{patch}");
    format!(
        "import {{ Fields as F{patch}, OutgoingResponse as R{patch}, OutgoingBody as B{patch}, ResponseOutparam as O{patch} }}
  from 'wasi:http/types@{version}';
const h{patch} = {{ handle(request, out) {{
  const response = new R{patch}(new F{patch}());
  const body = response.body();
  O{patch}.set(out, {{ tag: 'ok', val: response }});
  const stream = body.write();
  stream.blockingWriteAndFlush(new TextEncoder().encode(`{version} ${{request.method().tag}} ${{request.pathWithQuery()}}`));
  stream[Symbol.dispose]();
  B{patch}.finish(body, undefined);
}} }};
export {{ h{patch} as 'wasi:http/incoming-handler@{version}' }};
"
    )
}

/// Tests each interface of each release of WASI, even those that the engine also uses itself. The engine was
/// built with 0.2.10, and its tools also replace imports of 0.2.0 to 0.2.3 by stubs. One component has all of
/// them, because making an engine takes long, and it answers requests of each release.
#[test]
fn nothing_that_a_world_imports_is_stubbed_away() {
    let expected: BTreeSet<String> = RELEASES.into_iter().flat_map(importable).collect();
    assert!(expected.len() > 100 * RELEASES.len(), "{}", expected.len());
    let interfaces: BTreeSet<&str> =
        expected.iter().map(|name| name.split(' ').next().unwrap()).collect();
    let imports: String = interfaces.iter().map(|name| format!("  import {name};\n")).collect();
    let exports =
        RELEASES.map(|(patch, _)| format!("  export wasi:http/incoming-handler@0.2.{patch};\n"));
    let wit = format!("package demo:app;\nworld app {{\n{imports}{}}}\n", exports.concat());
    let workspace = app("app.js", &RELEASES.map(handler).concat(), &wit);
    workspace.run(["build"]).ok();
    let component = workspace.read("target/wasm/app.wasm");
    let found = engine_imports(&component);
    let lost: Vec<&String> = expected.difference(&found).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let asynchronous = tokio::runtime::Runtime::new().unwrap();
    asynchronous.block_on(async {
        let loaded = harness::load(&component);
        for (patch, _) in RELEASES {
            let handler = format!("wasi:http/incoming-handler@0.2.{patch}");
            let server = loaded.serve_by(&handler, "127.0.0.1:0".parse().unwrap()).await.unwrap();
            let address = server.address();
            let answer = tokio::task::spawn_blocking(move || get(address, "/a?b")).await.unwrap();
            assert_eq!(answer, (200, format!("0.2.{patch} get /a?b")));
            server.shutdown().await;
        }
    });
}

/// The error about `addEventListener` says what a service has to export instead.
#[test]
fn a_service_worker_is_told_what_a_component_exports() {
    let workspace = Workspace::example("polyglot");
    workspace.replace("run.toml", "components/quote/src/app.ts", "components/quote/app.js");
    workspace.replace("run.toml", "language = \"typescript\"", "language = \"javascript\"");
    let listens = "addEventListener('fetch', (e) => e.respondWith(new Response('')));\n";
    workspace.write("components/quote/app.js", listens);
    let line = told(&workspace, "run build -p quote", 1)
        .advises("`addEventListener(\"fetch\", …)` is not what makes a component serve requests")
        .text("export const incomingHandler = ");
    let line = line.replace('…', "response;");
    workspace.write("components/quote/app.js", format!("{line};\n"));
    workspace.types("run build -p quote").ok();
}

#[test]
fn an_import_stays_without_the_feature_of_the_engine_that_has_the_same() {
    let code = "import { now } from 'wasi:clocks/wall-clock@0.2.3';
import { getStdout } from 'wasi:cli/stdout@0.2.3';
export const api = { hello(name) { getStdout(); return `${name} ${now().seconds}`; } };
";
    // The world includes the drafts that are built in.
    let drafts =
        ["config/store@0.2.0-rc.1", "keyvalue/store@0.2.0-draft", "logging/logging@0.1.0-draft"];
    let imports = ["clocks/wall-clock@0.2.3", "cli/stdout@0.2.3"].into_iter().chain(drafts);
    let imports: String = imports.map(|name| format!("import wasi:{name}; ")).collect();
    let wit = HELLO.replace("export api;", &format!("{imports}export api;"));
    let workspace = app("app.js", code, &wit);
    let granted = "capabilities = [\"config\", \"keyvalue\"]";
    workspace.replace("run.toml", "source = ", &format!("{granted}\nsource = "));
    workspace.run(["build"]).ok();
    let component = workspace.read("target/wasm/app.wasm");
    let world = [
        "wasi:cli/stdout",
        "wasi:clocks/wall-clock",
        "wasi:config/store",
        "wasi:io/error",
        "wasi:io/poll",
        "wasi:io/streams",
        "wasi:keyvalue/store",
        "wasi:logging/logging",
    ];
    assert_eq!(super::imports(&component), world);
    let found = engine_imports(&component);
    let functions = [
        "wasi:cli/stdout@0.2.3 get-stdout",
        "wasi:clocks/wall-clock@0.2.3 now",
        "wasi:config/store@0.2.0-rc.1 get",
        "wasi:keyvalue/store@0.2.0-draft open",
        "wasi:logging/logging@0.1.0-draft log",
    ];
    for name in functions {
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
    let workspace = hello("app.js", code);
    let told = workspace.run(["build"]).ok();
    let warnings: Vec<&str> =
        told.stderr.lines().filter(|line| line.contains("warning: app.js uses")).collect();
    let uses = ["`Date.now`, `setTimeout`", "`fetch`", "`Math.random`", "`console.log`"];
    assert_eq!(warnings.len(), uses.len(), "{}", told.stderr);
    for used in uses {
        assert!(warnings.iter().any(|warning| warning.contains(used)), "{used}: {warnings:?}");
    }
    // What the warnings say about each feature is true.
    let component = workspace.read("target/wasm/app.wasm");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let loaded = harness::load(&component);
        let call = async |name: &str| {
            let answer = loaded.call(Some("demo:app/api"), "hello", &[&format!("{name:?}")]).await;
            answer.map_or_else(|error| error.to_string(), Option::unwrap)
        };
        let time: f64 = call("").await.trim_matches('"').parse().unwrap();
        assert!((315_532_800_000.0..315_620_000_000.0).contains(&time), "{time} is not in 1980");
        assert!(call("1").await.contains("trapped"), "timers fail");
        assert_eq!(call("22").await, call("22").await, "random numbers are the same");
        assert!(call("333").await.contains("trapped"), "requests fail");
        assert_eq!(call("4444").await, "\"undefined\"", "nothing is written");
    });
    // The imports that they advise make the world with which the popular packages are tested.
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
    // The code can reach the same functions in other ways.
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
fn what_the_top_level_can_not_do_is_told_with_what_to_do_instead() {
    let code = |top: &str, now: &str| {
        format!(
            "{top}\nexport const api = {{ hello(name) {{ {now} return `${{name}}${{x}}`; }} }};\n"
        )
    };
    let calls = [
        ("const x = Math.random();", "such as `Math.random` in app.js"),
        (
            "const x = setTimeout(() => {}, 1);",
            "setTimeout can only be used during request handling",
        ),
        ("const x = performance.now();", "bad_optional_access"),
        (
            "const x = fetch('http://example.test/');",
            "fetch can only be used during request handling",
        ),
    ];
    let workspace = hello("app.js", "");
    for (top, said) in calls {
        workspace.write("app.js", code(top, ""));
        told(&workspace, "run build", 1)
            .advises(said)
            .advises(": do in a function what has to be done");
    }
    workspace
        .write("app.js", code("", &calls.map(|(top, _)| top.replace("const x", "var x")).concat()));
    workspace.types("run build").ok();
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
