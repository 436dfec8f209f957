//! Composing takes no more time than the size of its input explains.

use std::time::{Duration, Instant};

use super::fixture::{of_bytes, part, wasi_part};
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

/// Makes a module of about this size, whose functions compute something.
fn padding(size: usize) -> Vec<u8> {
    let mut module = wasm_encoder::Module::new();
    let mut types = wasm_encoder::TypeSection::new();
    types.ty().function([wasm_encoder::ValType::I32], [wasm_encoder::ValType::I32]);
    let (mut functions, mut code) =
        (wasm_encoder::FunctionSection::new(), wasm_encoder::CodeSection::new());
    for index in 0..size / 1000 {
        functions.function(0);
        let mut function = wasm_encoder::Function::new([(4, wasm_encoder::ValType::I32)]);
        for step in 0..100_i32 {
            let mut code = function.instructions();
            code.local_get(0).i32_const(step * 7919 + i32::try_from(index).unwrap()).i32_add();
            code.local_tee(1).local_set(0);
        }
        function.instructions().local_get(0).end();
        code.function(&function);
    }
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

/// Adds a module, which nothing uses, to the end of a component.
fn padded(part: Part, size: usize) -> Part {
    use wasm_encoder::Encode;
    let module = padding(size);
    let mut bytes = part.bytes;
    bytes.push(wasm_encoder::ComponentSectionId::CoreModule as u8);
    module.as_slice().encode(&mut bytes);
    Part { bytes, ..part }
}

/// Prints how long it takes to compose four components of usual sizes. To be run by hand, in a release build.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "it is run for what it prints")]
fn four_components_take_well_under_150_milliseconds() {
    let http = "include wasi:http/proxy@0.2;";
    let cli = "include wasi:cli/imports@0.2; import wasi:http/outgoing-handler@0.2;";
    let parts = [
        padded(
            wasi_part(
                "api",
                &["auth", "shop", "mail"],
                4,
                &format!("{http} import auth: func(); import shop: func(); import mail: func();"),
            ),
            3_000_000,
        ),
        padded(
            wasi_part(
                "auth",
                &["mail"],
                4,
                &format!("{cli} import mail: func(); export auth: func();"),
            ),
            1_000_000,
        ),
        padded(
            wasi_part(
                "shop",
                &["auth"],
                9,
                &format!("{cli} import auth: func(); export shop: func();"),
            ),
            300_000,
        ),
        padded(wasi_part("mail", &[], 12, &format!("{cli} export mail: func();")), 100_000),
    ];
    let sizes: Vec<usize> = parts.iter().map(|part| part.bytes.len()).collect();
    println!("components of {sizes:?} bytes: {:?}", time(&parts));
    let small: Vec<Part> =
        parts.iter().map(|part| of_bytes(&part.name, &[], part.bytes.clone())).collect();
    println!("the largest alone: {:?}", time(&small[..1]));
}
