//! Stories of whole builds, on a real store and in the real sandbox.
//!
//! This is one binary with a main function of its own, because the sandbox and some of the stories start it
//! again as another process. Its arguments are parts of the names of the tests to run.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod cluster;
mod commands;
mod crashes;
mod exports;
mod harness;
mod outcomes;
mod recovery;
mod remote;
mod runner;
mod schedule;
mod sources;
mod speed;
mod state;

use std::process::ExitCode;

pub(crate) use runner::tests;

fn main() -> ExitCode {
    sandbox::run_spawner_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = crashes::play(&arguments) {
        return code;
    }
    let groups = [
        cluster::TESTS,
        commands::TESTS,
        crashes::TESTS,
        exports::TESTS,
        outcomes::TESTS,
        recovery::TESTS,
        remote::TESTS,
        schedule::TESTS,
        sources::TESTS,
        speed::TESTS,
        state::TESTS,
    ];
    runner::run(&groups, &arguments)
}
