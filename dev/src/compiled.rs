//! Compiles components to machine code in cached actions beside the build, and loads the code again.
//!
//! Compiling a component of Python or JavaScript takes seconds. As an action it is done once: starting the development server
//! or the tests again compiles nothing. The action's key has the component, and everything about wasmtime and the
//! processor that the code depends on.
//!
//! Machine code is run without further checks, so it may only come from this machine. The action stays here
//! ([`Builtin::stays_here`]), and its output is sealed ([`Seal`]), because a store may be served to others.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use cache::{ContentStore, Digest, StoreError};
use engine::{
    Action, ActionId, Artifact, Builtin, BuiltinContext, BuiltinError, GraphError, Input, Label,
    Outcome, Report, Source,
};
use rules::plan::{Plan, PlannedComponent};
use rules::wasm;
use runtime::{LoadError, Loaded, Runtime};

use crate::Seal;

/// A version of the code below, which is part of the action's key.
const VERSION: &str = "1";

/// The name of the input: the component.
const INPUT: &str = "in";

/// The name of the output with the machine code. The file is empty if the component can't be run as it is.
const CODE: &str = "code";

/// The name of the output with the seal of the code.
const SEAL: &str = "seal";

/// The time between two looks at whether the build was cancelled.
const POLL: Duration = Duration::from_millis(10);

/// Makes actions that compile components, and loads what they have made. Cheap to clone.
#[derive(Clone)]
pub struct Compiler {
    runtime: Runtime,
    seal: Arc<Seal>,
}

/// The reason why compiled code can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The build has no result for the action.
    #[error("the component was not compiled")]
    NotCompiled,
    /// The store has lost a blob since the build, or can't be read.
    #[error("cannot read the compiled component")]
    Store(#[from] StoreError),
    /// The code was not made by this machine, or was changed since.
    #[error("the compiled component is not sealed by this machine; `run cache clear` removes it")]
    Foreign,
    /// The runtime refuses it.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl Compiler {
    /// Makes a compiler for components that this runtime is to run.
    #[must_use]
    pub const fn new(runtime: Runtime, seal: Arc<Seal>) -> Self {
        Self { runtime, seal }
    }

    /// Adds the action that compiles one of the plan's components. The build of the plan then makes its result, too.
    ///
    /// # Errors
    /// If there is such an action already.
    pub fn add(
        &self,
        plan: &mut Plan,
        component: &PlannedComponent,
    ) -> Result<ActionId, GraphError> {
        let label = Label::new(component.name.as_str(), "machine code");
        let source = Source::output(component.action, component.output.clone());
        let action = Action::builtin(label, Compile(self.clone()))
            .input(Input::new(INPUT, source))
            .output(CODE)
            .output(SEAL);
        let id = plan.graph.add(action)?;
        plan.added_actions.push(id);
        Ok(id)
    }

    /// Loads the result of an action. Returns `None` if the component can't be run as it is.
    ///
    /// # Errors
    /// See [`CodeError`].
    pub fn load(
        &self,
        store: &ContentStore,
        outcome: &Outcome,
        action: ActionId,
    ) -> Result<Option<Loaded>, CodeError> {
        let digest = |output| outcome.artifact(action, output).map(|artifact| *artifact.digest());
        let (Some(code), Some(seal)) = (digest(CODE), digest(SEAL)) else {
            return Err(CodeError::NotCompiled);
        };
        let read = |digest: Digest| store.get(&digest)?.ok_or(StoreError::Missing(digest));
        // The store compares what it reads with the digest, which the seal vouches for.
        if !self.seal.is_right(&self.purpose(), &code, &read(seal)?) {
            return Err(CodeError::Foreign);
        }
        if code.size() == 0 {
            return Ok(None);
        }
        Ok(Some(trust(&self.runtime, &read(code)?)?))
    }

    /// Returns the use of the code that the seal vouches for.
    fn purpose(&self) -> String {
        format!("machine code {}", self.runtime.compatibility())
    }
}

#[expect(unsafe_code, reason = "machine code can't be checked, only trusted")]
fn trust(runtime: &Runtime, code: &[u8]) -> Result<Loaded, LoadError> {
    // SAFETY: the seal says that this user's own runtime has made the bytes, and that they are for one of its kind.
    unsafe { runtime.load_precompiled(code) }
}

/// The action that compiles a component.
struct Compile(Compiler);

impl Builtin for Compile {
    fn name(&self) -> &'static str {
        "compile-component"
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    fn arguments(&self) -> Vec<String> {
        let Compiler { runtime, seal } = &self.0;
        vec![format!("runtime {}", runtime.compatibility()), format!("seal {}", seal.name())]
    }

    fn stays_here(&self) -> bool {
        true
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let component = cx.read(INPUT)?;
        let Compiler { runtime, seal } = &self.0;
        let is_program = is_program(&component).map_err(|error| BuiltinError::failed(&error))?;
        let code = if is_program { compile(runtime, component, cx)? } else { Vec::new() };
        let digest = cx.store().put(&code)?;
        let seal = cx.store().put(&seal.seal(&self.0.purpose(), &digest))?;
        cx.produce(CODE, Artifact::File { digest, executable: false });
        cx.produce(SEAL, Artifact::File { digest: seal, executable: false });
        Ok(())
    }
}

/// Compiles on a thread of its own, which can't be stopped. If the build is cancelled, nobody waits for it.
fn compile(
    runtime: &Runtime,
    component: Vec<u8>,
    cx: &BuiltinContext,
) -> Result<Vec<u8>, BuiltinError> {
    let (done, result) = channel();
    let runtime = runtime.clone();
    let work = move || {
        // If the build was cancelled, nobody listens.
        let _ = done.send(runtime.precompile(&component));
    };
    let thread = std::thread::Builder::new().name("compile".to_owned()).spawn(work);
    thread.map_err(|error| BuiltinError::infrastructure(&error))?;
    loop {
        match result.recv_timeout(POLL) {
            Ok(code) => return code.map_err(|error| BuiltinError::failed(&error)),
            Err(RecvTimeoutError::Timeout) if cx.cancelled() => {
                return Err(BuiltinError::Cancelled);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let report = Report::text("the compiler of machine code panicked");
                return Err(BuiltinError::Infrastructure(report));
            }
        }
    }
}

/// Tells if a component handles HTTP requests or is a command.
fn is_program(component: &[u8]) -> Result<bool, wasm::InvalidWasm> {
    let exports = wasm::externs(component)?.exports;
    Ok(exports.iter().any(|export| program_of(export).is_some()))
}

/// The two kinds of components that can be run as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// It handles HTTP requests.
    Handler,
    /// It runs and ends.
    Command,
}

/// Returns the kind of program that an export makes of a component.
#[must_use]
pub fn program_of(export: &str) -> Option<Program> {
    let interface = export.split_once('@').map_or(export, |(name, _)| name);
    match interface {
        "wasi:http/incoming-handler" | "wasi:http/handler" => Some(Program::Handler),
        "wasi:cli/run" => Some(Program::Command),
        _ => None,
    }
}
