//! Compiles components to machine code in cached actions beside the build, and loads the code again.
//!
//! Compiling a component of Python or JavaScript takes seconds. As an action it is done once: starting the development server
//! again compiles nothing. The action's key has the component, and everything about wasmtime and the processor that the code
//! depends on.
//!
//! After an edit, somebody waits. A component with an interpreter is so large that it is compiled in one pass (by Winch), which
//! takes a quarter of the time. What Winch can't compile, and all smaller components, are compiled to run fast (by Cranelift).
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
use runtime::{LoadError, Loaded, Runtime, StartError};

use crate::Seal;

/// A version of the code below, which is part of the action's key.
const VERSION: &str = "2";

/// The size in bytes from which components are compiled in one pass. What compilers make of a language is smaller, and what
/// contains an interpreter is larger.
const IN_ONE_PASS: usize = 6 << 20;

/// The name of the input: the component.
const INPUT: &str = "in";

/// The name of the output with the machine code, behind a byte that names the compiler ([`THOROUGH`] or [`QUICK`]). The file is
/// empty if the component can't be run as it is.
const CODE: &str = "code";

/// The name of the output with the seal of the code.
const SEAL: &str = "seal";

const THOROUGH: u8 = 0;
const QUICK: u8 = 1;

/// The time between two looks at whether the build was cancelled.
const POLL: Duration = Duration::from_millis(10);

/// Makes actions that compile components, and loads what they have made. Cheap to clone.
#[derive(Clone)]
pub struct Compiler {
    /// The runtime that makes fast code.
    thorough: Runtime,
    /// The runtime that makes code fast. There is none where nobody waits for the compiler after each edit.
    quick: Option<Runtime>,
    /// True if it compiles what can't be run as it is, too, because somebody calls its functions.
    compiles_all: bool,
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
    /// Makes a compiler whose code is for a server.
    ///
    /// # Errors
    /// If wasmtime does not work on this machine.
    pub fn for_server(seal: Arc<Seal>) -> Result<Self, StartError> {
        let quick = Some(Runtime::serving_baseline()?);
        Ok(Self { thorough: Runtime::serving()?, quick, compiles_all: false, seal })
    }

    /// Makes a compiler whose code is for a single call or a single run.
    ///
    /// # Errors
    /// If wasmtime does not work on this machine.
    pub fn for_calls(seal: Arc<Seal>) -> Result<Self, StartError> {
        Ok(Self { thorough: Runtime::new()?, quick: None, compiles_all: true, seal })
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
        let code = read(code)?;
        let (runtime, code) = match code.split_first() {
            None => return Ok(None),
            Some((&QUICK, code)) => (self.quick.as_ref().unwrap_or(&self.thorough), code),
            Some((_, code)) => (&self.thorough, code),
        };
        Ok(Some(trust(runtime, code)?))
    }

    /// Compiles a component, and writes the compiler before its code.
    fn code(&self, component: &[u8]) -> Result<Vec<u8>, LoadError> {
        let quick = self.quick.as_ref().filter(|_| component.len() >= IN_ONE_PASS);
        // What it can't compile, the other one may.
        let quick = quick.and_then(|quick| quick.precompile(component).ok());
        let (compiler, code) = match quick {
            Some(code) => (QUICK, code),
            None => (THOROUGH, self.thorough.precompile(component)?),
        };
        Ok([&[compiler], code.as_slice()].concat())
    }

    /// Returns the use of the code that the seal vouches for.
    fn purpose(&self) -> String {
        format!("machine code {}", self.compatibility())
    }

    /// Returns a text that says what the code depends on besides the component.
    fn compatibility(&self) -> String {
        let quick = self.quick.as_ref().map(Runtime::compatibility).unwrap_or_default();
        format!("{} {quick}", self.thorough.compatibility())
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
        let Compiler { compiles_all, seal, .. } = &self.0;
        vec![
            format!("runtime {}", self.0.compatibility()),
            format!("all {compiles_all}"),
            format!("seal {}", seal.name()),
        ]
    }

    fn stays_here(&self) -> bool {
        true
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let component = cx.read(INPUT)?;
        let is_program = is_program(&component).map_err(|error| BuiltinError::failed(&error))?;
        let is_wanted = is_program || self.0.compiles_all;
        let code = if is_wanted { self.compile(component, cx)? } else { Vec::new() };
        let digest = cx.store().put(&code)?;
        let seal = cx.store().put(&self.0.seal.seal(&self.0.purpose(), &digest))?;
        cx.produce(CODE, Artifact::File { digest, executable: false });
        cx.produce(SEAL, Artifact::File { digest: seal, executable: false });
        Ok(())
    }
}

impl Compile {
    /// Compiles on a thread of its own, which can't be stopped. If the build is cancelled, nobody waits for it.
    fn compile(&self, component: Vec<u8>, cx: &BuiltinContext) -> Result<Vec<u8>, BuiltinError> {
        let (done, result) = channel();
        let compiler = self.0.clone();
        let work = move || {
            // If the build was cancelled, nobody listens.
            let _ = done.send(compiler.code(&component));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_components_are_compiled_in_one_pass() {
        let folder = tempfile::tempdir().unwrap();
        let seal = Seal::open(&folder.path().join("key")).unwrap();
        let compiler = Compiler::for_server(Arc::new(seal)).unwrap();
        let small = b"\0asm\x0d\0\x01\0".to_vec();
        // A custom section without a name that fills the file up: its length is 6 MiB in LEB128.
        let large = [&small[..], b"\0\x80\x80\x80\x03\0", &vec![0; IN_ONE_PASS - 1]].concat();
        for (component, expected) in [(small, THOROUGH), (large, QUICK)] {
            let code = compiler.code(&component).unwrap();
            assert_eq!(code[0], expected);
        }
        assert!(compiler.code(b"no component").is_err());
    }
}
