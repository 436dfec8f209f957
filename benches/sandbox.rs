//! Compares a command in the sandbox with the same command outside of it, and a command that names many
//! files, whose paths are translated (`--sandbox none`), with the same command with mounts.
//!
//! `cargo bench -p run --bench sandbox`. The command outside of the sandbox is started by `posix_spawn`, as
//! std does it.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod measure;

use std::fs;
use std::process::{Command, Stdio};

use sandbox::{Cancel, Isolation, Limits, Mount, MountSource, Sandbox, Spec, Status};

const PROGRAM: &str = "/usr/bin/true";

/// A command that makes hardly any other system calls than those with paths.
const LISTING: [&str; 4] = ["/usr/bin/find", "/usr/lib", "-size", "+1000000k"];

/// The number of commands per measurement. With so many, the start of the spawner, which is included, hardly
/// matters.
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
    // The sandbox is dropped at the end, because the spawner's processor time counts only when it has ended.
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
