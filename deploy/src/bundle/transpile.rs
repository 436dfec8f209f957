//! Translates a component to JavaScript and core modules.
//!
//! A JavaScript function that a component calls has to answer at once, unless WebAssembly is suspended until its
//! promise is fulfilled (JavaScript Promise Integration, JSPI). That costs time at every such call, so it is used only
//! if the component can wait for something: an answer of another server, a clock, or a stream. A body of a request never makes
//! it wait, because `handler.js` receives it beforehand.

use std::collections::BTreeMap;

use js_component_bindgen::{AsyncMode, InstantiationMode, TranspileOpts};

use super::{BundleError, HANDLER, inline};
use crate::world::World;

/// The name that the translation uses for its files. It is the same for all components, so that equal components
/// give equal bundles.
const NAME: &str = "component";

/// The functions that may wait. The shims return a promise of each if there is nothing to return yet.
const WAITING: [&str; 5] = [
    "wasi:io/poll#poll",
    "wasi:io/poll#[method]pollable.block",
    "wasi:io/streams#[method]input-stream.blocking-read",
    "wasi:io/streams#[method]input-stream.blocking-skip",
    "wasi:io/streams#[method]output-stream.blocking-splice",
];

/// Returns the modules of a component: `component.js` and those that it instantiates.
pub(super) fn transpile(
    component: &[u8],
    world: &World,
) -> Result<BTreeMap<String, Vec<u8>>, BundleError> {
    let mut options = TranspileOpts::builder()
        .name(NAME.to_owned())
        .no_typescript(true)
        .nodejs_compat_disabled(true)
        .no_namespaced_exports(true)
        .instantiation_mode(InstantiationMode::Async)
        .build();
    if waits(world) {
        options.async_mode = Some(AsyncMode::JavaScriptPromiseIntegration {
            imports: WAITING.map(str::to_owned).to_vec(),
            exports: vec![format!("{HANDLER}#handle")],
        });
    }
    let transpiled = js_component_bindgen::transpile(component, options);
    let transpiled = transpiled.map_err(|error| BundleError::Transpile(format!("{error:#}")))?;
    let mut modules: BTreeMap<_, _> = transpiled.files.into_iter().collect();
    let script = format!("{NAME}.js");
    if let Some(source) = modules.remove(&script) {
        let source = String::from_utf8(source)
            .map_err(|_| BundleError::Transpile("its JavaScript is not UTF-8".to_owned()))?;
        let (source, inlined) = inline::extract(&source, NAME)?;
        modules.extend(inlined);
        modules.insert(script, source.into_bytes());
    }
    Ok(modules)
}

/// Returns true if the component can wait for something.
pub(super) fn waits(world: &World) -> bool {
    world.calls("wasi:http/outgoing-handler", "handle")
        || world.calls("wasi:io/poll", "poll")
        || world.calls("wasi:io/poll", "[method]pollable.block")
}
