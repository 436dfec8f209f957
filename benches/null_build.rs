//! Compares a build with nothing to do with a process that only prints its version. Both are whole processes,
//! as a user starts them.
//!
//! `cargo bench -p run --bench null_build`. The first run builds the example, which takes minutes.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod measure;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn main() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = repository.join("examples/polyglot");
    run(&example, &["build"]).then_some(()).expect("the example builds");
    measure::compare(
        "null build of examples/polyglot",
        51,
        ("run build", || assert!(run(&example, &["build", "-q"]))),
        ("run --version", || assert!(run(&example, &["--version"]))),
    );
}

fn run(project: &PathBuf, arguments: &[&str]) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_run"));
    command.args(arguments).current_dir(project).stdin(Stdio::null()).stdout(Stdio::null());
    command.status().expect("the binary starts").success()
}
