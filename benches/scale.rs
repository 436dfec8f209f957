//! Measures how the time of a build grows with the number of components. It measures the whole process, as a
//! user starts it, and compares with `ninja`, which copies the same files.
//!
//! `cargo bench -p run --bench scale [N...]`; without numbers 100, 1,000 and 10,000. Every component is a
//! ready-made one, so that only `run` itself is measured. It prints ratios for a build with nothing to do and
//! for one with one edit. For the first build, which also checks every component, it prints the time. Needs
//! `ninja` in PATH.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod measure;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

fn main() {
    let asked = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let mut counts: Vec<usize> = asked.collect();
    if counts.is_empty() {
        counts = vec![100, 1_000, 10_000];
    }
    for count in counts {
        measure(count);
    }
}

fn measure(count: usize) {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let project = folder.path();
    generate(project, count);
    let started = Instant::now();
    run(project);
    println!("first build of {count} components: run {:.1} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    ninja(project);
    println!("first build of {count} components: ninja {:.1} s", started.elapsed().as_secs_f64());
    let rounds = if count > 1_000 { 11 } else { 31 };
    measure::compare(
        &format!("nothing to do, {count} components"),
        rounds,
        ("run build", || run(project)),
        ("ninja", || ninja(project)),
    );
    let mut edits = 0;
    let mut edit = || {
        edits += 1;
        write_component(project, count / 2, &format!("edit {edits}"));
    };
    edit();
    measure::compare(
        &format!("one edit, {count} components"),
        rounds,
        ("run build", || run(project)),
        ("ninja", || {
            ninja(project);
            edit();
        }),
    );
    println!("most memory of a process so far: {} MiB\n", most_memory() >> 10);
}

/// Writes a project, and the same work for ninja as a list of copies.
fn generate(project: &Path, count: usize) {
    let mut manifest = "[project]\nname = \"scale\"\nversion = \"0.1.0\"\n".to_owned();
    let mut copies = "rule copy\n  command = cp $in $out\n".to_owned();
    fs::create_dir(project.join("ready")).expect("the folder is new");
    for number in 0..count {
        let name = format!("c{number}");
        let _ =
            write!(manifest, "\n[[component]]\nname = \"{name}\"\npath = \"ready/{name}.wasm\"\n");
        let _ = writeln!(copies, "build copied/{name}.wasm: copy ready/{name}.wasm");
        write_component(project, number, "");
    }
    fs::write(project.join("run.toml"), manifest).expect("the folder can be written");
    fs::write(project.join("build.ninja"), copies).expect("the folder can be written");
}

/// Writes a ready-made component that contains a text.
fn write_component(project: &Path, number: usize, text: &str) {
    let text = format!("(component (@custom \"number\" \"{number} {text}\"))");
    let bytes = wat::parse_str(text).expect("it is a component");
    fs::write(project.join(format!("ready/c{number}.wasm")), bytes).expect("it can be written");
}

fn run(project: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_run"));
    command.args(["build", "-q"]).env("RUN_HOME", project.join("home"));
    check(&mut command, project);
}

fn ninja(project: &Path) {
    check(Command::new("ninja").arg("--quiet"), project);
}

fn check(command: &mut Command, project: &Path) {
    let command = command.current_dir(project).stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status().expect("the program is installed");
    assert!(status.success(), "{command:?}");
}

/// Returns the largest amount of memory that a child has used, in KiB.
fn most_memory() -> i64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN);
    usage.expect("getrusage knows children").max_rss()
}
