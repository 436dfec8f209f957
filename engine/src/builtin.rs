//! Work that is done by this program itself: fetching, unpacking, merging, checking.
//!
//! A builtin is an action like any other: keyed, cached, scheduled and cut off. It is trusted to
//! look at nothing but its context; what else it depends on belongs into [`Builtin::arguments`]
//! or, if its code changes, into [`Builtin::version`].

use std::fmt;
use std::time::Duration;

use cache::{Digest, MaterialiseError, StoreError};
use sandbox::WorkerError;

use crate::BuiltinContext;

/// Code of this program that runs as an action.
pub trait Builtin: Send + Sync {
    /// Which builtin it is. Part of the key.
    fn name(&self) -> &str;

    /// The version of its behaviour; changed whenever the same inputs give other bytes. Part of
    /// the key.
    fn version(&self) -> &str;

    /// Everything besides the inputs that decides about the result. Part of the key.
    fn arguments(&self) -> Vec<String>;

    /// Whether it reads from the network. Such a builtin is refused in an offline build, and its
    /// waiting does not take a job's place from work that needs a processor.
    fn needs_network(&self) -> bool {
        false
    }

    /// Does the work, on a thread of its own. Every declared output has to be written below
    /// [`BuiltinContext::out`] or named by [`BuiltinContext::produce`].
    ///
    /// # Errors
    /// See [`BuiltinError`]: which variant decides what the engine does about it.
    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError>;
}

/// Why a builtin did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum BuiltinError {
    /// What it was given is wrong, and stays so: the user has to change something.
    #[error("{0}")]
    Failed(Report),
    /// Bytes from outside are not the ones that were pinned.
    #[error("{0}")]
    Mismatch(Report),
    /// The machine or the network is at fault: trying again may help.
    #[error("{0}")]
    Infrastructure(Report),
    /// The store lacks a blob. Its producer is run again, then this action.
    #[error("the store lacks {0}")]
    Missing(Digest),
    /// It took longer than it may.
    #[error("ran into its time limit of {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It wanted more memory than it may have, in bytes.
    #[error("ran out of memory (its limit is {0} bytes)")]
    OutOfMemory(u64),
    /// The process that did the work broke down: a bug of this program.
    #[error("panicked: {0}")]
    Panicked(String),
    /// It stopped because [`BuiltinContext::cancelled`] said so.
    #[error("cancelled")]
    Cancelled,
}

impl BuiltinError {
    /// The input is wrong.
    pub fn failed(error: &dyn std::error::Error) -> Self {
        Self::Failed(Report::of(error))
    }

    /// The bytes are not the pinned ones.
    pub fn mismatch(error: &dyn std::error::Error) -> Self {
        Self::Mismatch(Report::of(error))
    }

    /// The machine or the network is at fault.
    pub fn infrastructure(error: &dyn std::error::Error) -> Self {
        Self::Infrastructure(Report::of(error))
    }
}

impl From<StoreError> for BuiltinError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(digest) => Self::Missing(digest),
            other => Self::infrastructure(&other),
        }
    }
}

impl From<MaterialiseError> for BuiltinError {
    fn from(error: MaterialiseError) -> Self {
        match error {
            MaterialiseError::Missing(digest) => Self::Missing(digest),
            MaterialiseError::Store(error) => error.into(),
        }
    }
}

impl From<WorkerError> for BuiltinError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Cancelled => Self::Cancelled,
            WorkerError::TimedOut(limit) => Self::TimedOut(limit),
            WorkerError::OutOfMemory(limit) => Self::OutOfMemory(limit),
            WorkerError::TooDeep => Self::failed(&error),
            WorkerError::Start(_) => Self::infrastructure(&error),
            WorkerError::Broken { status, said } => Self::Panicked(format!("{status}: {said}")),
        }
    }
}

/// An error and its causes, as text: what a failure report prints and an event carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The error itself.
    pub message: String,
    /// Its causes, the nearest first.
    pub causes: Vec<String>,
}

impl Report {
    /// Takes down an error with all its sources.
    #[must_use]
    pub fn of(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        Self { message: error.to_string(), causes: causes.map(ToString::to_string).collect() }
    }

    /// Whether the work failed since there is no room on a file system.
    ///
    /// Told by the words that the standard library has for it: a report may come from another process.
    #[must_use]
    pub fn is_for_want_of_room(&self) -> bool {
        const NO_SPACE: &str = "(os error 28)";
        const NO_QUOTA: &str = "(os error 122)";
        self.ends_with(&[NO_SPACE, NO_QUOTA])
    }

    /// Whether the work failed since the system gave no process or thread, or no memory for one.
    #[must_use]
    pub fn is_for_want_of_processes(&self) -> bool {
        const LIMIT_REACHED: &str = "(os error 11)";
        const NO_MEMORY: &str = "(os error 12)";
        self.ends_with(&[LIMIT_REACHED, NO_MEMORY])
    }

    fn ends_with(&self, errors: &[&str]) -> bool {
        let says = |text: &String| errors.iter().any(|error| text.ends_with(error));
        says(&self.message) || self.causes.iter().any(says)
    }

    /// An error without causes.
    pub fn text(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}
