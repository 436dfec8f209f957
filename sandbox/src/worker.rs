//! Limits what a worker may use, and says why a worker gave no answer.

use std::io;
use std::time::Duration;

use thiserror::Error;

/// The limits of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLimits {
    /// The time after which the worker is killed.
    pub timeout: Duration,
    /// The number of bytes of memory that the worker may have for itself.
    pub memory: u64,
}

/// Says why a worker gave no answer.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// The worker could not be started, or nobody could listen to it.
    #[error("cannot start a worker")]
    Start(#[source] io::Error),
    /// The worker was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The worker took longer than its limit.
    #[error("took longer than {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The worker asked for more memory than its limit.
    #[error("wanted more than {0} bytes of memory")]
    OutOfMemory(u64),
    /// The worker recursed too deeply.
    #[error("its input is nested too deeply")]
    TooDeep,
    /// The worker ended in another way, which is a bug in this program.
    #[error("a worker ended with {status}: {said}")]
    Broken {
        /// The status with which it ended, as text.
        status: String,
        /// The text that it wrote to standard error.
        said: String,
    },
}
