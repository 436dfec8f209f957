//! Measures packages: choosing versions of 500 from what was kept, and composing four components after an edit of one. It
//! measures the whole process, as a user starts it.
//!
//! `cargo bench -p run --bench packages`. Each figure stands beside a command that does nothing, `run --version` or a build
//! with nothing to do, so that the difference is the work itself.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod measure;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The number of packages that are resolved.
const PACKAGES: usize = 500;

/// The number of bytes that each component has beside its code.
const SIZE: usize = 1 << 20;

fn main() {
    resolution();
    composition();
}

/// Chooses versions of 500 packages, each second of which refers to another one.
fn resolution() {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let (registry, project) = (folder.path().join("registry"), folder.path().join("project"));
    fs::create_dir_all(&registry).expect("the folder is new");
    fs::create_dir_all(&project).expect("the folder is new");
    let head = format!(
        "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[registry]\nurl = \"file://{}\"\n\n[dependencies]\n",
        registry.display()
    );
    let mut manifest = head.clone();
    for number in (0..PACKAGES).rev() {
        let next = number + 1;
        let (needs, refers) = match number % 2 {
            0 => (
                format!("\"many:p{next}\" = \"1.0\"\n"),
                format!("use many:p{next}/i@1.0.0.{{t}};"),
            ),
            _ => (String::new(), String::new()),
        };
        let wit = format!(
            "package many:p{number}@1.0.0;\ninterface i {{ {refers} type {} = u32; }}\n",
            if refers.is_empty() { "t" } else { "mine" }
        );
        fs::write(project.join("run.toml"), format!("{head}{needs}")).expect("it can be written");
        fs::write(project.join("package.wit"), wit).expect("it can be written");
        let _ = fs::remove_file(project.join("run.lock.toml"));
        run(&project, &["publish", "--wit", "package.wit"]);
        let _ = writeln!(manifest, "\"many:p{number}\" = \"1.0\"");
    }
    fs::write(project.join("run.toml"), manifest).expect("it can be written");
    run(&project, &["fetch"]);
    measure::compare(
        &format!("choosing versions of {PACKAGES} packages of a folder, all of which were kept"),
        31,
        ("run update --offline", || run(&project, &["update", "--offline"])),
        ("run --version", || run(&project, &["--version"])),
    );
}

/// Composes a chain of four components after an edit of the last one.
fn composition() {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let project = folder.path();
    let mut manifest = "[project]\nname = \"p\"\nversion = \"0.1.0\"\n".to_owned();
    for number in 0..4 {
        let dependencies = match number {
            3 => String::new(),
            _ => format!("dependencies = [\"c{}\"]\n", number + 1),
        };
        let _ = write!(
            manifest,
            "\n[[component]]\nname = \"c{number}\"\npath = \"c{number}.wasm\"\n{dependencies}"
        );
        write_component(project, number, 0);
    }
    fs::write(project.join("run.toml"), manifest).expect("it can be written");
    let mut edits = 0;
    measure::compare(
        "composing four components of 1 MiB after an edit of one",
        31,
        ("run build c0, edited", || {
            edits += 1;
            write_component(project, 3, edits);
            run(project, &["build", "c0"]);
        }),
        ("run build c0, nothing to do", || run(project, &["build", "c0"])),
    );
}

/// Writes a component that exports `f` of `a:c{number}/i`, and calls that of the next one, except for the last.
fn write_component(project: &Path, number: usize, edit: usize) {
    let next = number + 1;
    let (import, body) = match number {
        3 => (String::new(), format!("i32.const {edit}")),
        _ => (
            format!(
                "(import \"a:c{next}/i@1.0.0\" (instance $i (export \"f\" (func (result u32)))))"
            ),
            "call $f".to_owned(),
        ),
    };
    let (lower, host, with) = match number {
        3 => ("", "", ""),
        _ => (
            "(core func $f (canon lower (func $i \"f\")))",
            "(import \"\" \"f\" (func $f (result i32)))",
            "(with \"\" (instance (export \"f\" (func $f))))",
        ),
    };
    let text = format!(
        "(component {import} {lower}
           (core module $m {host} (func (export \"f\") (result i32) {body}))
           (core instance $c (instantiate $m {with}))
           (func $g (result u32) (canon lift (core func $c \"f\")))
           (instance $e (export \"f\" (func $g)))
           (export \"a:c{number}/i@1.0.0\" (instance $e))
           (@custom \"padding\" \"{}\"))",
        "x".repeat(SIZE)
    );
    let bytes = wat::parse_str(text).expect("it is a component");
    fs::write(project.join(format!("c{number}.wasm")), bytes).expect("it can be written");
}

fn run(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_run"));
    command.args(arguments).env("RUN_HOME", folder.join("home")).env_remove("CI");
    command.current_dir(folder).arg("--quiet").stdin(Stdio::null()).stdout(Stdio::null());
    assert!(command.status().expect("it can be started").success(), "{command:?}");
}
