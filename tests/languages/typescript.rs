//! Tests TypeScript: types are checked beside the build, against the world and by the project's own rules.

use super::javascript::{app, hello};
use crate::harness::{Run, Workspace};
use crate::remedies::{add_to_component, told};

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
    // The check fails again, because failures are not cached.
    assert_eq!(build(&workspace).exits(1).ran(), ["quote:check"]);
    // The bundle contains no types.
    workspace.replace(SOURCE, "const author: number =", "const author =");
    assert_eq!(build(&workspace).ok().ran(), ["quote:bundle", "quote:check"]);
}

#[test]
fn exports_have_to_have_the_types_of_the_world() {
    let workspace = Workspace::example("polyglot");
    workspace.replace(SOURCE, "request: IncomingRequest,", "request: IncomingRequest[],");
    workspace.replace(SOURCE, "request.pathWithQuery()", "request[0]?.pathWithQuery()");
    let run = build(&workspace).exits(1).says("does not satisfy the expected type");
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
    // Without a tsconfig.json it is allowed.
    std::fs::remove_file(workspace.path("components/quote/tsconfig.json")).unwrap();
    build(&workspace).ok();
}

#[test]
fn a_service_imports_what_its_world_names() {
    let workspace = Workspace::example("polyglot");
    build(&workspace).ok();
    // These interfaces are those of wasi:http/proxy.
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

#[test]
fn a_function_that_is_exported_may_be_asynchronous() {
    let code = "export const api = {
  async hello(name: string) {
    await Promise.resolve();
    return `${name}!`;
  },
};
";
    let workspace = hello("src/app.ts", code);
    workspace.run(["build"]).ok();
    // The promise has to resolve to the right type.
    workspace.replace("src/app.ts", "`${name}!`", "name.length");
    workspace.run(["build"]).exits(1).says("error: app:check").says("WIT world asks for");
}

#[test]
fn each_version_of_an_interface_is_checked() {
    let code = "const a = { hello(n: string): string { return n; } };
const b = { hello(n: string, times: number): string { return n.repeat(times); } };
export { a as 'acme:greet/hi@0.1.0', b as 'acme:greet/hi@0.2.0' };
";
    let wit = "package demo:app;\nworld app { export acme:greet/hi@0.1.0; export acme:greet/hi@0.2.0; }\n";
    let interface = |version: &str, parameters: &str| {
        format!(
            "package acme:greet@{version};\ninterface hi {{ hello: func({parameters}) -> string; }}\n"
        )
    };
    let workspace = app("src/app.ts", code, wit)
        .file("wit/deps/g1/g.wit", interface("0.1.0", "n: string"))
        .file("wit/deps/g2/g.wit", interface("0.2.0", "n: string, times: u32"));
    workspace.run(["build"]).ok();
    workspace.replace("src/app.ts", "hello(n: string):", "hello(n: string[]):");
    workspace.replace("src/app.ts", "times: number", "times: { valueOf(): number } & string");
    let run = workspace.run(["build"]).exits(1);
    run.says("acme:greet/hi@0.1.0'].hello").says("acme:greet/hi@0.2.0'].hello");
}

#[test]
fn a_configuration_stays_where_it_is() {
    let options = r#"{ "compilerOptions": {
  "target": "esnext", "module": "nodenext", "moduleResolution": "nodenext", "strict": true,
  "types": ["./generated/x.d.ts"], // beside this file
  "nothing": true,
} }"#;
    let code = "export const api = { hello: (name: string) => name.repeat(FACTOR) };\n";
    let workspace = hello("src/app.ts", code)
        .file("generated/x.d.ts", "declare const FACTOR: number;\n")
        .file("tsconfig.json", options);
    workspace.run(["build"]).exits(1).says("tsconfig.json:4:3 - error TS5023").says("nothing");
    workspace.replace("tsconfig.json", "  \"nothing\": true,\n", "");
    workspace.run(["build"]).ok();
}

#[test]
fn a_configuration_for_an_older_compiler_is_told_and_has_one() {
    let options = r#"{
  "compilerOptions": {
    "target": "ES2020", "module": "ESNext",
    "moduleResolution": "node",
    "baseUrl": ".", "paths": { "@lib/*": ["src/lib/*"] },
    "strict": true, "esModuleInterop": true, "outDir": "dist"
  },
  "include": ["src/**/*"]
}"#;
    let code = "import { W } from '@lib/w';
export const api = { hello(n: string): string { return n + W; } };
";
    let workspace = hello("src/app.ts", code)
        .file("src/lib/w.ts", "export const W: string = 'w';\n")
        .file("src/not-part-of-it.ts", "export const wrong: number = 'text';\n")
        .file("tsconfig.json", options);
    let run = workspace.run(["build"]).exits(1).says("tsconfig.json:4:25 - error TS5");
    run.says("run toolchain sync --upgrade typescript@5.9.3").says("`check = false`");
    workspace.run(["toolchain", "sync", "--upgrade", "typescript@5.9.3"]).ok();
    workspace.run(["build"]).ok();
    // The module is checked.
    workspace.replace("src/lib/w.ts", "'w'", "7");
    workspace.run(["build"]).exits(1).says("src/lib/w.ts:1:14 - error TS2322");
    workspace.replace("run.toml", "wit = \"wit\"", "wit = \"wit\"\ncheck = false");
    let ran = workspace.run(["build"]).ok();
    assert!(!ran.ran().contains(&"app:check"), "{:?}", ran.ran());
    workspace.replace("run.toml", "source = \"src/app.ts\"", "source = \"src/app.js\"");
    workspace.write("src/app.js", "export const api = { hello: (name) => name };\n");
    workspace.run(["build"]).exits(2).says("a javascript component has no `check`");
}

#[test]
fn a_file_outside_of_the_package_has_to_be_an_input() {
    let code =
        "import { X } from '../x/i.ts';\nexport const api = { hello: (n: string) => n + X };\n";
    let workspace = hello("packages/app/app.ts", code)
        .file("packages/app/package.json", r#"{ "name": "app", "type": "module" }"#)
        .file("packages/x/i.ts", "export const X = 'x!';\n");
    let run = workspace.run(["build"]).exits(1);
    let added = "inputs = [\"packages/x/i.ts\"]";
    let run = run.says("`packages/x/i.ts` is in the project").says(added);
    assert!(!run.stderr.contains("npm install"), "{}", run.stderr);
    workspace.replace("run.toml", "wit = \"wit\"", &format!("wit = \"wit\"\n{added}"));
    workspace.run(["build"]).ok();
}

/// A name for files in `paths` of the configuration is not a package.
#[test]
fn a_name_for_a_file_outside_of_the_package_leads_to_an_input() {
    let code = "import { X } from '@lib/i';\nexport const api = { hello: (n: string) => n + X };\n";
    let options = r#"{ "compilerOptions": { "module": "esnext", "moduleResolution": "bundler", "types": [],
        "paths": { "@lib/*": ["../lib/*"] } } }"#;
    let workspace = hello("packages/app/app.ts", code)
        .file("packages/app/package.json", r#"{ "name": "app", "type": "module" }"#)
        .file("packages/app/tsconfig.json", options)
        .file("packages/lib/i.ts", "export const X = 'x!';\n");
    // The bundle and the check both report it as missing.
    let missed = told(&workspace, "run build -k", 1);
    let line = missed.advises("`packages/lib/i.ts` is in the project").text("inputs = [");
    assert!(!missed.said.contains("npm install"), "{}", missed.said);
    add_to_component(&workspace, &line);
    workspace.types("run build").ok();
    // The path leads out of the project.
    workspace.replace("packages/app/tsconfig.json", "../lib", "../../../lib");
    std::fs::rename(workspace.path("packages/lib"), workspace.root().join("lib")).unwrap();
    workspace.replace("run.toml", &format!("{line}\n"), "");
    let outside = told(&workspace, "run build", 1);
    outside.advises(
        "by packages/app/tsconfig.json, `@lib/i` is `../../../lib/i`, outside of the project",
    );
    outside.advises("put a copy of it into the project, and name that in `paths`");
    workspace.write("packages/app/lib/i.ts", "export const X = 'x!';\n");
    workspace.replace("packages/app/tsconfig.json", "../../../lib", "./lib");
    workspace.types("run build").ok();
}
