//! Tests that what does not fit is refused, and that the message says why.

use super::fixture::{component, of_bytes, part, refused, wat_part};

fn demo(interface: &str) -> String {
    format!("package demo:a@1.0.0 {{ interface one {{ {interface} }} }}")
}

const IMPORT: &str = "import demo:a/one@1.0.0; export run: func();";
const EXPORT: &str = "export demo:a/one@1.0.0;";

/// Checks what is said of an import and an export that differ.
#[track_caller]
fn check_difference(imported: &str, exported: &str, expected: &str) {
    let parts = [
        part("api", &["auth"], &demo(imported), IMPORT),
        part("auth", &[], &demo(exported), EXPORT),
    ];
    let head = "`api` imports `demo:a/one@1.0.0`, which `auth` exports with other types";
    assert_eq!(refused(&parts), format!("{head}\n{expected}"));
}

#[test]
fn differences_of_types_are_told_in_words() {
    check_difference(
        "f: func(); g: func(name: string) -> u32;",
        "f: func();",
        "`g` is not exported: func(name: string) -> u32",
    );
    check_difference(
        "f: func(a: u32, b: list<u8>) -> result<string, u8>;",
        "f: func(a: u64, b: list<u8>) -> result<string>;",
        "`f` differs:
  imported: func(a: u32, b: list<u8>) -> result<string, u8>
  exported: func(a: u64, b: list<u8>) -> result<string>",
    );
    check_difference(
        "f: func(a: u32); g: func() -> option<tuple<u8, char>>; h: func() -> result<_, f32>;",
        "f: func(b: u32); g: func(); h: func() -> result;",
        "`f` differs:
  imported: func(a: u32)
  exported: func(b: u32)
`g` differs:
  imported: func() -> option<tuple<u8, char>>
  exported: func()
`h` differs:
  imported: func() -> result<_, f32>
  exported: func() -> result",
    );
}

#[test]
fn a_type_that_differs_is_told_once() {
    check_difference(
        "record user { name: string, age: u32 } get: func() -> user; put: func(user: user, all: list<user>);",
        "record user { name: string, age: u64 } get: func() -> user; put: func(user: user, all: list<user>);",
        "`user` differs:
  imported: record { name: string, age: u32 }
  exported: record { name: string, age: u64 }",
    );
    check_difference(
        "enum colour { red, green } flags rights { read } variant v { a, b(u8) } f: func(c: colour, r: rights, v: v);",
        "enum colour { red, blue } flags rights { read, write } variant v { a, b } f: func(c: colour, r: rights, v: v);",
        "`colour` differs:
  imported: enum { red, green }
  exported: enum { red, blue }
`rights` differs:
  imported: flags { read }
  exported: flags { read, write }
`v` differs:
  imported: variant { a, b: u8 }
  exported: variant { a, b }",
    );
    check_difference(
        "resource r { m: func(x: u8); } f: func(r: borrow<r>) -> r;",
        "resource r { m: func(x: u16); } f: func(r: r) -> r;",
        "`[method]r.m` differs:
  imported: func(self: borrow<r>, x: u8)
  exported: func(self: borrow<r>, x: u16)
`f` differs:
  imported: func(r: borrow<r>) -> r
  exported: func(r: r) -> r",
    );
}

#[test]
fn many_and_long_differences_are_cut_off() {
    let functions = |ty: &str| (0..20).map(|n| format!("f{n}: func(x: {ty});")).collect::<String>();
    let parts = [
        part("api", &["auth"], &demo(&functions("u8")), IMPORT),
        part("auth", &[], &demo(&functions("u16")), EXPORT),
    ];
    let message = refused(&parts);
    assert_eq!(message.lines().count(), 1 + 8 * 3 + 1);
    assert!(message.ends_with("\n12 more differ"), "{message}");
    let record = |ty: &str| {
        let fields: Vec<_> = (0..200).map(|n| format!("field-{n}: u8")).collect();
        format!("record r {{ {}, last: {ty} }} f: func() -> r;", fields.join(", "))
    };
    let parts = [
        part("api", &["auth"], &demo(&record("u8")), IMPORT),
        part("auth", &[], &demo(&record("u16")), EXPORT),
    ];
    let message = refused(&parts);
    assert!(message.len() < 1000 && message.contains("last"), "{message}");
}

#[test]
fn a_function_is_no_instance() {
    let parts = [
        part("api", &["auth"], "", "import x: func(); export run: func();"),
        part("auth", &[], "", "export x: interface { f: func(); }"),
    ];
    assert_eq!(
        refused(&parts),
        "`api` imports `x`, which `auth` exports with other types
it differs:
  imported: func()
  exported: instance"
    );
}

#[test]
fn what_two_dependencies_export_is_ambiguous() {
    let parts = [
        part("api", &["a", "b"], &demo("f: func();"), IMPORT),
        part("a", &[], &demo("f: func();"), EXPORT),
        part("b", &[], &demo("f: func();"), EXPORT),
    ];
    assert_eq!(refused(&parts), "`api` imports `demo:a/one@1.0.0`, and `a` and `b` export it");
}

#[test]
fn a_dependency_that_serves_nothing_is_refused() {
    let auth = part(
        "auth",
        &[],
        &demo("f: func();").replace("1.0.0", "2.1.0"),
        "export demo:a/one@2.1.0; export more: func();",
    );
    assert_eq!(
        refused(&[part("api", &["auth"], &demo("f: func();"), IMPORT), auth.clone()]),
        "`api` imports nothing from its dependency `auth`
`api` imports `demo:a/one@1.0.0`
`auth` exports `demo:a/one@2.1.0` and `more`
`demo:a/one@1.0.0` and `demo:a/one@2.1.0` are not compatible"
    );
    assert_eq!(
        refused(&[part("api", &["auth"], "", "export run: func();"), auth]),
        "`api` imports nothing from its dependency `auth`
`api` imports nothing
`auth` exports `demo:a/one@2.1.0` and `more`"
    );
}

#[test]
fn a_middleware_that_is_depended_on_by_what_it_wraps_is_refused() {
    let demo = demo("f: func();");
    let parts = [
        part("api", &["auth"], &demo, EXPORT),
        part("auth", &[], &demo, "import demo:a/one@1.0.0; export demo:a/one@1.0.0;"),
    ];
    assert_eq!(
        refused(&parts),
        "`api` imports nothing from its dependency `auth`
`api` imports nothing
`auth` exports `demo:a/one@1.0.0`
`auth` imports `demo:a/one@1.0.0`, which `api` exports: a middleware depends on what it wraps"
    );
}

#[test]
fn circles_are_shown() {
    let chain = |name: &str, dependency: &str| {
        part(
            name,
            &[dependency],
            "",
            &format!("import {dependency}: func(); export {name}: func();"),
        )
    };
    let root = part("root", &["a"], "", "import a: func(); export run: func();");
    assert_eq!(
        refused(&[root, chain("a", "b"), chain("b", "c"), chain("c", "a")]),
        "components depend on each other in a circle: a → b → c → a"
    );
    assert_eq!(refused(&[chain("a", "a")]), "components depend on each other in a circle: a → a");
}

#[test]
fn names_have_to_be_known_and_different() {
    let part = |name: &str, dependencies: &[&str]| of_bytes(name, dependencies, Vec::new());
    assert_eq!(
        refused(&[part("api", &["auth"]), part("aut", &[])]),
        "there is no component `auth`, on which `api` depends"
    );
    assert_eq!(
        refused(&[part("api", &[]), part("auth", &[]), part("auth", &[])]),
        "two components have the name `auth`"
    );
    let error = crate::compose("api", &[]).unwrap_err();
    assert_eq!(error.to_string(), "there is no component `api`");
}

#[test]
fn what_is_no_component_is_named() {
    let with = |bytes: Vec<u8>| {
        [
            part("api", &["auth"], "", "import x: func(); export run: func();"),
            of_bytes("auth", &[], bytes),
        ]
    };
    assert_eq!(
        refused(&with(wat::parse_str("(module)").unwrap())),
        "`auth` is a core module and no component"
    );
    assert_eq!(
        refused(&with(wit_package())),
        "`auth` is a WIT package, which describes interfaces and has no code"
    );
    assert_eq!(
        refused(&with(b"PK\x03\x04".to_vec())),
        "`auth` is not a valid component: it does not begin like one"
    );
    assert_eq!(
        refused(&with(Vec::new())),
        "`auth` is not a valid component: it does not begin like one"
    );
    let mut bytes = component("world part { export x: func(); }", None);
    bytes.truncate(bytes.len() - 3);
    let message = refused(&with(bytes));
    assert!(
        message
            .starts_with("`auth` is not a valid component: unexpected end-of-file (at offset 0x"),
        "{message}"
    );
}

fn wit_package() -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::new();
    let text = "package demo:a@1.0.0; interface one { f: func(); } world w { import one; }";
    let package = resolve.push_source("a.wit", text).unwrap();
    wit_component::encode(&resolve, package, false).unwrap()
}

#[test]
fn imports_from_outside_have_to_agree() {
    let parts = [
        part(
            "api",
            &["auth"],
            &demo("f: func(x: u8);"),
            "import demo:a/one@1.0.0; import x: func(); export run: func();",
        ),
        part("auth", &[], &demo("f: func(x: u16);"), "import demo:a/one@1.0.0; export x: func();"),
    ];
    let message = refused(&parts);
    assert!(message.starts_with("`auth` and `api` import `demo:a/one@1.0.0` from outside, with types that do not agree\n"), "{message}");
    assert!(message.contains("export `f`") && message.contains("parameter `x`"), "{message}");
}

#[test]
fn compatible_imports_from_outside_have_to_agree_too() {
    let newer = demo("f: func(x: u16);").replace("1.0.0", "1.2.0");
    let parts = [
        part(
            "api",
            &["auth"],
            &demo("f: func(x: u8);"),
            "import demo:a/one@1.0.0; import x: func(); export run: func();",
        ),
        part("auth", &[], &newer, "import demo:a/one@1.2.0; export x: func();"),
    ];
    let message = refused(&parts);
    assert!(message.starts_with("`auth` and `api` import `demo:a/one@1.0.0` from outside, with types that do not agree\n"), "{message}");
}

#[test]
fn what_wac_does_not_support_is_no_panic() {
    let root = r#"(component (import "x" (func)) (import "i" (instance (export "c" (component)))) (export "y" (func 0)))"#;
    let dependency = r#"(component (import "f" (func $f)) (export "x" (func $f)))"#;
    let message = refused(&[wat_part("api", &["auth"], root), wat_part("auth", &[], dependency)]);
    assert_eq!(
        message,
        "the components can't be linked into a valid one: it has something that is not supported \
         (expected only types, functions, and instance types)"
    );
}
