//! A component in the course of its test: what the steps of every kind of test work with.

use std::sync::Arc;
use std::time::Duration;

use runtime::{Failure, FailureKind, Loaded};

use super::capture::Capture;
use super::spec::Spec;
use super::verdict::Fault;

/// A component that is being tested.
pub(super) struct Subject<'a> {
    pub(super) spec: &'a Spec,
    pub(super) loaded: Loaded,
    pub(super) capture: Arc<Capture>,
}

impl Subject<'_> {
    /// Makes a fault of a component that failed.
    pub(super) fn failed(&self, failure: &Failure) -> Fault {
        // Without a grant of standard error, only the failure has its end, with the message of a panic.
        self.capture.or_stderr(&failure.stderr);
        match failure.kind {
            FailureKind::Trap => {
                Fault::new("name", "the component trapped").details(&*failure.message)
            }
            FailureKind::TimedOut => late(self.spec.timeout),
            FailureKind::OutOfMemory => {
                let why = &failure.message;
                Fault::new("name", format!("the component ran out of memory: {why}"))
            }
            _ => Fault::new("name", &*failure.message),
        }
    }

    /// Returns what a component said when it failed, if a test may expect that. A test that takes too long never passes.
    pub(super) fn expectable(&self, failure: &Failure) -> Option<String> {
        if !matches!(failure.kind, FailureKind::Trap | FailureKind::OutOfMemory) {
            return None;
        }
        self.capture.or_stderr(&failure.stderr);
        Some(format!("{}{}", self.capture.stderr(), failure.message))
    }
}

/// Makes the fault of a test that took too long.
pub(super) fn late(timeout: Duration) -> Fault {
    Fault::new("timeout", format!("it took longer than {} s", timeout.as_secs()))
}
