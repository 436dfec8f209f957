//! Builtins: actions whose work this program does itself, such as fetching, unpacking, merging and checking.
//!
//! A builtin is an action like any other: it has a key, is cached, and is skipped if its result is known. It is trusted
//! to look at nothing but its context. Everything else that its result depends on has to be in [`Builtin::arguments`],
//! and a change of its code changes its [`Builtin::version`].

use std::fmt;
use std::time::Duration;

use cache::{Digest, MaterialiseError, StoreError};
use sandbox::WorkerError;

use crate::BuiltinContext;

/// Code of this program that runs as an action.
pub trait Builtin: Send + Sync {
    /// Returns the name of the builtin, which is part of the key.
    fn name(&self) -> &str;

    /// Returns the version of the builtin's behaviour, which is part of the key. It is changed whenever the same inputs
    /// give other bytes.
    fn version(&self) -> &str;

    /// Returns everything besides the inputs that the result depends on. All of it is part of the key.
    fn arguments(&self) -> Vec<String>;

    /// Tells if the builtin reads from the network. Such a builtin is refused in an offline build. It mostly waits, so it
    /// does not count as one of the jobs that need a processor.
    fn needs_network(&self) -> bool {
        false
    }

    /// Tells if its result must not leave this machine, and must not come from another one. Machine code is such a result:
    /// whoever runs it has to trust its maker. The maker is not known of a result in a store that is served to others,
    /// so this alone is no protection there; the bytes have to be sealed, too.
    fn stays_here(&self) -> bool {
        false
    }

    /// Does the work, on a thread of its own. Every declared output has to be written below
    /// [`BuiltinContext::out`] or named by [`BuiltinContext::produce`].
    ///
    /// # Errors
    /// See [`BuiltinError`]: which variant decides what the engine does about it.
    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError>;
}

/// The reason why a builtin did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum BuiltinError {
    /// Its inputs or arguments are wrong. The user has to change something.
    #[error("{0}")]
    Failed(Report),
    /// Fetched bytes do not have the pinned checksum.
    #[error("{0}")]
    Mismatch(Report),
    /// The machine or the network is at fault: trying again may help.
    #[error("{0}")]
    Infrastructure(Report),
    /// The store lacks a blob. Its producer is run again, then this action.
    #[error("the store lacks {0}")]
    Missing(Digest),
    /// It exceeded its time limit.
    #[error("ran into its time limit of {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It exceeded its memory limit, which is given in bytes.
    #[error("ran out of memory (its limit is {0} bytes)")]
    OutOfMemory(u64),
    /// The process that did the work panicked, which is a bug of this program.
    #[error("panicked: {0}")]
    Panicked(String),
    /// It stopped because [`BuiltinContext::cancelled`] said so.
    #[error("cancelled")]
    Cancelled,
}

impl BuiltinError {
    /// Makes the error [`BuiltinError::Failed`] of an error and its causes.
    pub fn failed(error: &dyn std::error::Error) -> Self {
        Self::Failed(Report::of(error))
    }

    /// Makes the error [`BuiltinError::Mismatch`] of an error and its causes.
    pub fn mismatch(error: &dyn std::error::Error) -> Self {
        Self::Mismatch(Report::of(error))
    }

    /// Makes the error [`BuiltinError::Infrastructure`] of an error and its causes.
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

/// An error and its causes as text, for failure reports and events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The error itself.
    pub message: String,
    /// Its causes, the nearest first.
    pub causes: Vec<String>,
}

impl Report {
    /// Makes a report of an error with all its sources.
    #[must_use]
    pub fn of(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        Self { message: error.to_string(), causes: causes.map(ToString::to_string).collect() }
    }

    /// Tells if the work failed because a file system is full.
    ///
    /// This is recognised by the text of the standard library's error, because a report may come from another process.
    #[must_use]
    pub fn is_for_want_of_room(&self) -> bool {
        const NO_SPACE: &str = "(os error 28)";
        const NO_QUOTA: &str = "(os error 122)";
        self.ends_with(&[NO_SPACE, NO_QUOTA])
    }

    /// Tells if the work failed because the system refused to start a process or thread, or had no memory for one.
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

    /// Makes a report of an error without causes.
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
