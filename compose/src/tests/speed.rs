//! Composing takes no more time than the size of its input explains.

use std::time::{Duration, Instant};

use super::fixture::{part, wasi_part};
use crate::{Part, compose};

/// Returns the shortest time of a few attempts.
fn time(parts: &[Part]) -> Duration {
    let attempts = (0..3).map(|_| {
        let start = Instant::now();
        compose(&parts[0].name, parts).unwrap();
        start.elapsed()
    });
    attempts.min().unwrap()
}

/// Makes parts that depend on each other in a chain.
fn chain(length: usize) -> Vec<Part> {
    let part = |index: usize| {
        let (name, next) = (format!("p{index}"), format!("p{}", index + 1));
        let import =
            if index + 1 < length { format!("import {next}: func();") } else { String::new() };
        let dependencies: &[&str] = if index + 1 < length { &[&next] } else { &[] };
        wasi_part(
            &name,
            dependencies,
            4,
            &format!("import wasi:cli/stdout@0.2; {import} export {name}: func();"),
        )
    };
    (0..length).map(part).collect()
}

/// Makes a root that depends on parts that all depend on one.
fn diamond(width: usize) -> Vec<Part> {
    let names: Vec<String> = (0..width).map(|index| format!("p{index}")).collect();
    let imports: String = names.iter().map(|name| format!("import {name}: func();")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut parts = vec![part("root", &names, "", &format!("{imports} export run: func();"))];
    for name in &names {
        parts.push(wasi_part(
            name,
            &["base"],
            4,
            &format!("import wasi:cli/stdout@0.2; import base: func(); export {name}: func();"),
        ));
    }
    parts.push(part("base", &[], "", "export base: func();"));
    parts
}

/// Makes middlewares of one interface, each of which depends on all behind it.
fn stack(height: usize) -> Vec<Part> {
    let demo = "package demo:web@1.0.0 { interface handler { handle: func(); } }";
    let names: Vec<String> = (0..height).map(|index| format!("p{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let part = |index: usize| {
        let import = if index + 1 < height { "import demo:web/handler@1.0.0;" } else { "" };
        let world = format!("{import} export demo:web/handler@1.0.0;");
        part(names[index], &names[index + 1..], demo, &world)
    };
    (0..height).map(part).collect()
}

#[test]
fn time_grows_with_the_number_of_parts_and_no_faster() {
    for (name, parts) in
        [("chain", chain as fn(usize) -> Vec<Part>), ("diamond", diamond), ("stack", stack)]
    {
        let (few, many) = (time(&parts(10)), time(&parts(50)));
        // Five times as many parts. The rest is for a machine that is busy.
        assert!(
            many < 15 * few + Duration::from_millis(50),
            "{name} of 10: {few:?}, of 50: {many:?}"
        );
    }
}
