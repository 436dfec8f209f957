//! Tests this crate with projects of ready-made components, which are opened, planned, built and compared.
//!
//! This is one binary with a main function of its own, because a build starts it again as its worker. The
//! arguments are parts of the names of the tests to run.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod building;
mod comparing;
mod harness;
mod opening;
#[path = "../../engine/tests/runner.rs"]
mod runner;

use std::process::ExitCode;

pub(crate) use runner::tests;

fn main() -> ExitCode {
    sandbox::run_spawner_if_asked();
    rules::run_worker_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    runner::run(&[building::TESTS, comparing::TESTS, opening::TESTS], &arguments)
}
