//! Makes a component out of a core module.

use std::collections::BTreeSet;

use wasi_preview1_component_adapter_provider as adapters;
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{
    Function, LiftLowerAbi, ManglingAndAbi, Resolve, WasmExport, WasmExportKind, WorldId,
    WorldItem, WorldKey,
};

use super::check::{Gap, WorldMismatch, world_name};
use super::inspect::{InvalidWasm, validate};

/// The translation of WASI 0.1 calls, which core modules make, to those of WASI 0.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    /// For a module with `_start`: it becomes `wasi:cli/run`.
    Command,
    /// For a module whose functions are called from outside.
    Reactor,
    /// The same for one that has no files and no terminal, only standard streams and clocks. Its
    /// component imports no file system.
    Proxy,
}

/// The calls that the adapter [`Adapter::Proxy`] answers as [`Adapter::Reactor`] does.
const WITHOUT_FILES: [&str; 6] =
    ["clock_res_get", "clock_time_get", "fd_fdstat_get", "fd_write", "random_get", "sched_yield"];

/// Why a core module could not become a component.
#[derive(Debug, thiserror::Error)]
pub enum ComponentizeError {
    /// The module can't be read.
    #[error("the core module is not valid WebAssembly")]
    Malformed(#[from] wasmparser::BinaryReaderError),
    /// The module lacks functions of the world.
    #[error(transparent)]
    Mismatch(WorldMismatch),
    /// The module and the world don't fit in some other way.
    #[error("the core module can't become a component of world `{world}`: {reason}")]
    Unfit {
        /// The world.
        world: String,
        /// What `wit-component` says.
        reason: String,
    },
}

impl Adapter {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Command => adapters::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
            Self::Reactor => adapters::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
            Self::Proxy => adapters::WASI_SNAPSHOT_PREVIEW1_PROXY_ADAPTER,
        }
    }
}

/// What decides about how a module is turned into a component.
#[derive(Debug, Default)]
struct Traits {
    /// Bindings generators and linkers leave the module's world in such a section.
    has_world: bool,
    /// The functions of WASI 0.1 that it imports.
    wasi_0_1: BTreeSet<String>,
    exports: BTreeSet<String>,
}

/// Makes a component of `world` out of a core module.
///
/// A module that says itself what its world is, as one does that was made with bindings from
/// `wit-bindgen`, keeps that world. If `adapter` is `None`, it is chosen by whether the module has
/// `_start` and by what it calls. It is used only by a module that calls WASI 0.1.
pub fn componentize(
    module: &[u8],
    resolve: &Resolve,
    world: WorldId,
    adapter: Option<Adapter>,
) -> Result<Vec<u8>, ComponentizeError> {
    let traits = Traits::of(module)?;
    let adapter = (!traits.wasi_0_1.is_empty()).then(|| adapter.unwrap_or(traits.adapter()));
    encode(module, resolve, world, &traits, adapter).map_err(|reason| {
        let gaps = missing_exports(&traits.exports, resolve, world, adapter);
        let world = world_name(resolve, world);
        if gaps.is_empty() {
            ComponentizeError::Unfit { world, reason }
        } else {
            ComponentizeError::Mismatch(WorldMismatch { world, gaps })
        }
    })
}

fn encode(
    module: &[u8],
    resolve: &Resolve,
    world: WorldId,
    traits: &Traits,
    adapter: Option<Adapter>,
) -> Result<Vec<u8>, String> {
    let mut module = module.to_vec();
    let said = |error| format!("{error:#}");
    if !traits.has_world {
        let mut resolve = resolve.clone();
        let mut exports = std::mem::take(&mut resolve.worlds[world].exports);
        exports.retain(|key, _| !comes_from_adapter(&resolve, key, adapter));
        resolve.worlds[world].exports = exports;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
            .map_err(said)?;
    }
    let mut encoder = ComponentEncoder::default();
    encoder.validate(false).module(&module).map_err(said)?;
    if let Some(adapter) = adapter {
        encoder
            .adapter(adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter.bytes())
            .map_err(said)?;
    }
    let component = encoder.encode().map_err(said)?;
    // In place of the encoder's own validation, which is not parallel.
    match validate(&component) {
        Ok(_) => Ok(component),
        Err(InvalidWasm::Malformed(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

impl Traits {
    fn of(module: &[u8]) -> Result<Self, wasmparser::BinaryReaderError> {
        let mut traits = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::CustomSection(section) => {
                    traits.has_world |= section.name().starts_with("component-type");
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        if import.module == adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME {
                            traits.wasi_0_1.insert(import.name.to_owned());
                        }
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        traits.exports.insert(export?.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(traits)
    }

    /// The adapter with the fewest imports that answers all calls.
    fn adapter(&self) -> Adapter {
        let without_files = |call: &String| WITHOUT_FILES.contains(&call.as_str());
        match self.exports.contains("_start") {
            true => Adapter::Command,
            false if self.wasi_0_1.iter().all(without_files) => Adapter::Proxy,
            false => Adapter::Reactor,
        }
    }
}

/// The command adapter exports `wasi:cli/run` itself, so the module must not be asked for it.
fn comes_from_adapter(resolve: &Resolve, key: &WorldKey, adapter: Option<Adapter>) -> bool {
    adapter == Some(Adapter::Command) && resolve.name_world_key(key).starts_with("wasi:cli/run@")
}

/// The functions of the world that a module has under none of the names by which modules export
/// them.
fn missing_exports(
    exports: &BTreeSet<String>,
    resolve: &Resolve,
    world: WorldId,
    adapter: Option<Adapter>,
) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let asked = resolve.worlds[world].exports.iter();
    for (key, item) in asked.filter(|(key, _)| !comes_from_adapter(resolve, key, adapter)) {
        match item {
            WorldItem::Interface { id, .. } => {
                let functions = &resolve.interfaces[*id].functions;
                let missing: Vec<&Function> = functions
                    .values()
                    .filter(|function| !is_exported(exports, resolve, Some(key), function))
                    .collect();
                if missing.len() == functions.len() && !missing.is_empty() {
                    gaps.push(Gap::interface(resolve, key, item));
                } else {
                    let interface = resolve.name_world_key(key);
                    let gap = |function| Gap::function(resolve, Some(&interface), function);
                    gaps.extend(missing.into_iter().map(gap));
                }
            }
            WorldItem::Function(function) if !is_exported(exports, resolve, None, function) => {
                gaps.push(Gap::function(resolve, None, function));
            }
            WorldItem::Function(_) | WorldItem::Type { .. } => {}
        }
    }
    gaps
}

fn is_exported(
    exports: &BTreeSet<String>,
    resolve: &Resolve,
    interface: Option<&WorldKey>,
    func: &Function,
) -> bool {
    let kind = || WasmExportKind::Normal;
    let name = |mangling| {
        resolve.wasm_export_name(mangling, WasmExport::Func { interface, func, kind: kind() })
    };
    [
        ManglingAndAbi::Standard32,
        ManglingAndAbi::Legacy(LiftLowerAbi::Sync),
        ManglingAndAbi::Legacy(LiftLowerAbi::AsyncCallback),
        ManglingAndAbi::Legacy(LiftLowerAbi::AsyncStackful),
    ]
    .into_iter()
    .any(|mangling| exports.contains(&name(mangling)))
}

#[cfg(test)]
mod tests;
