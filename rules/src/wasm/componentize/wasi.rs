//! Handles the WASI that a module brings along. Its runtime's code may import interfaces that its world does
//! not name, and may export functions under another release of WASI 0.2 than the one in its world.
//!
//! TinyGo's runtime is such code: it is written for one release of WASI 0.2, whatever the world says.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use wasm_encoder::{ExportKind, ExportSection, RawSection, Section};
use wasmparser::{ExternalKind, Parser, Payload};
use wit_parser::{CloneMaps, PackageName, Resolve, SourceMap, Span, WorldId, WorldItem, WorldKey};

use crate::wasm::inspect::{slice, with_causes};
use crate::wit::built_in_release;

/// An interface of WASI with its release, such as `wasi:cli/run@0.2.0`.
#[derive(Debug, PartialEq, Eq)]
struct Interface<'a> {
    /// The name without the release, such as `wasi:cli/run`.
    name: &'a str,
    package: &'a str,
    version: Version,
}

impl<'a> Interface<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (name, version) = text.split_once('@')?;
        let (package, _) = name.strip_prefix("wasi:")?.split_once('/')?;
        Some(Self { name, package, version: Version::parse(version).ok()? })
    }

    /// Returns whether one interface may stand for the other, by the rule with which linkers compare
    /// versions.
    fn stands_for(&self, other: &Self) -> bool {
        let track = |interface: &Self| PackageName::version_compat_track(&interface.version).0;
        self.name == other.name && track(self) == track(other)
    }
}

/// Adds those imports of the module to the imports of `world` that the world lacks and that are built-in
/// WASI.
pub(super) fn add_imports(
    resolve: &mut Resolve,
    world: WorldId,
    imports: &BTreeSet<String>,
) -> Result<(), String> {
    let named: Vec<String> =
        resolve.worlds[world].imports.keys().map(|key| resolve.name_world_key(key)).collect();
    let named: Vec<Interface<'_>> =
        named.iter().filter_map(|name| Interface::parse(name)).collect();
    let mut missing: BTreeMap<Version, Vec<&str>> = BTreeMap::new();
    for import in imports {
        let Some(interface) = Interface::parse(import) else { continue };
        let has = named.iter().any(|named| named.stands_for(&interface));
        let mut release = built_in_release(&interface.version);
        if !has && release.any(|(package, _)| package == interface.package) {
            missing.entry(interface.version).or_default().push(import);
        }
    }
    for (version, interfaces) in missing {
        let (other, theirs) = importing(&version, &interfaces)?;
        let moved = resolve.merge(other).map_err(with_causes)?;
        let theirs = moved.map_world(theirs, Span::default()).map_err(with_causes)?;
        resolve.merge_worlds(theirs, world, &mut CloneMaps::default()).map_err(with_causes)?;
    }
    Ok(())
}

/// Makes a world that imports these interfaces of one release of WASI.
fn importing(version: &Version, interfaces: &[&str]) -> Result<(Resolve, WorldId), String> {
    let imports: String = interfaces.iter().map(|import| format!("import {import};\n")).collect();
    let main = format!("package run:imports;\nworld imports {{\n{imports}}}\n");
    let parse = |name: &str, text: &str| {
        let mut map = SourceMap::new();
        map.push_str(name, text);
        map.parse().map_err(|(map, error)| error.render(&map))
    };
    let wasi = built_in_release(version).map(|(package, text)| parse(package, &text));
    let wasi = wasi.collect::<Result<_, _>>()?;
    let mut resolve = Resolve::new();
    let package = resolve.push_groups(parse("imports", &main)?, wasi).map_err(with_causes)?;
    let world = resolve.select_world(&[package], None).map_err(with_causes)?;
    Ok((resolve, world))
}

/// Returns the exported names of functions that belong to another release of a WASI interface than the one in
/// the world. Each comes with the name that the world asks for.
pub(super) fn renamed_exports(
    exports: &BTreeSet<String>,
    resolve: &Resolve,
    world: WorldId,
) -> BTreeMap<String, String> {
    let keys = resolve.worlds[world].exports.iter();
    let interfaces = keys.filter(|(_, item)| matches!(item, WorldItem::Interface { .. }));
    let asked: Vec<String> =
        interfaces.map(|(key, _): (&WorldKey, _)| resolve.name_world_key(key)).collect();
    let asked: Vec<Interface<'_>> =
        asked.iter().filter_map(|name| Interface::parse(name)).collect();
    let renamed = |export: &String| {
        let (before, function) = export.split_once('#')?;
        let (prefix, written) = before.split_at(before.find("wasi:")?);
        let written = Interface::parse(written)?;
        let asked = asked.iter().find(|asked| asked.stands_for(&written))?;
        let name = format!("{prefix}{}@{}#{function}", asked.name, asked.version);
        (!exports.contains(&name)).then_some((export.clone(), name))
    };
    exports.iter().filter_map(renamed).collect()
}

/// Returns the module with some of its exports renamed.
pub(super) fn rename_exports(
    module: &[u8],
    names: &BTreeMap<String, String>,
) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    let mut output = wasm_encoder::Module::HEADER.to_vec();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ExportSection(section) => {
                let mut exports = ExportSection::new();
                for export in section {
                    let export = export?;
                    let name = names.get(export.name).map_or(export.name, String::as_str);
                    exports.export(name, kind(export.kind), export.index);
                }
                exports.append_to(&mut output);
            }
            payload => {
                if let Some((id, range)) = payload.as_section() {
                    let data = slice(module, &range).expect("a section lies in its module");
                    RawSection { id, data }.append_to(&mut output);
                }
            }
        }
    }
    Ok(output)
}

fn kind(kind: ExternalKind) -> ExportKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
    }
}

#[cfg(test)]
mod tests {
    use super::super::componentize;
    use crate::wasm::fixture::{completed_world, world};
    use crate::wasm::{check_world, externs, validate};

    /// A module as TinyGo makes it: its runtime imports and exports one release of WASI.
    const TINYGO: &str = r#"(module
        (import "wasi:cli/environment@0.2.0" "get-environment" (func (param i32)))
        (import "wasi:cli/stdout@0.2.0" "get-stdout" (func (result i32)))
        (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func (param i32)))
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "wasi:cli/run@0.2.0#run") (result i32) unreachable)
        (func (export "demo:calc/ops#add") (param i32 i32) (result i32) unreachable))"#;
    const OPS: &str = "package demo:calc;\ninterface ops { add: func(a: u32, b: u32) -> u32; }\n";

    #[test]
    fn a_world_needs_not_name_what_a_runtime_imports() {
        let module = wat::parse_str(TINYGO).unwrap();
        let (resolve, world) = world(&format!("{OPS}world w {{ export ops; }}"));
        let component = componentize(&module, &resolve, world, None).unwrap();
        validate(&component).unwrap();
        check_world(&component, &resolve, world).unwrap();
        let externs = externs(&component).unwrap();
        assert_eq!(externs.exports, ["demo:calc/ops"]);
        for import in ["wasi:cli/environment@0.2.0", "wasi:io/streams@0.2.0"] {
            assert!(externs.imports.iter().any(|found| found == import), "{:?}", externs.imports);
        }
    }

    #[test]
    fn what_is_exported_may_be_of_another_release_than_the_world_asks_for() {
        let module = wat::parse_str(TINYGO).unwrap();
        for version in ["0.2.0", "0.2.1", "0.2.4", "0.2.12"] {
            let (resolve, world) = completed_world(&format!(
                "{OPS}world w {{ import wasi:io/streams@{version}; export ops; export wasi:cli/run@{version}; }}"
            ));
            let component = componentize(&module, &resolve, world, None).unwrap();
            check_world(&component, &resolve, world).unwrap();
            let exports = externs(&component).unwrap().exports;
            assert!(exports.contains(&format!("wasi:cli/run@{version}")), "{exports:?}");
        }
    }

    #[test]
    fn what_is_not_built_in_is_still_told() {
        let module = TINYGO.replace("environment@0.2.0", "environment@0.4.0");
        let module = wat::parse_str(module).unwrap();
        let (resolve, world) = world(&format!("{OPS}world w {{ export ops; }}"));
        let error = componentize(&module, &resolve, world, None).unwrap_err().to_string();
        assert!(error.contains("wasi:cli/environment@0.4.0"), "{error}");
    }
}
