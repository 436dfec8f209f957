//! Performs one test: runs its component within limits, and makes the verdict.

use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::{Buckets, Limits, Loaded};

use super::capture::{Capture, FLOOD};
use super::spec::{Spec, Work};
use super::subject::{Subject, late};
use super::verdict::{Fault, Verdict};
use super::{command, function, request};

/// The memory that the component of a test may use.
const MEMORY: u64 = 512 << 20;

/// The number of bytes that the body of a test's request may have.
const BODY: u64 = 64 << 20;

/// The time that the runtime has for ending a test by itself, after which it is given up.
const GRACE: Duration = Duration::from_millis(500);

/// Performs a test. It ends soon after its time, whatever the component does.
pub(super) async fn perform(spec: &Spec, loaded: Loaded) -> Verdict {
    let capture = Arc::new(Capture::default());
    let limits = Limits { memory: MEMORY, timeout: Some(spec.timeout), body: BODY };
    let loaded = loaded.granting(spec.grants.clone()).limited(limits);
    // Key-value stores are empty at first, as everything else is.
    let loaded = loaded.logging_to(capture.clone()).keeping(Buckets::default());
    let subject = Subject { spec, loaded, capture: Arc::clone(&capture) };
    let begin = Instant::now();
    let working = async {
        match &spec.work {
            Work::Function(call) => function::test(call, &subject).await,
            Work::Request(asked) => request::test(asked, &subject).await,
            Work::Command(given) => command::test(given, &subject).await,
        }
    };
    let faults = tokio::select! {
        faults = working => faults,
        () = capture.flooded() => vec![flood()],
        () = tokio::time::sleep(spec.timeout.saturating_add(GRACE)) => vec![late(spec.timeout)],
    };
    let (stdout, stderr) = capture.kept();
    Verdict {
        faults,
        stdout,
        stderr,
        denials: capture.denials(),
        world: Vec::new(),
        millis: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

fn flood() -> Fault {
    let limit = FLOOD >> 20;
    Fault::new("name", format!("it wrote more than {limit} MiB to a standard stream"))
}
