//! Components for tests of tests, written by hand: core modules in WAT, made components by `wit-component`.

#[path = "../../runtime/src/fixture/made.rs"]
mod made;

use made::{command_of, component, embedded, web};

use crate::harness::Workspace;
pub(crate) use crate::packages::composition::{rng, user};

/// The head of a run.toml.
const HEAD: &str = "[project]\nname = \"p\"\nversion = \"0.1.0\"\n";

/// Returns a project with the components `calc`, `web` and `tool`, and with these tests, which begin in line 19.
pub(crate) fn project(tests: &str) -> Workspace {
    Workspace::new()
        .private_store()
        .file("run.toml", format!("{HEAD}{COMPONENTS}{tests}"))
        .file("calc.wasm", calc())
        .file("web.wasm", web())
        .file("tool.wasm", command("(call $write_args)"))
}

/// The line of run.toml in which the tests of a [`project`] begin.
pub(crate) const FIRST_LINE: usize = 19;

const COMPONENTS: &str = r#"
[[component]]
name = "calc"
path = "calc.wasm"

[[component]]
name = "web"
path = "web.wasm"
capabilities = ["http-server"]

[[component]]
name = "tool"
path = "tool.wasm"
capabilities = ["stdio", "env", "clock"]

"#;

/// Returns a project with one component `NAME` in `NAME.wasm`, and whatever is written after it.
pub(crate) fn project_of(name: &str, component: Vec<u8>, rest: &str) -> Workspace {
    let text = format!("{HEAD}\n[[component]]\nname = \"{name}\"\npath = \"{name}.wasm\"\n{rest}");
    Workspace::new().private_store().file("run.toml", text).file(&format!("{name}.wasm"), component)
}

/// Makes a component whose functions add, divide, swap, echo, trap and loop.
pub(crate) fn calc() -> Vec<u8> {
    component(
        "package demo:calc@0.1.0;
        interface ops {
            record point { x: u32, y: u32 }
            add: func(a: u32, b: u32) -> u32;
            divide: func(a: u32, b: u32) -> result<u32, string>;
            swap: func(p: point) -> point;
            echo: func(text: string) -> string;
            fail: func();
            spin: func();
        }
        world calc { export ops; export answer: func() -> u32; }",
        include_str!("calc.wat"),
    )
}

/// Makes a command around a module that calls WASI 0.1. `start` is the body of its `_start`.
pub(crate) fn command(start: &str) -> Vec<u8> {
    command_of(&wat::parse_str(module(start)).unwrap())
}

/// Makes a command that imports `next` of `demo:rng/rand@1.0.0`, which `start` can call as `$next`.
pub(crate) fn checker(start: &str) -> Vec<u8> {
    let import = "(module\n  (import \"demo:rng/rand@1.0.0\" \"next\" (func $next (result i32)))";
    let module = module(start).replacen("(module", import, 1);
    let module = embedded(
        "package demo:rng@1.0.0;
        interface rand { next: func() -> u32; }
        world checker { import rand; }",
        &wat::parse_str(module).unwrap(),
    );
    command_of(&module)
}

fn module(start: &str) -> String {
    let time = "(import \"wasi_snapshot_preview1\" \"clock_time_get\" \
                (func $clock_time_get (param i32 i64 i32) (result i32)))";
    let module = include_str!("../../runtime/src/fixture/command.wat").replace("START", start);
    module.replacen("(module", &format!("(module\n  {time}"), 1)
}
