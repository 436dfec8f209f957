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
use std::time::Instant;

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
    // The words of `cargo test` and `cargo nextest`.
    let has = |flag: &str| arguments.iter().any(|word| word == flag);
    let wanted = arguments.iter().filter(|word| !word.starts_with('-') && *word != "terse");
    let wanted: Vec<_> = wanted.collect();
    let is_wanted = |name: &str| {
        let is_it =
            |part: &&String| if has("--exact") { *part == name } else { name.contains(*part) };
        !has("--ignored") && (wanted.is_empty() || wanted.iter().any(is_it))
    };
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
    let tests = groups.into_iter().flatten();
    let tests = tests.map(|(name, test)| (name.trim_start_matches("stories::"), test));
    let tests: Vec<_> = tests.filter(|(name, _)| is_wanted(name)).collect();
    if has("--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let (count, mut failed) = (tests.len(), Vec::new());
    for (name, test) in tests {
        let begin = Instant::now();
        let passed = catch_unwind(test).is_ok();
        let verdict = if passed { "ok" } else { "FAILED" };
        println!("test {name} ... {verdict} <{:.3}s>", begin.elapsed().as_secs_f64());
        failed.extend((!passed).then_some(name));
    }
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {} passed; {} failed", count - failed.len(), failed.len());
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nfailed: {}", failed.join(", "));
    ExitCode::FAILURE
}
