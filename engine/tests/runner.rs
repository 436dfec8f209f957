//! Runs tests one after the other in a binary with a main function of its own, and answers the flags of `cargo test` and
//! `cargo nextest`. The tests of the crate `project` use this file, too.

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

/// The tests of a file with their names.
pub(crate) type Tests = &'static [(&'static str, fn())];

/// Makes a list of tests from the names of functions.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) const TESTS: crate::runner::Tests = &[
            $((concat!(module_path!(), "::", stringify!($name)), $name as fn())),*
        ];
    };
}
pub(crate) use tests;

/// Runs or lists those of the tests that `arguments` ask for.
#[expect(clippy::print_stdout, reason = "this is the test runner")]
pub(crate) fn run(groups: &[Tests], arguments: &[String]) -> ExitCode {
    // These flags are those of `cargo test` and `cargo nextest`.
    let has = |flag: &str| arguments.iter().any(|word| word == flag);
    let wanted = arguments.iter().filter(|word| !word.starts_with('-') && *word != "terse");
    let wanted: Vec<_> = wanted.collect();
    let is_wanted = |name: &str| {
        let is_it =
            |part: &&String| if has("--exact") { *part == name } else { name.contains(*part) };
        !has("--ignored") && (wanted.is_empty() || wanted.iter().any(is_it))
    };
    let tests = groups.iter().copied().flatten();
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
