//! Implements `wasi:logging`. Each message becomes a line of the component's standard error.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker};

use crate::state::InstanceState;

/// The name of the interface, of which only a draft exists.
const INTERFACE: &str = "wasi:logging/logging@0.1.0-draft";

/// The severity of a message.
#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "components make the values")]
enum Severity {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

/// Adds the interface to the imports that components may use.
pub(crate) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    linker.instance(INTERFACE)?.func_wrap("log", log)
}

fn log(
    store: StoreContextMut<'_, InstanceState>,
    (level, context, message): (Severity, String, String),
) -> wasmtime::Result<()> {
    let level = format!("{level:?}").to_lowercase();
    store.data().stderr.push(format!("{level}: {context}: {message}\n").as_bytes());
    Ok(())
}
