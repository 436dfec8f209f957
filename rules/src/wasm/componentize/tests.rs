//! Tests with core modules of all kinds: they become components, or the error says why they can't.

use super::*;
use crate::wasm::fixture::{completed_world, module, world};
use crate::wasm::{check_world, externs, validate};

const CALC: &str = "\
package demo:calc@0.1.0;
interface ops { add: func(a: u32, b: u32) -> u32; greet: func(name: string) -> string; }
world calc { import log: func(line: string); export ops; }";

#[test]
fn a_module_without_its_world_is_told() {
    let (resolve, world) = world(CALC);
    let component = componentize(&module(CALC), &resolve, world, None).unwrap();
    validate(&component).unwrap();
    check_world(&component, &resolve, world).unwrap();
    assert_eq!(externs(&component).unwrap().exports, ["demo:calc/ops@0.1.0"]);
}

#[test]
fn a_module_keeps_the_world_it_has() {
    let (resolve, own) = world(CALC);
    let mut module = module(CALC);
    embed_component_metadata(&mut module, &resolve, own, StringEncoding::UTF8, false).unwrap();
    let (other, other_world) = world("world other { export elsewhere: func(); }");
    let component = componentize(&module, &other, other_world, None).unwrap();
    assert_eq!(externs(&component).unwrap().exports, ["demo:calc/ops@0.1.0"]);
}

#[test]
fn the_same_module_gives_the_same_bytes() {
    let (resolve, world) = world(CALC);
    let module = module(CALC);
    let once = componentize(&module, &resolve, world, None).unwrap();
    assert_eq!(componentize(&module, &resolve, world, None).unwrap(), once);
}

/// A module as a toolchain for WASI 0.1 makes it.
const WASI_0_1: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "EXPORT") RESULT))"#;

#[test]
fn a_command_gets_its_run_from_the_adapter() {
    let module = WASI_0_1.replace("EXPORT", "_start").replace(" RESULT", "");
    let module = wat::parse_str(module).unwrap();
    for version in ["0.2.0", "0.2.4", "0.2.12"] {
        let (resolve, world) = completed_world(&format!(
            "package demo:hello;
             world hello {{ include wasi:cli/imports@{version}; export wasi:cli/run@{version}; }}"
        ));
        let component = componentize(&module, &resolve, world, None).unwrap();
        check_world(&component, &resolve, world).unwrap();
        let externs = externs(&component).unwrap();
        assert_eq!(externs.exports, ["wasi:cli/run@0.2.12"]);
        assert!(externs.imports.iter().any(|import| import.starts_with("wasi:io/streams@0.2")));
    }
}

#[test]
fn a_reactor_keeps_its_own_exports() {
    let (resolve, world) = world("world w { export answer: func() -> u32; }");
    let module =
        WASI_0_1.replace("EXPORT", "answer").replace("RESULT", "(result i32) i32.const 42");
    let component = componentize(&wat::parse_str(module).unwrap(), &resolve, world, None).unwrap();
    check_world(&component, &resolve, world).unwrap();
    assert_eq!(externs(&component).unwrap().exports, ["answer"]);
}

#[test]
fn a_module_without_files_imports_no_file_system() {
    let imports_files = |call: &str| {
        let module = WASI_0_1.replace("EXPORT", "answer");
        let module = module.replace("RESULT", "(result i32) i32.const 42");
        let module = module.replace("fd_write", call);
        let (resolve, world) = world("world w { export answer: func() -> u32; }");
        let module = wat::parse_str(module).unwrap();
        let component = componentize(&module, &resolve, world, None).unwrap();
        let imports = externs(&component).unwrap().imports;
        assert!(imports.iter().any(|import| import.starts_with("wasi:")), "{imports:?}");
        imports.iter().any(|import| import.starts_with("wasi:filesystem/"))
    };
    assert!(!imports_files("fd_write"));
    assert!(imports_files("fd_read"));
}

#[test]
fn exports_that_the_module_lacks() {
    #[track_caller]
    fn check(module: &str, expect: &str) {
        let (resolve, world) = world(CALC);
        let error =
            componentize(&wat::parse_str(module).unwrap(), &resolve, world, None).unwrap_err();
        assert_eq!(error.to_string(), expect);
    }
    check(
        "(module)",
        "the component does not fit world `demo:calc/calc@0.1.0`:\n  \
         interface `demo:calc/ops@0.1.0` is not exported (asked for in wit/world.wit:3:53)",
    );
    check(
        r#"(module
            (func (export "demo:calc/ops@0.1.0#add") (param i32 i32) (result i32) unreachable))"#,
        "the component does not fit world `demo:calc/calc@0.1.0`:\n  \
         function `greet: func(name: string) -> string` of `demo:calc/ops@0.1.0` is not exported \
         (asked for in wit/world.wit:2:51)",
    );
    check(
        r#"(module
            (func (export "demo:calc/ops@0.1.0#add") (result i32) unreachable)
            (func (export "demo:calc/ops@0.1.0#greet") (param i32 i32) (result i32) unreachable))"#,
        "the core module can't become a component of world `demo:calc/calc@0.1.0`: failed to \
         decode world from module: module was not valid: failed to classify export \
         `demo:calc/ops@0.1.0#add`: failed to validate export for `demo:calc/ops@0.1.0`: type \
         mismatch for function `add`: expected `[I32, I32] -> [I32]` but found `[] -> [I32]`",
    );
}

#[test]
fn not_a_module() {
    let (resolve, world) = world(CALC);
    let error = componentize(b"\0asm\x01\0\0\0\xff", &resolve, world, None).unwrap_err();
    assert_eq!(error.to_string(), "the core module is not valid WebAssembly");
}
