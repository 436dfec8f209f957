//! Builds a component of each language from nothing, again, and after an edit of one line, and compares with
//! the bare tool with its own warm caches. Both run in turn on the same machine.
//!
//! `cargo bench -p run --bench languages [-- LANGUAGE …]`. The bare tools are those of the images that the
//! example's lock pins. They run without a sandbox, with bindings and packages in place. So the figures of
//! `run` include what it does in addition (checking, stamping, making bindings), and those of the tools
//! don't.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod bare;
#[path = "../measure.rs"]
mod measure;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bare::Bare;

/// A component of examples/polyglot, with a line to edit.
struct Case {
    language: &'static str,
    component: &'static str,
    /// The file that is edited.
    file: &'static str,
    /// A text in it, and its replacement: each number gives another program.
    line: (&'static str, fn(usize) -> String),
    /// The number of pairs to measure. It is smaller if a build takes seconds.
    rounds: usize,
}

const CASES: [Case; 7] = [
    Case {
        language: "rust",
        component: "calc",
        file: "components/calc/src/lib.rs",
        line: ("a.gcd(&b)", |number| format!("a.gcd(&b).wrapping_add({number})")),
        rounds: 7,
    },
    Case {
        language: "python",
        component: "greeter",
        file: "components/greeter/phrases.py",
        line: ("from Python", |number| format!("from Python {number}")),
        rounds: 3,
    },
    Case {
        language: "go",
        component: "shop",
        file: "components/shop/exports/export_wasi_http_incoming_handler/handler.go",
        line: ("there is no ", |number| format!("there is no {number}")),
        rounds: 7,
    },
    Case {
        language: "javascript",
        component: "slug",
        file: "components/slug/app.js",
        line: ("= { slug }", |number| format!("= {{ slug: (text) => slug(text) + {number} }}")),
        rounds: 3,
    },
    Case {
        language: "typescript",
        component: "quote",
        file: "components/quote/src/app.ts",
        line: ("nothing is known", |number| format!("nothing {number} is known")),
        rounds: 3,
    },
    Case {
        language: "zig",
        component: "checksum",
        file: "components/checksum/checksum.zig",
        line: ("return std", |number| format!("return {number} +% std")),
        rounds: 7,
    },
    Case {
        language: "c",
        component: "sort",
        file: "components/sort/sort.c",
        line: ("return (a > b)", |number| format!("return {number} * (a > b)")),
        rounds: 7,
    },
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let bench = Bench::new();
    for case in &CASES {
        if wanted.is_empty() || wanted.iter().any(|name| name == case.language) {
            bench.measure(case);
        }
    }
}

/// A copy of the example, with a store of its own that later runs use again.
struct Bench {
    folder: tempfile::TempDir,
    home: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a copy of the example");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/polyglot");
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-home");
        let bench = Self { folder, home };
        copy(&example, &bench.project());
        // Toolchains are installed before anything is measured.
        bench.run(&["build", "-q"]);
        bench
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn measure(&self, case: &Case) {
        let (project, home) = (self.project(), &self.home);
        let bare = Bare::prepare(case.language, case.component, &project, home);
        let build = || self.run(&["build", "-q", "-p", case.component]);
        let title = |what: &str| format!("{}: {what} ({})", case.language, case.component);
        // Only the action cache makes a build warm. Toolchains stay installed.
        let cold = || {
            remove(&home.join("store/ac"));
            remove(&project.join(".run"));
            build();
        };
        let nothing = title("from nothing");
        measure::measured(&nothing, 1, ("run build", cold), ("bare tool", || bare.cold()));
        measure::compare(
            &title("nothing changed"),
            case.rounds,
            ("run build", build),
            ("bare tool", || bare.build()),
        );
        let (mut here, mut there) = (Edits::new(case, &project), Edits::new(case, bare.project()));
        measure::compare(
            &title("one edited line"),
            case.rounds,
            ("run build", || {
                here.next();
                build();
            }),
            ("bare tool", || {
                there.next();
                bare.build();
            }),
        );
    }

    fn run(&self, arguments: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_run"));
        command.args(arguments).current_dir(self.project()).env("RUN_HOME", &self.home);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        assert!(command.status().expect("the binary starts").success());
    }
}

/// Edits of one file, which write another number each time.
struct Edits {
    path: PathBuf,
    text: String,
    line: (&'static str, fn(usize) -> String),
    number: usize,
}

impl Edits {
    fn new(case: &Case, project: &Path) -> Self {
        let path = project.join(case.file);
        let text = std::fs::read_to_string(&path).expect("the example has it");
        assert!(text.contains(case.line.0), "{} has no {:?}", case.file, case.line.0);
        Self { path, text, line: case.line, number: 0 }
    }

    fn next(&mut self) {
        self.number += 1;
        let (line, edited) = self.line;
        let text = self.text.replacen(line, &edited(self.number), 1);
        std::fs::write(&self.path, text).expect("it is ours");
    }
}

fn remove(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("it is a new folder");
    for entry in std::fs::read_dir(from).expect("the example can be read").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if name == "target" || name == ".run" {
            continue;
        }
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => {
                std::fs::copy(&path, to.join(name)).expect("a file can be copied");
            }
        }
    }
}
