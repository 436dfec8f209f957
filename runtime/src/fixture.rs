//! Components for tests, written by hand: core modules in WAT, made components by `wit-component`.

use wasi_preview1_component_adapter_provider as adapters;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SourceMap, UnresolvedPackageGroup};

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

/// Makes a component that handles HTTP requests by the first letter of their path: it traps, loops without end, gives
/// no response, or says hello.
pub(crate) fn web() -> Vec<u8> {
    component(
        "package demo:web;
        world web {
            import wasi:cli/stderr@0.2.4;
            import wasi:io/streams@0.2.4;
            import wasi:http/types@0.2.4;
            export wasi:http/incoming-handler@0.2.4;
        }",
        include_str!("fixture/web.wat"),
    )
}

/// Makes a component of `wasi:cli/command` around a module that calls WASI 0.1. `start` is the body of
/// its `_start`.
pub(crate) fn command(start: &str) -> Vec<u8> {
    let module = include_str!("fixture/command.wat").replace("START", start);
    ComponentEncoder::default()
        .module(&wat::parse_str(module).unwrap())
        .unwrap()
        .adapter(
            adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            adapters::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        )
        .unwrap()
        .encode()
        .unwrap()
}

fn component(wit: &str, wat: &str) -> Vec<u8> {
    let mut resolve = Resolve::new();
    let package = resolve.push_groups(parse(wit), wasi()).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(wat).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

fn wasi() -> Vec<UnresolvedPackageGroup> {
    [
        include_str!("../../rules/wit/wasi-0.2.4/cli.wit"),
        include_str!("../../rules/wit/wasi-0.2.4/clocks.wit"),
        include_str!("../../rules/wit/wasi-0.2.4/filesystem.wit"),
        include_str!("../../rules/wit/wasi-0.2.4/http.wit"),
        include_str!("../../rules/wit/wasi-0.2.4/io.wit"),
        include_str!("../../rules/wit/wasi-0.2.4/random.wit"),
        include_str!("../../rules/wit/wasi-0.2.4/sockets.wit"),
    ]
    .map(parse)
    .into()
}

fn parse(wit: &str) -> UnresolvedPackageGroup {
    let mut map = SourceMap::new();
    map.push_str("fixture.wit", wit);
    map.parse().map_err(|(map, error)| error.render(&map)).unwrap()
}
