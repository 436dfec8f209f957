//! A sandboxed command against the same command started plainly, and one that names many files, with its
//! paths translated (`--sandbox none`), against the same with mounts.
//!
//! `cargo bench -p run --bench sandbox`. The plain one is `posix_spawn`, as std uses it.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod measure;

use std::fs;
use std::process::{Command, Stdio};

use sandbox::{Cancel, Isolation, Limits, Mount, MountSource, Sandbox, Spec, Status};

const PROGRAM: &str = "/usr/bin/true";

/// A command that makes little else than system calls with paths.
const LISTING: [&str; 4] = ["/usr/bin/find", "/usr/lib", "-size", "+1000000k"];

/// Commands per measurement: enough that starting the spawner, which is counted, hardly matters.
const BATCH: usize = 200;

fn main() {
    sandbox::run_spawner_if_asked();
    measure::compare(
        &format!("{BATCH} times {PROGRAM}, output captured"),
        15,
        ("sandbox, spawner included", sandboxed),
        ("posix_spawn", plainly),
    );
    measure::compare(
        &LISTING.join(" "),
        3,
        ("paths translated", || list(Isolation::None)),
        ("mounts", || list(Isolation::Namespaces)),
    );
}

fn list(isolation: Isolation) {
    let folder = tempfile::tempdir().expect("there is room");
    let sandbox = Sandbox::start_with(isolation, folder.path()).expect("this machine can do it");
    let spec = Spec { argv: LISTING.map(Into::into).into(), ..spec() };
    let outcome = sandbox.run(&spec, &Cancel::new()).expect("it runs");
    assert_eq!(outcome.status, Status::Exited(0));
}

fn sandboxed() {
    // Dropped at the end: what the spawner used counts here once it is gone.
    let sandbox = Sandbox::start().expect("this machine has namespaces");
    let (spec, cancel) = (spec(), Cancel::new());
    for _ in 0..BATCH {
        sandbox.run(&spec, &cancel).expect("it runs");
    }
}

fn plainly() {
    for _ in 0..BATCH {
        let output = Command::new(PROGRAM).env_clear().stdin(Stdio::null()).output();
        assert!(output.expect("it runs").status.success());
    }
}

fn spec() -> Spec {
    // `/lib` is a link into `/usr` on some systems and a folder on others.
    let mount = |target: &str| Mount {
        target: target.into(),
        source: match fs::read_link(target) {
            Ok(to) => MountSource::Symlink(to.into()),
            Err(_) => MountSource::ReadOnly(target.into()),
        },
    };
    Spec {
        argv: vec![PROGRAM.into()],
        env: Vec::new(),
        cwd: "/".into(),
        mounts: ["/usr", "/lib", "/lib64"].map(mount).into(),
        limits: Limits::STANDARD,
        view: sandbox::View::STANDARD,
        determinism: None,
        output_cap: 4096,
    }
}
