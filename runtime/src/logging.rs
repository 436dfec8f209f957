//! Implements `wasi:logging`.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker};

use crate::log::Level;
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

impl From<Severity> for Level {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Trace => Self::Trace,
            Severity::Debug => Self::Debug,
            Severity::Info => Self::Info,
            Severity::Warn => Self::Warn,
            Severity::Error => Self::Error,
            Severity::Critical => Self::Critical,
        }
    }
}

/// Adds the interface to the imports that components may use.
pub(crate) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    linker.instance(INTERFACE)?.func_wrap("log", log)
}

fn log(
    store: StoreContextMut<'_, InstanceState>,
    (severity, context, message): (Severity, String, String),
) -> wasmtime::Result<()> {
    store.data().voice.entry(severity.into(), &context, &message);
    Ok(())
}
