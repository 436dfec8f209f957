//! Stories of whole builds, on a real store and in the real sandbox.
//!
//! One binary with a main function of its own, since the sandbox and some of the stories start it
//! again as another process. Arguments: parts of the names of the tests to run.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod commands;
mod crashes;
mod exports;
mod harness;
mod outcomes;
mod recovery;
mod schedule;
mod sources;
mod speed;
mod state;

use std::panic::catch_unwind;
use std::process::ExitCode;

/// The tests of a file, by name.
type Tests = &'static [(&'static str, fn())];

/// Names functions as tests.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) const TESTS: crate::Tests = &[
            $((concat!(module_path!(), "::", stringify!($name)), $name as fn())),*
        ];
    };
}
pub(crate) use tests;

#[expect(clippy::print_stdout, reason = "this is the test runner")]
fn main() -> ExitCode {
    sandbox::run_spawner_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = crashes::play(&arguments) {
        return code;
    }
    let wanted: Vec<_> = arguments.iter().filter(|word| !word.starts_with('-')).collect();
    let groups = [
        commands::TESTS,
        crashes::TESTS,
        exports::TESTS,
        outcomes::TESTS,
        recovery::TESTS,
        schedule::TESTS,
        sources::TESTS,
        speed::TESTS,
        state::TESTS,
    ];
    let mut failed = Vec::new();
    for (name, test) in groups.into_iter().flatten() {
        let name = name.trim_start_matches("stories::");
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            let passed = catch_unwind(test).is_ok();
            println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
            failed.extend((!passed).then_some(name));
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nfailed: {}", failed.join(", "));
    ExitCode::FAILURE
}
