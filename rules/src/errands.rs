//! Lists the work that workers do: everything that reads WIT or WebAssembly, which may be hostile.
//!
//! [`worker`](crate::worker) knows how an errand reaches a worker, but not which errands there are.

use crate::lang::bindings::GenerateBindings;
use crate::wasm::{
    BreakingErrand, ComposeErrand, EncodeErrand, FinishErrand, FitErrand, StampErrand,
};
use crate::wit::{CompleteErrand, DescribeErrand, ImportsErrand};
use crate::worker::{Handler, answer};

/// The handlers of all errands that a worker can be asked to do.
const HANDLERS: [Handler; 10] = [
    Handler::of::<CompleteErrand>(),
    Handler::of::<ImportsErrand>(),
    Handler::of::<DescribeErrand>(),
    Handler::of::<GenerateBindings>(),
    Handler::of::<FinishErrand>(),
    Handler::of::<FitErrand>(),
    Handler::of::<EncodeErrand>(),
    Handler::of::<StampErrand>(),
    Handler::of::<BreakingErrand>(),
    Handler::of::<ComposeErrand>(),
];

/// Does an errand if this process was started as a worker; in that case it never returns.
///
/// Call this at the start of `main`, after [`sandbox::run_spawner_if_asked`].
pub fn run_worker_if_asked() {
    sandbox::run_worker_if_asked(|request| answer(request, &HANDLERS));
}
