//! Arguments of `run test`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::How;

pub(super) const EXAMPLES: &str = "\
A test is a `[[test]]` of run.toml: it calls a function, sends an HTTP request or runs a command. A component with
`test = true` is a test, too. Each test runs in a fresh instance whose clock and random numbers are always the same.
A test that has passed does not run again until its component or the test itself changes.

A NAME is that of a test, or of a component, or a part of a test's name. `*` stands for any characters.

Exit codes: 0 all have passed, 1 a component could not be built, 3 a test failed, 4 there is no such test.

Examples:
    run test                          all tests
    run test calc                     the tests of component `calc`
    run test \"adds two numbers\"       one test
    run test 'api: *' --rerun         again, although they have passed
    run test --list
    run test --junit target/tests.xml --locked     for CI";

/// Arguments of `run test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Only these tests.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Run tests again that have passed before.
    #[arg(long)]
    pub(crate) rerun: bool,
    /// List the tests, and run none.
    #[arg(long)]
    pub(crate) list: bool,
    /// Write the results to FILE, as JUnit XML.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) junit: Option<PathBuf>,
    /// If a component can't be built, go on with the tests of the others.
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    #[command(flatten)]
    pub(crate) how: How,
}
