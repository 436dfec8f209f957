//! Runs the tests of projects, as `run test` does it.

mod caching;
mod errors;
mod fixture;
mod limits;
mod outcomes;
mod packages;
mod reports;

use crate::harness::Run;

/// Checks that a test's line on standard output begins like this: `ok calc: adds`.
#[track_caller]
fn line(run: &Run, begin: &str) -> String {
    let mut lines = run.stdout.lines().map(str::trim_start);
    let found = lines.find(|line| line.starts_with(begin));
    found.unwrap_or_else(|| panic!("no line {begin:?} in\n{}", run.stdout)).to_owned()
}

/// Checks that standard output has a text.
#[track_caller]
fn shows(run: &Run, text: &str) {
    assert!(run.stdout.contains(text), "no {text:?} in\n{}\n{}", run.stdout, run.stderr);
}

/// Returns the tests that ran.
fn ran(run: &Run) -> Vec<&str> {
    run.ran().into_iter().filter(|action| action.contains(":test ")).collect()
}
