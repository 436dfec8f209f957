//! Calls functions of custom interfaces, with arguments and results as text in WAVE (the
//! WebAssembly value encoding).

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::wasm_wave::untyped::UntypedFuncCall;
use wasmtime::component::wasm_wave::wasm::DisplayType;
use wasmtime::component::{ComponentExportIndex, Func, Instance, Type, Val};
use wasmtime_wasi::WasiCtx;

use crate::failure::Failure;
use crate::host::{Loaded, list};
use crate::returned::Returned;
use crate::state::InstanceState;

/// A call as text: a function of an interface or of the component itself, and its arguments in WAVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The interface, such as `demo:calc/ops`; `None` for a function of the component itself.
    pub interface: Option<String>,
    /// The function.
    pub function: String,
    /// The arguments.
    pub args: Vec<String>,
}

/// The error of a text that is no call.
#[derive(Debug, thiserror::Error)]
#[error("`{call}` is no call such as `demo:calc/ops#add(1, 2)`: {reason}")]
pub struct InvalidCall {
    /// The text.
    pub call: String,
    /// The error of the WAVE parser.
    pub reason: String,
}

impl FromStr for Invocation {
    type Err = InvalidCall;

    /// Reads `INTERFACE#FUNCTION(ARGUMENTS)`. The interface may be missing, and so may empty parentheses.
    fn from_str(text: &str) -> Result<Self, InvalidCall> {
        let function_at = text.find('(').unwrap_or(text.len());
        let (interface, call) = match text[..function_at].rfind('#') {
            Some(at) => (Some(text[..at].to_owned()), &text[at + 1..]),
            None => (None, text),
        };
        let call = if call.contains('(') { call.to_owned() } else { format!("{call}()") };
        let parsed = UntypedFuncCall::parse(&call)
            .map_err(|error| InvalidCall { call: text.to_owned(), reason: error.to_string() })?;
        let mut args = Vec::new();
        if let Some(params) = parsed.params_node() {
            let nodes = params.as_tuple().map_err(|error| InvalidCall {
                call: text.to_owned(),
                reason: error.to_string(),
            })?;
            args.extend(nodes.map(|node| call[node.span()].to_owned()));
        }
        Ok(Self { interface, function: parsed.name().to_owned(), args })
    }
}

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
    /// The component trapped, or ran into a limit.
    #[error("{0}")]
    Failed(Failure),
}

impl Loaded {
    /// Calls `function` in a new instance. The function is one of `interface`, such as `demo:calc/ops@0.1.0` (any
    /// compatible version will do) or `demo:calc/ops` (if there is only one version), or of the component itself if that is `None`. `args` are WAVE texts, and
    /// so is the result, if the function has one.
    pub async fn call(
        &self,
        interface: Option<&str>,
        function: &str,
        args: &[&str],
    ) -> Result<Option<String>, CallError> {
        self.call_for_value(interface, function, args).await.map(Returned::into_text)
    }

    /// Calls a function like [`call`](Self::call), and returns its value, which can be compared with others.
    pub async fn call_for_value(
        &self,
        interface: Option<&str>,
        function: &str,
        args: &[&str],
    ) -> Result<Returned, CallError> {
        let mut store = self
            .store(&mut WasiCtx::builder())
            .map_err(|error| CallError::Failed(Failure::host(&error)))?;
        let voice = Arc::clone(&store.data().voice);
        let failed = |error: wasmtime::Error| CallError::Failed(Failure::of(&error, &voice));
        let calling = self.call_in(&mut store, interface, function, args, &failed);
        match self.policy.limits.timeout {
            None => calling.await,
            Some(limit) => match tokio::time::timeout(limit, calling).await {
                Ok(result) => result,
                Err(_) => Err(CallError::Failed(Failure::timed_out(limit, &voice))),
            },
        }
    }

    /// Returns the name of an interface with its version, if it has none and the component exports the interface in exactly one
    /// version.
    fn versioned<'n>(&self, interface: &'n str) -> Cow<'n, str> {
        let is_a_version = |export: &String| {
            export.strip_prefix(interface).is_some_and(|rest| rest.starts_with('@'))
        };
        let mut versions = self.exports().into_iter().filter(is_a_version);
        match (versions.next(), versions.next()) {
            (Some(only), None) if !interface.contains('@') => Cow::Owned(only),
            _ => Cow::Borrowed(interface),
        }
    }

    async fn call_in(
        &self,
        store: &mut Store<InstanceState>,
        interface: Option<&str>,
        function: &str,
        args: &[&str],
        failed: &(dyn Fn(wasmtime::Error) -> CallError + Sync),
    ) -> Result<Returned, CallError> {
        let instance = self.pre.instantiate_async(&mut *store).await.map_err(failed)?;
        let found = self.function(store, &instance, interface, function)?;
        let ty = found.ty(&*store);
        let params: Vec<(&str, Type)> = ty.params().collect();
        let args = arguments(function, &params, args)?;
        let mut results = vec![Val::Bool(false); ty.results().len()];
        found.call_async(&mut *store, &args, &mut results).await.map_err(failed)?;
        Returned::new(function, ty.results().next().zip(results.pop()))
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
                let found = instance.get_export_index(&mut *store, None, &self.versioned(name));
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

    #[test]
    fn calls_as_text() {
        let check = |text: &str, interface: Option<&str>, function: &str, args: &[&str]| {
            let call: Invocation = text.parse().unwrap();
            assert_eq!((call.interface.as_deref(), call.function.as_str()), (interface, function));
            assert_eq!(call.args, args);
        };
        check("answer", None, "answer", &[]);
        check("answer()", None, "answer", &[]);
        check("demo:calc/ops@0.1.0#add(1, 2)", OPS, "add", &["1", "2"]);
        check(
            "a:b/c#f(\"x, (y)#\", {p: [1, 2]})",
            Some("a:b/c"),
            "f",
            &["\"x, (y)#\"", "{p: [1, 2]}"],
        );
        assert!("f(1".parse::<Invocation>().is_err());
        assert!("".parse::<Invocation>().is_err());
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
        check(Some("demo:calc/ops"), "add", &["1", "1"], Some("2")).await;
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
