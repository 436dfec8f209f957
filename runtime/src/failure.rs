//! The reason why an instance failed.

use std::fmt;
use std::time::Duration;

use hyper::StatusCode;

use crate::limits::OutOfMemory;
use crate::voice::Voice;

/// The failure of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The message, as one or more lines. For a trap, the functions that were being called are among them.
    pub message: String,
    /// The end of the instance's standard error.
    pub stderr: String,
}

/// The kind of a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The component trapped.
    Trap,
    /// The component used more memory than its limit.
    OutOfMemory,
    /// The component took longer than its limit.
    TimedOut,
    /// The component ended without a response.
    NoResponse,
    /// The component answered with an error code in place of a response.
    ErrorCode,
    /// The request can't be given to a component.
    BadRequest,
    /// The host could not start the instance, or has stopped it.
    Host,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>, voice: &Voice) -> Self {
        Self { kind, message: message.into(), stderr: voice.tail() }
    }

    /// Makes a failure of an error of wasmtime.
    pub(crate) fn of(error: &wasmtime::Error, voice: &Voice) -> Self {
        if let Some(full) = error.downcast_ref::<OutOfMemory>() {
            return Self::new(FailureKind::OutOfMemory, full.to_string(), voice);
        }
        Self::new(FailureKind::Trap, format!("{error:?}"), voice)
    }

    /// Makes a failure of an error of the host.
    pub(crate) fn host(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let message = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        Self { kind: FailureKind::Host, message, stderr: String::new() }
    }

    pub(crate) fn timed_out(limit: Duration, voice: &Voice) -> Self {
        let message = format!("it took longer than its limit of {limit:?}");
        Self::new(FailureKind::TimedOut, message, voice)
    }

    /// Returns the status of HTTP for the failure.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind {
            FailureKind::Trap | FailureKind::OutOfMemory | FailureKind::NoResponse => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            FailureKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            FailureKind::ErrorCode => StatusCode::BAD_GATEWAY,
            FailureKind::BadRequest => StatusCode::BAD_REQUEST,
            FailureKind::Host => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, message, stderr } = self;
        match kind {
            FailureKind::Trap => write!(f, "the component trapped: {message}")?,
            FailureKind::OutOfMemory => write!(f, "the component ran out of memory: {message}")?,
            FailureKind::TimedOut => write!(f, "the component ran into its time limit: {message}")?,
            FailureKind::NoResponse
            | FailureKind::ErrorCode
            | FailureKind::BadRequest
            | FailureKind::Host => f.write_str(message)?,
        }
        if stderr.is_empty() { Ok(()) } else { write!(f, "\n\n{stderr}") }
    }
}
