//! Makes a component out of a core module.
//!
//! It knows which world the component has and which adapter translates the module's WASI calls, but not which
//! compiler made the module.

mod wasi;

use std::borrow::Cow;
use std::collections::BTreeSet;

use wasi_preview1_component_adapter_provider as adapters;
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{
    Function, LiftLowerAbi, ManglingAndAbi, Resolve, WasmExport, WasmExportKind, WorldId,
    WorldItem, WorldKey,
};

use super::check::{Gap, WorldMismatch, world_name};
use super::inspect::{InvalidWasm, validate, with_causes};

/// An adapter: it translates the WASI 0.1 calls of core modules to WASI 0.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    /// The adapter for a module with `_start`, which becomes `wasi:cli/run`.
    Command,
    /// The adapter for a module whose functions are called from outside.
    Reactor,
    /// The adapter for a module whose functions are called from outside and that uses no files and no
    /// terminal, but only standard streams and clocks. The component does not import a file system.
    Proxy,
}

/// The calls that [`Adapter::Proxy`] answers in the same way as [`Adapter::Reactor`].
const WITHOUT_FILES: [&str; 6] =
    ["clock_res_get", "clock_time_get", "fd_fdstat_get", "fd_write", "random_get", "sched_yield"];

/// The reason why a core module could not become a component.
#[derive(Debug, thiserror::Error)]
pub enum ComponentizeError {
    /// The module can't be read.
    #[error("the core module is not valid WebAssembly")]
    Malformed(#[from] wasmparser::BinaryReaderError),
    /// The module lacks functions that the world exports.
    #[error(transparent)]
    Mismatch(WorldMismatch),
    /// The module does not fit the world in some other way.
    #[error("the core module can't become a component of world `{world}`: {reason}")]
    Unfit {
        /// The name of the world.
        world: String,
        /// The error message of `wit-component`.
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

/// The properties of a module that decide how it is turned into a component.
#[derive(Debug, Default)]
struct Traits {
    /// True if the module has a section with its world, as generators of bindings and linkers leave it.
    has_world: bool,
    /// The functions of WASI 0.1 that the module imports.
    wasi_0_1: BTreeSet<String>,
    /// The names of the modules and interfaces that it imports from.
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

/// Makes a component of `world` out of a core module.
///
/// A module that names its own world keeps that world. Modules made with bindings from `wit-bindgen` do so.
/// If `adapter` is `None`, the adapter is chosen by whether the module has `_start` and by its calls. An
/// adapter is used only for a module that calls WASI 0.1.
pub fn componentize(
    module: &[u8],
    resolve: &Resolve,
    world: WorldId,
    adapter: Option<Adapter>,
) -> Result<Vec<u8>, ComponentizeError> {
    let mut traits = Traits::of(module)?;
    let renamed = wasi::renamed_exports(&traits.exports, resolve, world);
    let mut module = Cow::Borrowed(module);
    if !traits.has_world && !renamed.is_empty() {
        module = Cow::Owned(wasi::rename_exports(&module, &renamed)?);
        traits = Traits::of(&module)?;
    }
    let module = &*module;
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
    if !traits.has_world {
        let mut resolve = resolve.clone();
        let mut exports = std::mem::take(&mut resolve.worlds[world].exports);
        exports.retain(|key, _| !comes_from_adapter(&resolve, key, adapter));
        resolve.worlds[world].exports = exports;
        wasi::add_imports(&mut resolve, world, &traits.imports).map_err(with_causes)?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
            .map_err(with_causes)?;
    }
    let mut encoder = ComponentEncoder::default();
    encoder.validate(false).module(&module).map_err(with_causes)?;
    if let Some(adapter) = adapter {
        encoder
            .adapter(adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter.bytes())
            .map_err(with_causes)?;
    }
    let component = encoder.encode().map_err(with_causes)?;
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
                        traits.imports.insert(import.module.to_owned());
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

    /// Returns the adapter with the fewest imports that answers all calls of the module.
    fn adapter(&self) -> Adapter {
        let without_files = |call: &String| WITHOUT_FILES.contains(&call.as_str());
        match self.exports.contains("_start") {
            true => Adapter::Command,
            false if self.wasi_0_1.iter().all(without_files) => Adapter::Proxy,
            false => Adapter::Reactor,
        }
    }
}

/// Returns whether the adapter exports this item. The command adapter exports `wasi:cli/run` itself, so the
/// module must not be asked for it.
fn comes_from_adapter(resolve: &Resolve, key: &WorldKey, adapter: Option<Adapter>) -> bool {
    adapter == Some(Adapter::Command) && resolve.name_world_key(key).starts_with("wasi:cli/run@")
}

/// Returns the functions that the world exports and that the module lacks. A module may export a function
/// under any of several names.
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
