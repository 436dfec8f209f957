//! A sandboxed command against the same command started plainly.
//!
//! `cargo bench -p run --bench sandbox`. The plain one is `posix_spawn`, as std uses it.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod measure;

use std::process::Command;

use sandbox::{Cancel, Limits, Mount, MountSource, Sandbox, Spec};

/// Commands per measurement: one alone is too short for the clock.
const BATCH: usize = 20;

fn main() {
    sandbox::run_spawner_if_asked();
    let sandbox = Sandbox::start().expect("this machine has namespaces");
    let spec = spec();
    let cancel = Cancel::new();
    measure::compare(
        &format!("{BATCH} times /usr/bin/true"),
        31,
        ("sandbox", || {
            for _ in 0..BATCH {
                sandbox.run(&spec, &cancel).expect("it runs");
            }
        }),
        ("posix_spawn", || {
            for _ in 0..BATCH {
                assert!(Command::new("/usr/bin/true").status().expect("it runs").success());
            }
        }),
    );
}

fn spec() -> Spec {
    let folder =
        |path: &str| Mount { target: path.into(), source: MountSource::ReadOnly(path.into()) };
    Spec {
        argv: vec!["/usr/bin/true".into()],
        env: Vec::new(),
        cwd: "/".into(),
        mounts: ["/usr", "/lib", "/lib64"].map(folder).to_vec(),
        limits: Limits::STANDARD,
        output_cap: 1 << 10,
    }
}
