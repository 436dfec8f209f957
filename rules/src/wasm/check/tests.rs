//! Tests of the messages about a component that differs from its world.

use super::*;
use crate::wasm::fixture::{component, parse, world};

/// Checks a component that was made for the world `made_for` against the world `asked`.
#[track_caller]
fn check(asked: &str, made_for: &str, expect: &[&str]) {
    let (resolve, world) = world(asked);
    let gaps = match check_world(&component(made_for), &resolve, world) {
        Ok(()) => Vec::new(),
        Err(CheckError::Mismatch(mismatch)) => mismatch.gaps,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(gaps.iter().map(Gap::to_string).collect::<Vec<_>>(), expect);
}

const CALC: &str = "\
package demo:calc@0.1.0;
interface ops {
  add: func(a: u32, b: u32) -> u32;
  sub: func(a: u32, b: u32) -> u32;
}
world calc { export ops; }";

#[test]
fn the_same_world_fits() {
    check(CALC, CALC, &[]);
    check("world w {}", CALC, &[]);
    check("world w { import a: func(); }", "world w { import b: func(); export c: func(); }", &[]);
}

#[test]
fn a_missing_interface() {
    check(
        CALC,
        "world w { export other: func(); }",
        &["interface `demo:calc/ops@0.1.0` is not exported (asked for in wit/world.wit:6:21)"],
    );
    check(
        CALC,
        &CALC.replace("@0.1.0", "@0.2.0"),
        &["interface `demo:calc/ops@0.1.0` is not exported (asked for in wit/world.wit:6:21); \
           `demo:calc/ops@0.2.0` is"],
    );
}

#[test]
fn compatible_versions_fit() {
    check(CALC, &CALC.replace("@0.1.0", "@0.1.7"), &[]);
    check(&CALC.replace("@0.1.0", "@1.0.0"), &CALC.replace("@0.1.0", "@1.3.0"), &[]);
}

#[test]
fn a_missing_function() {
    check(
        CALC,
        &CALC.replace("  sub: func(a: u32, b: u32) -> u32;\n", ""),
        &["function `sub: func(a: u32, b: u32) -> u32` of `demo:calc/ops@0.1.0` is not exported \
           (asked for in wit/world.wit:4:3)"],
    );
    check(
        "world w {\n  export run: func();\n}",
        "world w {}",
        &["function `run: func()` is not exported (asked for in wit/world.wit:3:10)"],
    );
}

#[test]
fn another_signature() {
    check(
        CALC,
        &CALC.replace("add: func(a: u32,", "add: func(a: u64,"),
        &["export `demo:calc/ops@0.1.0` differs (asked for in wit/world.wit:3:3)
    expected `add: func(a: u32, b: u32) -> u32`
    found    `add: func(a: u64, b: u32) -> u32`"],
    );
    check(
        "world w { export f: func(a: u8); }",
        "world w { export f: func(b: u8); }",
        &["export differs (asked for in wit/world.wit:2:18)
    expected `f: func(a: u8)`
    found    `f: func(b: u8)`"],
    );
    check(
        "world w { export f: func(); }",
        "world w { export f: interface {} }",
        &["export `f` is of another kind (asked for in wit/world.wit:2:18)"],
    );
}

const SHAPES: &str = "\
package demo:shapes;
interface shapes {
  record point { x: u32, y: u32 }
  variant shape { dot(point), line(tuple<point, point>), none }
  enum colour { red, green }
  flags sides { left, right }
  type id = u64;
  resource pen { constructor(c: colour); draw: func(s: shape) -> result<id, string>; }
  name: func(s: shape, c: option<colour>, w: list<sides>) -> string;
  paint: func(p: borrow<pen>) -> own<pen>;
}
world w { export shapes; }";

#[test]
fn types_are_compared_by_structure() {
    check(SHAPES, SHAPES, &[]);
    check(SHAPES, &SHAPES.replace("type id = u64;", "type number = u64; type id = number;"), &[]);
    check(
        "interface i { type t = u8; f: func(a: t); } world w { export i; }",
        "interface i { f: func(a: u8); } world w { export i; }",
        &[],
    );
}

#[test]
fn another_definition_of_a_type_is_reported_once() {
    #[track_caller]
    fn check_type(from: &str, to: &str, line: u32, expected: &str, found: &str) {
        let message = format!(
            "export `demo:shapes/shapes` differs (asked for in wit/world.wit:{line})
    expected `{expected}`
    found    `{found}`"
        );
        let place = message.replace(&format!("{line})"), "");
        let (resolve, world) = world(SHAPES);
        let error =
            check_world(&component(&SHAPES.replace(from, to)), &resolve, world).unwrap_err();
        let CheckError::Mismatch(mismatch) = error else { panic!("{error}") };
        assert_eq!(mismatch.gaps.len(), 1, "{mismatch}");
        let text = mismatch.gaps[0].to_string();
        assert!(text.starts_with(&place[..60]), "{text}");
        assert!(text.contains(&format!("wit/world.wit:{line}:")), "{text}");
        assert!(text.ends_with(&message[message.find('\n').unwrap()..]), "{text}\n{message}");
    }
    check_type(
        "y: u32 }",
        "z: u32 }",
        3,
        "record point { x: u32, y: u32, }",
        "record point { x: u32, z: u32, }",
    );
    check_type(
        ", none }",
        " }",
        4,
        "variant shape { dot(point), line(tuple<point, point>), none, }",
        "variant shape { dot(point), line(tuple<point, point>), }",
    );
    check_type(
        "{ red, green }",
        "{ green, red }",
        5,
        "enum colour { red, green, }",
        "enum colour { green, red, }",
    );
    check_type("left, right", "left", 6, "flags sides { left, right, }", "flags sides { left, }");
    check_type("type id = u64", "type id = u32", 7, "type id = u64;", "type id = u32;");
}

#[test]
fn shared_types_take_no_exponential_time() {
    let mut types = "record t0 { a: u8 }".to_owned();
    for n in 1..60 {
        types += &format!(" record t{n} {{ a: t{0}, b: t{0} }}", n - 1);
    }
    let (resolve, _) = parse(&format!("interface i {{ {types} f: func() -> t59; }}"));
    let function = &resolve.interfaces.iter().next().unwrap().1.functions["f"];
    assert_eq!(Comparison::new(&resolve, &resolve).functions(function, function), None);
}

#[test]
fn the_whole_message() {
    let (resolve, world) = world(CALC);
    let error = check_world(&component("world w {}"), &resolve, world).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the component does not fit world `demo:calc/calc@0.1.0`:\n  \
         interface `demo:calc/ops@0.1.0` is not exported (asked for in wit/world.wit:6:21)"
    );
    let not_a_component = |bytes: &[u8], reason: &str| {
        let error = check_world(bytes, &resolve, world).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read the component's world: {reason}"));
    };
    not_a_component(&wat::parse_str("(module)").unwrap(), "it is a core module");
    not_a_component(b"text", "not a WebAssembly binary");
    let package = *resolve.package_names.values().next().unwrap();
    let package = wit_component::encode(&resolve, package, false).unwrap();
    not_a_component(&package, "it is a WIT package");
}
