//! `wasi:logging`: a message is a line of the component's standard error.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker};

use crate::state::State;

/// The interface: it has never got further than a draft.
const INTERFACE: &str = "wasi:logging/logging@0.1.0-draft";

/// How grave a message is.
#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "components make the values")]
enum Level {
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

/// Gives components the interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(INTERFACE)?.func_wrap("log", log)
}

fn log(
    store: StoreContextMut<'_, State>,
    (level, context, message): (Level, String, String),
) -> wasmtime::Result<()> {
    let level = format!("{level:?}").to_lowercase();
    store.data().stderr.push(format!("{level}: {context}: {message}\n").as_bytes());
    Ok(())
}
