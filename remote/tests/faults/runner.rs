//! Runs many cases at once. Most of the time they wait, so there are more threads than processors.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::case::Case;
use crate::fault::Fault;
use crate::op::Speaks;

/// The seeds of each fault.
pub(crate) const SEEDS: usize = 5;

/// The cases that work at the same time. The others wait for breakers to close.
const BUSY: usize = 8;

static GATE: Gate = Gate { free: Mutex::new(BUSY), freed: Condvar::new() };

struct Gate {
    free: Mutex<usize>,
    freed: Condvar,
}

/// The leave to work. It ends when this is dropped.
pub(crate) struct Turn;

/// Waits until there is room for one more case that works.
pub(crate) fn turn() -> Turn {
    let free = GATE.free.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = GATE.freed.wait_while(free, |free| *free == 0);
    *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
    Turn
}

impl Drop for Turn {
    fn drop(&mut self) {
        *GATE.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        GATE.freed.notify_one();
    }
}

/// Tries faults with both protocols and all seeds.
#[track_caller]
pub(crate) fn try_all(faults: &[Fault]) {
    try_with(&[Speaks::Http, Speaks::Grpc], faults);
}

/// Tries faults with some protocols and all seeds.
#[track_caller]
pub(crate) fn try_with(protocols: &[Speaks], faults: &[Fault]) {
    let mut cases = Vec::new();
    for fault in faults {
        for speaks in protocols {
            cases.extend((0..SEEDS).map(|seed| Case { fault: *fault, speaks: *speaks, seed }));
        }
    }
    run_all(cases, Case::run);
}

/// Runs cases of any kind at once, and reports all that fail.
#[track_caller]
pub(crate) fn run_all<C: Copy + Debug + Send>(cases: Vec<C>, run: fn(C)) {
    let failed: Vec<String> = std::thread::scope(|scope| {
        let run = |case: C| scope.spawn(move || outcome(case, run));
        let running: Vec<_> = cases.into_iter().map(run).collect();
        running.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
}

/// Runs a case, and returns how it failed.
fn outcome<C: Copy + Debug>(case: C, run: fn(C)) -> Option<String> {
    let panicked = catch_unwind(AssertUnwindSafe(|| run(case))).err()?;
    let text = panicked.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panicked.downcast_ref::<&str>().copied());
    Some(format!("{case:?}: {}", text.unwrap_or("it panicked")))
}
