//! The engine that compiles components and the linker that gives them their imports.

use std::time::Duration;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, EngineWeak, Store, Strategy};
use wasmtime_wasi::WasiCtxBuilder;

use crate::logging;
use crate::output_tail::OutputTail;
use crate::requests::Responder;
use crate::state::InstanceState;

/// The time for which a component may compute before it yields to others.
const TURN: Duration = Duration::from_millis(10);

/// Compiles and runs components. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    linker: Linker<InstanceState>,
}

/// A component, compiled and with all its imports found.
#[derive(Clone)]
pub struct Loaded {
    pub(crate) pre: InstancePre<InstanceState>,
    /// The function that answers its outgoing requests.
    pub(crate) answers: Responder,
}

/// The error that wasmtime does not work on this machine.
#[derive(Debug, thiserror::Error)]
#[error("wasmtime cannot start: {0}")]
pub struct StartError(String);

/// The reason why a component can't be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are not a component that wasmtime can compile.
    #[error("cannot compile the component: {0}")]
    Compile(String),
    /// It imports something that this runtime does not offer.
    #[error("cannot satisfy the component's imports: {0}")]
    Imports(String),
}

impl Runtime {
    /// Sets up wasmtime, and a thread that makes components yield for as long as the runtime exists. Components are compiled
    /// to run fast (by Cranelift).
    pub fn new() -> Result<Self, StartError> {
        Self::set_up(Strategy::Cranelift).map_err(|error| StartError(format!("{error:#}")))
    }

    /// Sets up wasmtime so that components are compiled in one pass (by Winch). For a big component, this takes a fraction
    /// of the time, but the component runs more slowly. It is meant for components that have little to do.
    pub fn baseline() -> Result<Self, StartError> {
        Self::set_up(Strategy::Winch).map_err(|error| StartError(format!("{error:#}")))
    }

    fn set_up(strategy: Strategy) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        config.strategy(strategy);
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

    /// Compiles a component and looks up its imports. Compiling uses all processors, and takes seconds for a big
    /// component.
    pub fn load(&self, component: &[u8]) -> Result<Loaded, LoadError> {
        let component = Component::from_binary(&self.engine, component)
            .map_err(|error| LoadError::Compile(format!("{error:#}")))?;
        let pre = self
            .linker
            .instantiate_pre(&component)
            .map_err(|error| LoadError::Imports(format!("{error:#}")))?;
        Ok(Loaded { pre, answers: Responder::default() })
    }
}

impl Loaded {
    /// Makes the wasmtime store of an instance. The standard error of the instance, and its log messages, go to
    /// `stderr`.
    pub(crate) fn store(
        &self,
        wasi: &mut WasiCtxBuilder,
        stderr: &OutputTail,
    ) -> Store<InstanceState> {
        let state = InstanceState::new(wasi, stderr.clone(), self.answers.clone());
        let mut store = Store::new(self.pre.engine(), state);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }

    /// Lists the names that the component exports.
    pub(crate) fn exports(&self) -> Vec<String> {
        let engine = self.pre.engine();
        let component = self.pre.component().component_type();
        component.exports(engine).map(|(name, _)| name.to_owned()).collect()
    }
}

/// Joins names for a message: `` `a`, `b` ``.
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
