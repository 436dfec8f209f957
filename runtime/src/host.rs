//! The engine that compiles components and the linker that gives them their imports.

use std::time::Duration;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, EngineWeak, Store};
use wasmtime_wasi::WasiCtxBuilder;

use crate::capture::Capture;
use crate::logging;
use crate::requests::Answers;
use crate::state::State;

/// How long a component may compute before others get their turn.
const TURN: Duration = Duration::from_millis(10);

/// Compiles and runs components. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    linker: Linker<State>,
}

/// A component, compiled and with all its imports found.
#[derive(Clone)]
pub struct Loaded {
    pub(crate) pre: InstancePre<State>,
    /// Who answers its outgoing requests.
    pub(crate) answers: Answers,
}

/// wasmtime does not work on this machine.
#[derive(Debug, thiserror::Error)]
#[error("wasmtime cannot start: {0}")]
pub struct StartError(String);

/// Why a component can't be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are not a component that wasmtime can compile.
    #[error("cannot compile the component: {0}")]
    Compile(String),
    /// It imports something that there is not.
    #[error("cannot satisfy the component's imports: {0}")]
    Imports(String),
}

impl Runtime {
    /// Sets up wasmtime, and a thread that takes care of turns for as long as the engine lives.
    pub fn new() -> Result<Self, StartError> {
        Self::set_up().map_err(|error| StartError(format!("{error:#}")))
    }

    fn set_up() -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        logging::add_to_linker(&mut linker)?;
        let turns = engine.weak();
        std::thread::Builder::new()
            .name("wasm-turns".to_owned())
            .spawn(move || take_turns(&turns))?;
        Ok(Self { engine, linker })
    }

    /// Compiles a component and looks up its imports. Compiling takes all processors; for a big
    /// component, seconds.
    pub fn load(&self, component: &[u8]) -> Result<Loaded, LoadError> {
        let component = Component::from_binary(&self.engine, component)
            .map_err(|error| LoadError::Compile(format!("{error:#}")))?;
        let pre = self
            .linker
            .instantiate_pre(&component)
            .map_err(|error| LoadError::Imports(format!("{error:#}")))?;
        Ok(Loaded { pre, answers: Answers::default() })
    }
}

impl Loaded {
    /// What an instance lives in. What it writes to its standard error and what it logs goes to
    /// `stderr`.
    pub(crate) fn store(&self, wasi: &mut WasiCtxBuilder, stderr: &Capture) -> Store<State> {
        let state = State::new(wasi, stderr.clone(), self.answers.clone());
        let mut store = Store::new(self.pre.engine(), state);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }

    /// The names that the component exports.
    pub(crate) fn exports(&self) -> Vec<String> {
        let engine = self.pre.engine();
        let component = self.pre.component().component_type();
        component.exports(engine).map(|(name, _)| name.to_owned()).collect()
    }
}

/// Names for a message: `` `a`, `b` ``.
pub(crate) fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn take_turns(engine: &EngineWeak) {
    while let Some(engine) = engine.upgrade() {
        engine.increment_epoch();
        drop(engine);
        std::thread::sleep(TURN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_loaded() {
        #[track_caller]
        fn check(wat: &str, expect: &str) {
            let runtime = Runtime::new().unwrap();
            let Err(error) = runtime.load(&wat::parse_str(wat).unwrap()) else {
                panic!("it loads")
            };
            let error = error.to_string();
            assert!(error.starts_with(expect), "{error}");
        }
        check("(module)", "cannot compile the component: ");
        check(
            r#"(component (import "demo:host/log" (instance (export "log" (func)))))"#,
            "cannot satisfy the component's imports: component imports instance `demo:host/log`, \
             but a matching implementation was not found in the linker",
        );
    }
}
