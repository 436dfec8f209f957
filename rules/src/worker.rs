//! Has work on hostile input done by a worker: a child of this program with limits of time and memory.
//!
//! WIT and WebAssembly are read by libraries that can't be interrupted. A few hundred bytes of input can make
//! their time and memory grow without bounds. So an [`Errand`] is handed to a child ([`sandbox::work`]),
//! which opens the same store, does the work there and answers with digests. The results of planning are
//! remembered by content, so a build with nothing to do starts no worker.
//!
//! This module does not know which errands there are; they are listed in [`errands`](crate::errands).

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use cache::{ContentStore, Digest, DigestFunction};
use engine::{BuiltinError, Report};
use sandbox::{Cancel, WorkerLimits};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::manifest::Limits;

/// The limits for a component that sets none. No real component needs that much time or memory.
const STANDARD: WorkerLimits = WorkerLimits { timeout: Duration::from_secs(300), memory: 4 << 30 };

/// The least memory limit of a worker, in bytes: what its process needs for itself.
const LEAST_MEMORY: u64 = 128 << 20;

/// A piece of work that a worker does.
pub(crate) trait Errand: Serialize + DeserializeOwned {
    /// The name by which a worker is asked for this type of errand.
    const NAME: &'static str;

    /// Does the work in the calling process.
    fn run(self, store: &ContentStore) -> Result<Done, ErrandError>;
}

/// The function by which a worker does all errands of one name.
pub(crate) struct Handler {
    name: &'static str,
    run: fn(serde_json::Value, &ContentStore) -> Result<Done, ErrandError>,
}

impl Handler {
    /// Returns the handler of one type of errand.
    pub(crate) const fn of<E: Errand>() -> Self {
        fn run<E: Errand>(
            errand: serde_json::Value,
            store: &ContentStore,
        ) -> Result<Done, ErrandError> {
            serde_json::from_value::<E>(errand).map_err(broken)?.run(store)
        }
        Self { name: E::NAME, run: run::<E> }
    }
}

/// The result of an errand: something in the store, and a text whose meaning depends on the errand.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) digest: Digest,
    pub(crate) text: String,
}

/// The reason why an errand has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrandError {
    /// The WIT is invalid.
    #[error(transparent)]
    Wit(#[from] Refused),
    /// Any other failure.
    #[error(transparent)]
    Builtin(#[from] BuiltinError),
}

/// An error in the WIT of a component. It is text, because it comes from a worker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Refused {
    /// The error message with its causes.
    pub message: String,
    /// True if the message names the file that is wrong.
    pub has_place: bool,
    /// True if the error is about which world was chosen.
    pub is_about_world: bool,
    /// A hint on what the user can do about it.
    pub hint: Option<String>,
}

impl Refused {
    /// Turns an error and its causes into text.
    pub(crate) fn of(error: &dyn Error) -> Self {
        let message = Report::of(error).to_string();
        Self { message, has_place: false, is_about_world: false, hint: None }
    }
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

/// Returns a worker's limits for a component. They are in no key, because only a failure could depend on
/// them.
pub(crate) fn limits(of: &Limits) -> WorkerLimits {
    let timeout = of.timeout.as_ref().map_or(STANDARD.timeout, |timeout| timeout.value);
    let memory = of.memory.as_ref().map_or(STANDARD.memory, |memory| memory.value);
    WorkerLimits { timeout, memory: memory.max(LEAST_MEMORY) }
}

/// Has a worker do an errand and returns the result.
///
/// # Errors
/// Fails if the errand fails, or if the worker is cancelled or exceeds a limit.
#[cfg(not(test))]
pub(crate) fn run<E: Errand>(
    errand: E,
    store: &ContentStore,
    limits: &WorkerLimits,
    cancel: &Cancel,
) -> Result<Done, ErrandError> {
    let request = wire::Request {
        store: store.root().as_os_str().to_owned(),
        function: store.function().to_string(),
        name: E::NAME.to_owned(),
        errand,
    };
    let request = serde_json::to_vec(&request).map_err(broken)?;
    let answer = sandbox::work(&request, limits, cancel).map_err(BuiltinError::from)?;
    let answer: wire::Answer = serde_json::from_slice(&answer).map_err(broken)?;
    answer.into_result()
}

/// Does an errand in the calling process. The program of the unit tests is not `run`, so it can't be started
/// as a worker. The integration tests show that workers do errands.
#[cfg(test)]
pub(crate) fn run<E: Errand>(
    errand: E,
    store: &ContentStore,
    _: &WorkerLimits,
    _: &Cancel,
) -> Result<Done, ErrandError> {
    errand.run(store)
}

/// Answers a request of [`run`]; this is what the worker's process does. `handlers` are those of all errands.
pub(crate) fn answer(request: &[u8], handlers: &[Handler]) -> Vec<u8> {
    // A worker does one errand, so work that is parallel elsewhere runs on this thread, and no other thread
    // has to be created. This fails only if a global thread pool exists already.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    let _ = one.build_global();
    let done = serde_json::from_slice(request).map_err(broken).and_then(|request| {
        let wire::Request::<serde_json::Value> { store, function, name, errand } = request;
        let function: DigestFunction = function.parse().map_err(broken)?;
        let store = ContentStore::open(Path::new(&store), function)?;
        let handler = handlers.iter().find(|handler| handler.name == name);
        let handler = handler.ok_or_else(|| broken(format!("nobody does `{name}`")))?;
        (handler.run)(errand, &store)
    });
    serde_json::to_vec(&wire::Answer::from(done)).expect("answers are texts, which JSON can hold")
}

fn broken(error: impl std::fmt::Display) -> ErrandError {
    let text = format!("a worker and its caller don't understand each other: {error}");
    BuiltinError::Infrastructure(Report::text(text)).into()
}

/// The format in which requests and answers are sent, as JSON.
mod wire {
    use super::*;

    #[derive(Serialize, Deserialize)]
    pub(super) struct Request<E> {
        /// The store's folder, as an `OsString`: a path may hold any bytes but NUL.
        pub(super) store: OsString,
        pub(super) function: String,
        /// The value of [`Errand::NAME`].
        pub(super) name: String,
        pub(super) errand: E,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum Answer {
        Done { digest: String, text: String },
        Wit(Refused),
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
                // Errands check no pins and have no limits of their own, so the other variants don't occur.
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
        check(Err(
            Refused { message: "no".into(), has_place: true, is_about_world: true, hint }.into()
        ));
    }

    #[test]
    fn a_request_that_is_none_is_answered() {
        let answer: wire::Answer = serde_json::from_slice(&answer(b"{", &[])).unwrap();
        assert!(matches!(answer, wire::Answer::Infrastructure { .. }), "{answer:?}");
    }
}
