//! Components for tests, written by hand: core modules in WAT, made components by `wit-component`.

mod made;

pub(crate) use made::web;
use made::{command_of, component};

/// Makes a component whose functions add numbers, greet, fail, and loop without end.
pub(crate) fn calc() -> Vec<u8> {
    component(
        "package demo:calc@0.1.0;
        interface ops {
            record point { x: u32, y: u32 }
            add: func(a: u32, b: u32) -> u32;
            echo: func(text: string) -> string;
            swap: func(p: point) -> point;
            nothing: func();
            fail: func();
            spin: func();
        }
        world calc { export ops; export answer: func() -> u32; }",
        include_str!("fixture/calc.wat"),
    )
}

/// Makes a component of `wasi:cli/command` around a module that calls WASI 0.1. `start` is the body of
/// its `_start`.
pub(crate) fn command(start: &str) -> Vec<u8> {
    let module = include_str!("fixture/command.wat").replace("START", start);
    command_of(&wat::parse_str(module).unwrap())
}
