//! What a worker may use up, and why it gave no answer.

use std::io;
use std::time::Duration;

use thiserror::Error;

/// What a worker may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLimits {
    /// After this time it is killed.
    pub timeout: Duration,
    /// Bytes of memory that it may have for itself.
    pub memory: u64,
}

/// Why there is no answer of a worker.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// It could not be started or listened to.
    #[error("cannot start a worker")]
    Start(#[source] io::Error),
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// It took longer than it may.
    #[error("took longer than {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It wanted more memory than it may have.
    #[error("wanted more than {0} bytes of memory")]
    OutOfMemory(u64),
    /// It recursed too deep.
    #[error("its input is nested too deeply")]
    TooDeep,
    /// It ended in another way: a bug of this program.
    #[error("a worker ended with {status}: {said}")]
    Broken {
        /// How it ended.
        status: String,
        /// What it wrote to standard error.
        said: String,
    },
}
