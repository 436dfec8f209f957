//! Work on input that may be hostile, done by a worker: a child of this program with limits.
//!
//! WIT and WebAssembly are read by libraries whose time and memory a few hundred bytes can make
//! grow without bounds, and which nothing can interrupt. So an [`Errand`] is handed to a child
//! ([`sandbox::work`]) that opens the same store, does it there and answers with digests. What is
//! planned is remembered by its content, so a build with nothing to do starts no worker.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use cache::{Digest, DigestFunction, DiskStore};
use engine::{BuiltinError, Report};
use sandbox::{Cancel, WorkerLimits};
use serde::{Deserialize, Serialize};

use crate::lang::GenerateBindings;
use crate::manifest::Limits;
use crate::wasm::{FinishErrand, FitErrand};
use crate::wit::{self, CompleteErrand, ImportsErrand};

/// Limits of work for which a component names none: time and memory that no real component needs.
const STANDARD: WorkerLimits = WorkerLimits { timeout: Duration::from_secs(300), memory: 4 << 30 };

/// What a worker needs for itself, whatever its limit.
const LEAST_MEMORY: u64 = 128 << 20;

/// A piece of work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Errand {
    /// Completes a WIT folder and picks its world.
    Complete(CompleteErrand),
    /// Lists the imports of a world.
    Imports(ImportsErrand),
    /// Generates bindings.
    Bindings(GenerateBindings),
    /// Makes, checks and stamps a component.
    Finish(FinishErrand),
    /// Holds what a component imports against what another exports.
    Fit(FitErrand),
}

/// What came of it: something in the store, and a text whose meaning depends on the errand.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) digest: Digest,
    pub(crate) text: String,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrandError {
    /// The WIT is wrong.
    #[error(transparent)]
    Wit(#[from] wit::Refused),
    /// Anything else.
    #[error(transparent)]
    Builtin(#[from] BuiltinError),
}

impl From<cache::StoreError> for ErrandError {
    fn from(error: cache::StoreError) -> Self {
        Self::Builtin(error.into())
    }
}

impl From<ErrandError> for BuiltinError {
    fn from(error: ErrandError) -> Self {
        match error {
            ErrandError::Wit(refused) => Self::failed(&refused),
            ErrandError::Builtin(error) => error,
        }
    }
}

/// The limits of work for a component. They don't feed keys: only a failure could depend on them.
pub(crate) fn limits(of: &Limits) -> WorkerLimits {
    let timeout = of.timeout.as_ref().map_or(STANDARD.timeout, |timeout| timeout.value);
    let memory = of.memory.as_ref().map_or(STANDARD.memory, |memory| memory.value);
    WorkerLimits { timeout, memory: memory.max(LEAST_MEMORY) }
}

/// Has a worker run an errand.
///
/// # Errors
/// What the errand says, or that the worker was cancelled or exceeded a limit.
#[cfg(not(test))]
pub(crate) fn run(
    errand: Errand,
    store: &DiskStore,
    limits: &WorkerLimits,
    cancel: &Cancel,
) -> Result<Done, ErrandError> {
    let request = wire::Request {
        store: store.root().as_os_str().to_owned(),
        function: store.function().to_string(),
        errand,
    };
    let request = serde_json::to_vec(&request).map_err(broken)?;
    let answer = sandbox::work(&request, limits, cancel).map_err(BuiltinError::from)?;
    let answer: wire::Answer = serde_json::from_slice(&answer).map_err(broken)?;
    answer.into_result()
}

/// The unit tests' program is not `run`, so it can't be started as a worker: they run errands in
/// their own process. That a worker does them is for the integration tests to show.
#[cfg(test)]
pub(crate) fn run(
    errand: Errand,
    store: &DiskStore,
    _: &WorkerLimits,
    _: &Cancel,
) -> Result<Done, ErrandError> {
    errand.run(store)
}

/// Does an errand if this process was started for one, and never returns then.
///
/// Belongs at the start of `main`, behind [`sandbox::run_spawner_if_asked`].
pub fn run_worker_if_asked() {
    sandbox::run_worker_if_asked(answer);
}

fn answer(request: &[u8]) -> Vec<u8> {
    // A worker has one errand: what is done in parallel elsewhere is done on this very thread, so that no other
    // has to be had. It fails only if there are such threads already.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    let _ = one.build_global();
    let done = serde_json::from_slice(request).map_err(broken).and_then(|request| {
        let wire::Request { store, function, errand } = request;
        let function: DigestFunction = function.parse().map_err(broken)?;
        let store = DiskStore::open(Path::new(&store), function)?;
        errand.run(&store)
    });
    serde_json::to_vec(&wire::Answer::from(done)).expect("answers are texts, which JSON can hold")
}

fn broken(error: impl std::fmt::Display) -> ErrandError {
    let text = format!("a worker and its caller don't understand each other: {error}");
    BuiltinError::Infrastructure(Report::text(text)).into()
}

impl Errand {
    fn run(self, store: &DiskStore) -> Result<Done, ErrandError> {
        match self {
            Self::Complete(errand) => errand.run(store),
            Self::Imports(errand) => errand.run(store),
            Self::Bindings(errand) => errand.run(store),
            Self::Finish(errand) => errand.run(store),
            Self::Fit(errand) => errand.run(store),
        }
    }
}

/// Requests and answers as JSON.
mod wire {
    use super::*;

    #[derive(Serialize, Deserialize)]
    pub(super) struct Request {
        /// Any bytes but NUL may stand in a path.
        pub(super) store: OsString,
        pub(super) function: String,
        pub(super) errand: Errand,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum Answer {
        Done { digest: String, text: String },
        Wit(wit::Refused),
        Failed { message: String, causes: Vec<String> },
        Infrastructure { message: String, causes: Vec<String> },
        Missing(String),
    }

    impl From<Result<Done, ErrandError>> for Answer {
        fn from(done: Result<Done, ErrandError>) -> Self {
            let error = match done {
                Ok(Done { digest, text }) => {
                    return Self::Done { digest: digest.to_string(), text };
                }
                Err(ErrandError::Wit(refused)) => return Self::Wit(refused),
                Err(ErrandError::Builtin(error)) => error,
            };
            match error {
                BuiltinError::Missing(digest) => Self::Missing(digest.to_string()),
                BuiltinError::Failed(Report { message, causes }) => {
                    Self::Failed { message, causes }
                }
                BuiltinError::Infrastructure(Report { message, causes }) => {
                    Self::Infrastructure { message, causes }
                }
                // An errand checks no pins, and has no limits of its own.
                other => Self::Infrastructure { message: other.to_string(), causes: Vec::new() },
            }
        }
    }

    impl Answer {
        pub(super) fn into_result(self) -> Result<Done, ErrandError> {
            Err(match self {
                Self::Done { digest, text } => {
                    return Ok(Done { digest: digest.parse().map_err(broken)?, text });
                }
                Self::Wit(refused) => refused.into(),
                Self::Failed { message, causes } => {
                    BuiltinError::Failed(Report { message, causes }).into()
                }
                Self::Infrastructure { message, causes } => {
                    BuiltinError::Infrastructure(Report { message, causes }).into()
                }
                Self::Missing(digest) => {
                    BuiltinError::Missing(digest.parse().map_err(broken)?).into()
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_survive_the_way_back() {
        #[track_caller]
        fn check(done: Result<Done, ErrandError>) {
            let shown = format!("{done:?}");
            let json = serde_json::to_vec(&wire::Answer::from(done)).unwrap();
            let answer: wire::Answer = serde_json::from_slice(&json).unwrap();
            assert_eq!(format!("{:?}", answer.into_result()), shown);
        }
        let digest = Digest::of(DigestFunction::Blake3, b"x");
        let report = || Report { message: "no".into(), causes: vec!["because".into()] };
        check(Ok(Done { digest, text: "world".into() }));
        check(Err(BuiltinError::Missing(digest).into()));
        check(Err(BuiltinError::Failed(report()).into()));
        check(Err(BuiltinError::Infrastructure(report()).into()));
        let hint = Some("do that".to_owned());
        check(Err(wit::Refused {
            message: "no".into(),
            has_place: true,
            is_about_world: true,
            hint,
        }
        .into()));
    }

    #[test]
    fn a_request_that_is_none_is_answered() {
        let answer: wire::Answer = serde_json::from_slice(&answer(b"{")).unwrap();
        assert!(matches!(answer, wire::Answer::Infrastructure { .. }), "{answer:?}");
    }
}
