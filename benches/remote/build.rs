//! Builds a project of ready-made components with an empty home and a cache that has everything.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::distance::Distance;
use super::{median, seconds};

/// The number of components, each of which is an action.
const COMPONENTS: usize = 1000;

/// The number of builds that are timed.
const ROUNDS: usize = 3;

/// Builds and uploads once, and then measures builds that find everything at a distance of 50 ms.
pub(super) fn measure(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    generate(project);
    build(project, "first", url, &["--upload"]);
    let far = Distance::new(url, Duration::from_millis(50));
    let again = |round: usize| {
        std::fs::remove_dir_all(project.join("target")).unwrap();
        seconds(|| build(project, &format!("home{round}"), &far.url, &["--remote-required"]))
    };
    let times: Vec<f64> = (0..ROUNDS).map(again).collect();
    println!(
        "{COMPONENTS} actions, all found, {url}, 50 ms: {:.2} s {times:?}",
        median(times.clone())
    );
}

fn generate(project: &Path) {
    let mut manifest = "[project]\nname = \"hits\"\nversion = \"0.1.0\"\n".to_owned();
    std::fs::create_dir(project.join("ready")).unwrap();
    for number in 0..COMPONENTS {
        let name = format!("c{number}");
        writeln!(manifest, "\n[[component]]\nname = \"{name}\"\npath = \"ready/{name}.wasm\"")
            .unwrap();
        let text = format!("(component (@custom \"number\" \"{number}\"))");
        let bytes = wat::parse_str(text).unwrap();
        std::fs::write(project.join(format!("ready/{name}.wasm")), bytes).unwrap();
    }
    std::fs::write(project.join("run.toml"), manifest).unwrap();
}

fn build(project: &Path, home: &str, url: &str, more: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_run"));
    command.args(["build", "--remote", url]).args(more);
    command.env("RUN_HOME", project.join(home)).current_dir(project).stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("  {home}: {}", said.lines().last().unwrap_or_default());
}
