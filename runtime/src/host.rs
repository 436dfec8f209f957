//! The engine that compiles components and the linker that gives them their imports.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{
    Config, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    Strategy,
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::grants::Grants;
use crate::keyvalue::Buckets;
use crate::limits::Limits;
use crate::log::Log;
use crate::network::Network;
use crate::outgoing::{OutgoingRequest, OutgoingResponse, Responder};
use crate::policy::Policy;
use crate::state::{InstanceState, PreopenError};
use crate::{clock, config, keyvalue, logging};

/// The time for which a component may compute before it yields to others.
const TURN: Duration = Duration::from_millis(10);

/// The number of instances that may answer requests at once. More requests wait.
const INSTANCES: u32 = 128;

/// The number of core instances and tables that each of them may have on average. A component that is composed of many has
/// dozens.
const PARTS: u32 = 64;

/// Compiles and runs components. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    linker: Linker<InstanceState>,
    /// A permit for each instance that answers a request.
    permits: Arc<Semaphore>,
}

/// A component, compiled and with all its imports found. Cheap to clone.
#[derive(Clone)]
pub struct Loaded {
    pub(crate) pre: InstancePre<InstanceState>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) permits: Arc<Semaphore>,
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
    /// The code was compiled by another version of wasmtime, with other settings or for another machine.
    #[error("cannot use the compiled component: {0}")]
    Precompiled(String),
    /// It imports something that this runtime does not offer.
    #[error("cannot satisfy the component's imports: {0}")]
    Imports(String),
}

/// The ways in which components are compiled and their memory is allocated.
#[derive(Clone, Copy)]
struct Settings {
    strategy: Strategy,
    is_pooled: bool,
}

impl Runtime {
    /// Sets up wasmtime, and a thread that makes components yield for as long as the runtime exists. Components are compiled
    /// to run fast (by Cranelift).
    pub fn new() -> Result<Self, StartError> {
        Self::set_up(Settings { strategy: Strategy::Cranelift, is_pooled: false })
    }

    /// Sets up wasmtime so that components are compiled in one pass (by Winch). For a big component, this takes a fraction
    /// of the time, but the component runs more slowly. It is meant for components that have little to do.
    pub fn baseline() -> Result<Self, StartError> {
        Self::set_up(Settings { strategy: Strategy::Winch, is_pooled: false })
    }

    /// Sets up wasmtime for a server: components run fast, and the memory of their instances is reserved beforehand, which
    /// makes an instance cost microseconds. Where that much address space can't be reserved, it is not.
    pub fn serving() -> Result<Self, StartError> {
        Self::set_up_pooled(Strategy::Cranelift)
    }

    /// Sets up wasmtime for a server as [`Runtime::serving`] does, but with the compiler of [`Runtime::baseline`].
    pub fn serving_baseline() -> Result<Self, StartError> {
        Self::set_up_pooled(Strategy::Winch)
    }

    fn set_up_pooled(strategy: Strategy) -> Result<Self, StartError> {
        let settings = Settings { strategy, is_pooled: true };
        Self::set_up(settings).or_else(|_| Self::set_up(Settings { is_pooled: false, ..settings }))
    }

    fn set_up(settings: Settings) -> Result<Self, StartError> {
        Self::try_set_up(settings).map_err(|error| StartError(format!("{error:#}")))
    }

    fn try_set_up(settings: Settings) -> wasmtime::Result<Self> {
        let engine = Engine::new(&configuration(settings))?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        clock::add_to_linker(&mut linker)?;
        logging::add_to_linker(&mut linker)?;
        config::add_to_linker(&mut linker)?;
        keyvalue::add_to_linker(&mut linker)?;
        let turns = engine.weak();
        std::thread::Builder::new()
            .name("wasm-turns".to_owned())
            .spawn(move || take_turns(&turns))?;
        let permits = Arc::new(Semaphore::new(INSTANCES as usize));
        Ok(Self { engine, linker, permits })
    }

    /// Returns a text that two runtimes share if each can use what the other has compiled.
    #[must_use]
    pub fn compatibility(&self) -> String {
        /// Collects what is hashed, so that the text does not depend on a hash function of the standard library.
        #[derive(Default)]
        struct Collect(Vec<u8>);
        impl std::hash::Hasher for Collect {
            fn write(&mut self, bytes: &[u8]) {
                self.0.extend_from_slice(bytes);
            }
            fn finish(&self) -> u64 {
                0
            }
        }
        let mut collected = Collect::default();
        std::hash::Hash::hash(&self.engine.precompile_compatibility_hash(), &mut collected);
        collected.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Compiles a component for [`Runtime::load_precompiled`]. This uses all processors, and takes seconds for a big
    /// component.
    pub fn precompile(&self, component: &[u8]) -> Result<Vec<u8>, LoadError> {
        let compiled = self.engine.precompile_component(component);
        compiled.map_err(|error| LoadError::Compile(format!("{error:#}")))
    }

    /// Compiles a component and looks up its imports. It is granted nothing yet.
    pub fn load(&self, component: &[u8]) -> Result<Loaded, LoadError> {
        let component = Component::from_binary(&self.engine, component)
            .map_err(|error| LoadError::Compile(format!("{error:#}")))?;
        self.link(&component)
    }

    /// Takes a component that was compiled by [`Runtime::precompile`], and looks up its imports. It is granted nothing
    /// yet.
    ///
    /// # Safety
    /// The bytes are machine code that will run in this process, so they have to come from [`Runtime::precompile`] and from
    /// a place that nobody else can write to. Code of another version of wasmtime is recognised, changed code is not.
    #[expect(unsafe_code, reason = "machine code can't be checked, only trusted")]
    pub unsafe fn load_precompiled(&self, code: &[u8]) -> Result<Loaded, LoadError> {
        // SAFETY: the caller vouches for the bytes.
        let component = unsafe { Component::deserialize(&self.engine, code) }
            .map_err(|error| LoadError::Precompiled(format!("{error:#}")))?;
        self.link(&component)
    }

    fn link(&self, component: &Component) -> Result<Loaded, LoadError> {
        let pre = self
            .linker
            .instantiate_pre(component)
            .map_err(|error| LoadError::Imports(format!("{error:#}")))?;
        Ok(Loaded { pre, policy: Arc::default(), permits: Arc::clone(&self.permits) })
    }
}

fn configuration(settings: Settings) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.strategy(settings.strategy);
    config.wasm_component_model_async(true);
    if settings.is_pooled {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(INSTANCES)
            .total_core_instances(INSTANCES * PARTS)
            .total_memories(INSTANCES * 4)
            .total_tables(INSTANCES * PARTS)
            .total_stacks(INSTANCES * 4)
            .max_memories_per_module(4)
            .max_tables_per_module(16)
            .table_elements(64 << 10);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

impl Loaded {
    /// Returns the same component with other grants.
    #[must_use]
    pub fn granting(self, grants: Grants) -> Self {
        self.with(|policy| policy.grants = grants)
    }

    /// Returns the same component with other limits.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        self.with(|policy| policy.limits = limits)
    }

    /// Returns the same component with a log that takes what its instances say.
    #[must_use]
    pub fn logging_to(self, log: Arc<dyn Log>) -> Self {
        self.with(|policy| policy.log = log)
    }

    /// Returns the same component with a network for its outgoing requests, or with none, so that they fail.
    #[must_use]
    pub fn through(self, network: Option<Network>) -> Self {
        self.with(|policy| policy.network = network)
    }

    /// Returns the same component with these key-value stores. Without them, it has empty ones.
    #[must_use]
    pub fn keeping(self, buckets: Buckets) -> Self {
        self.with(|policy| policy.buckets = buckets)
    }

    /// Returns the same component with `answer` as the function that answers its outgoing requests in place of a network,
    /// as far as they are granted. A request for which the function returns `None` is refused.
    #[must_use]
    pub fn answering(
        self,
        answer: impl Fn(&OutgoingRequest) -> Option<OutgoingResponse> + Send + Sync + 'static,
    ) -> Self {
        self.with(|policy| policy.responder = Some(Responder(Arc::new(answer))))
    }

    fn with(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(Arc::make_mut(&mut self.policy));
        self
    }

    /// Makes the wasmtime store of an instance.
    pub(crate) fn store(
        &self,
        wasi: &mut WasiCtxBuilder,
    ) -> Result<Store<InstanceState>, PreopenError> {
        let state = InstanceState::new(wasi, &self.policy)?;
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.meter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        Ok(store)
    }

    /// Makes an instance and drops it again, to see if the component starts.
    ///
    /// # Errors
    /// The reason why it does not.
    pub async fn try_instance(&self) -> Result<(), String> {
        let mut store = self.store(&mut WasiCtx::builder()).map_err(|error| error.to_string())?;
        let instance = self.pre.instantiate_async(&mut store).await;
        instance.map(drop).map_err(|error| format!("{error:#}"))
    }

    /// Lists the names that the component exports.
    #[must_use]
    pub fn exports(&self) -> Vec<String> {
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

    #[test]
    #[expect(unsafe_code, reason = "the code was compiled a line before")]
    fn compiled_code_is_for_a_runtime_of_its_kind() {
        let (fast, again) = (Runtime::new().unwrap(), Runtime::new().unwrap());
        let baseline = Runtime::baseline().unwrap();
        let code = fast.precompile(&wat::parse_str("(component)").unwrap()).unwrap();
        assert_eq!(fast.compatibility(), again.compatibility());
        assert_ne!(fast.compatibility(), baseline.compatibility());
        // SAFETY: the bytes were made by `precompile`.
        assert!(unsafe { again.load_precompiled(&code) }.is_ok());
        // SAFETY: as before; that another compiler made the code is what is tested.
        let Err(error) = (unsafe { baseline.load_precompiled(&code) }) else { panic!("it loads") };
        assert!(error.to_string().starts_with("cannot use the compiled component: "), "{error}");
    }
}
