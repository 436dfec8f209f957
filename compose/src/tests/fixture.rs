//! Makes parts out of nothing but WIT, and reads what was composed with the newer crates that the rest of the project uses.

use std::path::Path;

use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use crate::{Composed, Part, compose};

/// The packages of WASI, each behind those that it needs.
const WASI: [&str; 7] = ["io", "clocks", "random", "filesystem", "sockets", "cli", "http"];

/// Makes a component of a world, whose functions all trap. Before the world, `wit` may have packages in braces. The world may use the
/// packages of WASI if `wasi` names a patch release of 0.2 that the project has the texts of.
pub(super) fn component(wit: &str, wasi: Option<u32>) -> Vec<u8> {
    let mut resolve = Resolve::new();
    resolve.all_features = true;
    for package in WASI.iter().filter(|_| wasi.is_some()) {
        let patch = wasi.unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/wit");
        let path = folder.join(format!("wasi-0.2.{patch}/{package}.wit"));
        resolve
            .push_source(&path.to_string_lossy(), &std::fs::read_to_string(&path).unwrap())
            .unwrap();
    }
    let package = resolve
        .push_source("world.wit", &format!("package test:part;\n{wit}"))
        .unwrap_or_else(|error| panic!("{error:#}\n{wit}"));
    let world = resolve.select_world(&[package], None).unwrap();
    let abi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = wit_component::dummy_module(&resolve, world, abi);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// Makes a part of the packages in `packages` and the items of a world.
pub(super) fn part(name: &str, dependencies: &[&str], packages: &str, world: &str) -> Part {
    let wit = format!("{packages}\nworld part {{ {world} }}");
    of_bytes(name, dependencies, component(&wit, None))
}

/// Makes a part that uses WASI 0.2.`patch`.
pub(super) fn wasi_part(name: &str, dependencies: &[&str], patch: u32, world: &str) -> Part {
    let world = world.replace("@0.2", &format!("@0.2.{patch}"));
    of_bytes(name, dependencies, component(&format!("world part {{ {world} }}"), Some(patch)))
}

/// Makes a part of the text of a component.
pub(super) fn wat_part(name: &str, dependencies: &[&str], text: &str) -> Part {
    of_bytes(name, dependencies, wat::parse_str(text).unwrap())
}

pub(super) fn of_bytes(name: &str, dependencies: &[&str], bytes: Vec<u8>) -> Part {
    let dependencies = dependencies.iter().map(|name| (*name).to_owned()).collect();
    Part { name: name.to_owned(), bytes, dependencies }
}

/// Composes parts whose first one is the root, in this order and in the opposite one, and checks the result.
#[track_caller]
pub(super) fn composed(parts: &[Part]) -> Composed {
    let composed = compose(&parts[0].name, parts).unwrap_or_else(|error| panic!("{error}"));
    let mut turned = parts.to_vec();
    turned.reverse();
    turned.iter_mut().for_each(|part| part.dependencies.reverse());
    assert!(compose(&parts[0].name, &turned).unwrap() == composed, "the order changes the result");
    check_readable(&composed.bytes);
    composed
}

/// Checks that bytes are valid for the version of wasmparser that the rest of the project has, with the features of WASI 0.2 alone.
#[track_caller]
pub(super) fn check_readable(bytes: &[u8]) {
    let mut validator =
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::default());
    validator.validate_all(bytes).unwrap();
    assert!(matches!(wit_component::decode(bytes).unwrap(), DecodedWasm::Component(..)));
    wasm_metadata::Payload::from_binary(bytes).unwrap();
}

/// Composes parts, and returns the message of what is wrong with them.
#[track_caller]
pub(super) fn refused(parts: &[Part]) -> String {
    let error = compose(&parts[0].name, parts).unwrap_err();
    let mut turned = parts.to_vec();
    turned.reverse();
    turned.iter_mut().for_each(|part| part.dependencies.reverse());
    assert_eq!(compose(&parts[0].name, &turned).unwrap_err(), error);
    error.to_string()
}

/// Returns what a component imports and exports, as `import NAME` and `export NAME` in its own order.
pub(super) fn surface(bytes: &[u8]) -> Vec<String> {
    let mut surface = Vec::new();
    let mut depth = 0;
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            wasmparser::Payload::Version { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            wasmparser::Payload::ComponentImportSection(section) if depth == 1 => {
                surface.extend(
                    section.into_iter().map(|item| format!("import {}", item.unwrap().name.name)),
                );
            }
            wasmparser::Payload::ComponentExportSection(section) if depth == 1 => {
                surface.extend(
                    section.into_iter().map(|item| format!("export {}", item.unwrap().name.name)),
                );
            }
            _ => {}
        }
    }
    surface
}

/// Returns links as `part: import < provider`, and the name of the export if it differs.
pub(super) fn links(composed: &Composed) -> Vec<String> {
    let text = |link: &crate::Link| {
        let export = if link.import == link.export { "" } else { &format!(" as {}", link.export) };
        format!("{}: {} < {}{export}", link.part, link.import, link.provider)
    };
    composed.links.iter().map(text).collect()
}
