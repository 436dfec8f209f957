//! TypeScript: types are checked beside the build, against the world and by the project's own rules.

use crate::harness::{Run, Workspace};

const SOURCE: &str = "components/quote/src/app.ts";

fn build(workspace: &Workspace) -> Run {
    workspace.run(["build", "-p", "quote", "-k"])
}

#[test]
fn an_error_of_types_fails_the_build_and_blocks_nothing() {
    let workspace = Workspace::example("polyglot");
    workspace.replace(SOURCE, "nothing is known", &format!("{}", workspace.root().display()));
    workspace.replace(SOURCE, "const author =", "const author: number =");
    let run = build(&workspace).exits(1).says("error: quote:check exited with status");
    assert!(run.stderr.contains(&format!("{SOURCE}:18:15 - error TS2322")), "{}", run.stderr);
    for action in ["quote:bundle", "quote:compile", "quote:finish"] {
        assert!(run.ran().contains(&action), "{:?}", run.ran());
    }
    // It is told again, not remembered as good.
    assert_eq!(build(&workspace).exits(1).ran(), ["quote:check"]);
    // Types don't reach the bundle.
    workspace.replace(SOURCE, "const author: number =", "const author =");
    assert_eq!(build(&workspace).ok().ran(), ["quote:bundle", "quote:check"]);
}

#[test]
fn exports_have_to_have_the_types_of_the_world() {
    let workspace = Workspace::example("polyglot");
    workspace.replace(SOURCE, "request: IncomingRequest,", "request: IncomingRequest[],");
    workspace.replace(SOURCE, "request.pathWithQuery()", "request[0]?.pathWithQuery()");
    let run = build(&workspace).exits(1).says("does not satisfy the expected type 'World'");
    run.says("['incomingHandler'].handle").says("other types than its WIT world asks for");
}

#[test]
fn errors_of_syntax_and_of_exports_are_told() {
    let workspace = Workspace::example("polyglot");
    workspace.replace(SOURCE, "export const incomingHandler", "export const handler");
    build(&workspace).exits(1).says("does not export a \"incomingHandler\" interface");
    workspace.replace(SOURCE, "export const handler =", "export const = ");
    let run = build(&workspace).exits(1).says("error: quote:bundle");
    run.says(&format!("{SOURCE}:16:13:"));
}

#[test]
fn the_configuration_of_the_project_holds() {
    let options = r#"{ "compilerOptions": {
        "noUnusedLocals": true, "module": "esnext", "moduleResolution": "bundler",
        "target": "es2022", "lib": ["es2023", "esnext.disposable", "webworker"]
    } }"#;
    let workspace = Workspace::example("polyglot")
        .file("tsconfig.base.json", options)
        .file("components/quote/tsconfig.json", "{ \"extends\": \"../../tsconfig.base.json\" }");
    workspace.replace(SOURCE, "const route", "const unused = 1;\nconst route");
    build(&workspace).exits(1).says(&format!("{SOURCE}:14:7 - error TS6133"));
    // Without it, that is allowed.
    std::fs::remove_file(workspace.path("components/quote/tsconfig.json")).unwrap();
    build(&workspace).ok();
}

#[test]
fn a_service_imports_what_its_world_names() {
    let workspace = Workspace::example("polyglot");
    build(&workspace).ok();
    // Of wasi:http/proxy.
    let world = [
        "wasi:cli/stderr",
        "wasi:cli/stdin",
        "wasi:cli/stdout",
        "wasi:clocks/monotonic-clock",
        "wasi:clocks/wall-clock",
        "wasi:http/outgoing-handler",
        "wasi:http/types",
        "wasi:io/error",
        "wasi:io/poll",
        "wasi:io/streams",
        "wasi:random/random",
    ];
    assert_eq!(super::imports(&workspace.read("target/wasm/quote.wasm")), world);
}
