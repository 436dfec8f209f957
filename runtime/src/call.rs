//! Calls functions of custom interfaces, with arguments and results as text in WAVE (the
//! WebAssembly value encoding).

use wasmtime::Store;
use wasmtime::component::wasm_wave::wasm::DisplayType;
use wasmtime::component::{ComponentExportIndex, Func, Instance, Type, Val};
use wasmtime_wasi::WasiCtx;

use crate::host::{Loaded, list};
use crate::output_tail::OutputTail;
use crate::state::InstanceState;

/// The number of bytes that are kept of a called component's standard error, for the message about a trap.
const STDERR_LIMIT: usize = 64 << 10;

/// The reason why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The component does not export the interface.
    #[error("the component exports {}, not `{interface}`", list(exports))]
    NoInterface {
        /// The name that the caller asked for.
        interface: String,
        /// The names that the component exports.
        exports: Vec<String>,
    },
    /// The interface, or the component, has no such function.
    #[error("there is no function `{function}`{}", in_interface(interface.as_deref()))]
    NoFunction {
        /// The name that the caller asked for.
        function: String,
        /// The interface, or `None` for the component itself.
        interface: Option<String>,
    },
    /// The call has too few or too many arguments.
    #[error("function `{function}` takes {expected} arguments, not {given}")]
    ArgumentCount {
        /// The function.
        function: String,
        /// The number of arguments that it takes.
        expected: usize,
        /// The number of arguments of the call.
        given: usize,
    },
    /// An argument is not a value of the parameter's type.
    #[error("argument `{name}` should be a `{expected}`, not `{given}`: {reason}")]
    Argument {
        /// The parameter's name.
        name: String,
        /// The parameter's type.
        expected: String,
        /// The text of the argument.
        given: String,
        /// The error of the WAVE parser.
        reason: String,
    },
    /// The result can't be written in WAVE, for example because it is a resource.
    #[error("the result of `{function}` can't be written as text: {reason}")]
    Result {
        /// The function.
        function: String,
        /// The error of the WAVE writer.
        reason: String,
    },
    /// The component trapped.
    #[error("the component trapped: {trap}{}", after_newline(stderr))]
    Trap {
        /// The message of wasmtime about the trap.
        trap: String,
        /// The end of the component's standard error.
        stderr: String,
    },
}

impl Loaded {
    /// Calls `function` in a new instance. The function is one of `interface`, such as `demo:calc/ops@0.1.0` (any
    /// compatible version will do), or of the component itself if that is `None`. `args` are WAVE texts, and
    /// so is the result, if the function has one.
    pub async fn call(
        &self,
        interface: Option<&str>,
        function: &str,
        args: &[&str],
    ) -> Result<Option<String>, CallError> {
        let stderr = OutputTail::new(STDERR_LIMIT);
        let mut store = self.store(&mut WasiCtx::builder(), &stderr);
        let trapped = |error: wasmtime::Error| CallError::Trap {
            trap: format!("{error:?}"),
            stderr: String::from_utf8_lossy(&stderr.take()).into_owned(),
        };
        let instance = self.pre.instantiate_async(&mut store).await.map_err(trapped)?;
        let found = self.function(&mut store, &instance, interface, function)?;
        let ty = found.ty(&store);
        let params: Vec<(&str, Type)> = ty.params().collect();
        let args = arguments(function, &params, args)?;
        let mut results = vec![Val::Bool(false); ty.results().len()];
        found.call_async(&mut store, &args, &mut results).await.map_err(trapped)?;
        let text = results.first().map(Val::to_wave).transpose();
        text.map_err(|error| CallError::Result {
            function: function.to_owned(),
            reason: format!("{error:#}"),
        })
    }

    fn function(
        &self,
        store: &mut Store<InstanceState>,
        instance: &Instance,
        interface: Option<&str>,
        function: &str,
    ) -> Result<Func, CallError> {
        let parent: Option<ComponentExportIndex> = match interface {
            None => None,
            Some(name) => {
                let found = instance.get_export_index(&mut *store, None, name);
                Some(found.ok_or_else(|| CallError::NoInterface {
                    interface: name.to_owned(),
                    exports: self.exports(),
                })?)
            }
        };
        let index = instance.get_export_index(&mut *store, parent.as_ref(), function);
        index.and_then(|index| instance.get_func(store, index)).ok_or_else(|| {
            CallError::NoFunction {
                function: function.to_owned(),
                interface: interface.map(str::to_owned),
            }
        })
    }
}

fn arguments(
    function: &str,
    params: &[(&str, Type)],
    args: &[&str],
) -> Result<Vec<Val>, CallError> {
    if params.len() != args.len() {
        return Err(CallError::ArgumentCount {
            function: function.to_owned(),
            expected: params.len(),
            given: args.len(),
        });
    }
    let argument = |((name, ty), text): (&(&str, Type), &&str)| {
        Val::from_wave(ty, text).map_err(|error| CallError::Argument {
            name: (*name).to_owned(),
            expected: DisplayType(ty).to_string(),
            given: (*text).to_owned(),
            reason: format!("{error:#}"),
        })
    };
    params.iter().zip(args).map(argument).collect()
}

fn in_interface(interface: Option<&str>) -> String {
    interface.map(|name| format!(" in `{name}`")).unwrap_or_default()
}

fn after_newline(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\n{text}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fixture;
    use crate::{Runtime, StartError};

    const OPS: Option<&str> = Some("demo:calc/ops@0.1.0");

    fn calc() -> Loaded {
        load(Runtime::new())
    }

    fn load(runtime: Result<Runtime, StartError>) -> Loaded {
        runtime.unwrap().load(&fixture::calc()).unwrap()
    }

    #[tokio::test]
    async fn calls_and_their_results() {
        results(&load(Runtime::new())).await;
        results(&load(Runtime::baseline())).await;
    }

    async fn results(calc: &Loaded) {
        let check = async |interface, function, args: &[&str], expect: Option<&str>| {
            let result = calc.call(interface, function, args).await.unwrap();
            assert_eq!(result.as_deref(), expect);
        };
        check(OPS, "add", &["40", "2"], Some("42")).await;
        check(OPS, "echo", &["\"grüß dich\\n\""], Some("\"grüß dich\\n\"")).await;
        check(OPS, "swap", &["{x: 1, y: 2}"], Some("{x: 2, y: 1}")).await;
        check(OPS, "nothing", &[], None).await;
        check(Some("demo:calc/ops@0.1.9"), "add", &["1", "1"], Some("2")).await;
        check(None, "answer", &[], Some("42")).await;
    }

    #[tokio::test]
    async fn calls_that_fail() {
        let calc = calc();
        let check = async |interface, function, args: &[&str], expect: &str| {
            let error = calc.call(interface, function, args).await.unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check(
            Some("demo:calc/other"),
            "add",
            &[],
            "the component exports `answer`, `demo:calc/ops@0.1.0`, not `demo:calc/other`",
        )
        .await;
        check(OPS, "mul", &[], "there is no function `mul` in `demo:calc/ops@0.1.0`").await;
        check(None, "mul", &[], "there is no function `mul`").await;
        check(OPS, "add", &["1"], "function `add` takes 2 arguments, not 1").await;
        check(OPS, "add", &["1", "-1"], "argument `b` should be a `u32`, not `-1`: ").await;
        check(
            OPS,
            "swap",
            &["7"],
            "argument `p` should be a `record { x: u32, y: u32 }`, not `7`: ",
        )
        .await;
        check(OPS, "fail", &[], "the component trapped: ").await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_endless_call_can_be_given_up() {
        let calc = calc();
        let call = calc.call(OPS, "spin", &[]);
        assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    }
}
