//! Measures the time from an edit of one line until `run dev` serves the new version, and compares it with the time that the bare tool takes
//! to build the same edit. Then, if Debian's `wrk` is installed, measures how many requests a component answers in a second while it is
//! swapped fifty times.
//!
//! `cargo bench -p run --bench dev [-- LANGUAGE …]`. The bare tools are those of the benchmark `languages`, and serve nothing. What `run` takes
//! more is for noticing the edit, checking and stamping the component, compiling it to machine code, and the swap.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../languages/bare.rs"]
#[expect(dead_code, reason = "this benchmark builds nothing from nothing")]
mod bare;
#[path = "../measure.rs"]
mod measure;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bare::Bare;

/// A web component of examples/polyglot, with a line to edit.
struct Case {
    language: &'static str,
    component: &'static str,
    /// The file that is edited.
    file: &'static str,
    /// A text in it, and its replacement: each number gives another program.
    line: (&'static str, fn(usize) -> String),
    rounds: usize,
}

const CASES: [Case; 4] = [
    Case {
        language: "rust",
        component: "api",
        file: "components/api/src/lib.rs",
        line: ("Hello from Rust", |number| format!("Hello {number} from Rust")),
        rounds: 7,
    },
    Case {
        language: "python",
        component: "report",
        file: "components/report/app.py",
        line: ("\"language\": \"python\"", |number| format!("\"language\": \"python {number}\"")),
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
        language: "typescript",
        component: "quote",
        file: "components/quote/src/app.ts",
        line: ("nothing is known", |number| format!("nothing {number} is known")),
        rounds: 3,
    },
];

/// The number of swaps under load.
const SWAPS: usize = 50;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let bench = Bench::new();
    for case in &CASES {
        if wanted.is_empty() || wanted.iter().any(|name| name == case.language) {
            bench.measure(case);
        }
    }
    if wanted.is_empty() || wanted.iter().any(|name| name == "load") {
        bench.load();
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
        bench
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_run"));
        command.args(arguments).current_dir(self.project()).env("RUN_HOME", &self.home);
        command.stdin(Stdio::null());
        command
    }

    /// Builds a component, so that its toolchains are installed before anything is measured.
    fn build(&self, component: &str) {
        let status = self.command(&["build", "-q", component]).stdout(Stdio::null()).status();
        assert!(status.expect("the binary starts").success());
    }

    fn measure(&self, case: &Case) {
        self.build(case.component);
        let bare = Bare::prepare(case.language, case.component, &self.project(), &self.home);
        let served = Served::start(self, case.component);
        let (mut here, mut there) =
            (Edits::new(case, &self.project()), Edits::new(case, bare.project()));
        measure::compare(
            &format!("{}: edit to served ({})", case.language, case.component),
            case.rounds,
            ("run dev, edit to served", || {
                let before = served.version();
                here.next();
                while served.version() == before {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }),
            ("bare tool, edit to built", || {
                there.next();
                bare.build();
            }),
        );
    }

    /// Has `wrk` make requests while the component is swapped.
    fn load(&self) {
        let case = &CASES[0];
        self.build(case.component);
        let served = Served::start(self, case.component);
        let mut edits = Edits::new(case, &self.project());
        let url = format!("http://{}/", served.address);
        let wrk =
            Command::new("wrk").args(["-t2", "-c32", "-d60s", &url]).stdout(Stdio::piped()).spawn();
        let Ok(wrk) = wrk else {
            println!("wrk is not installed, so nothing is measured under load");
            return;
        };
        let began = Instant::now();
        for _ in 0..SWAPS {
            let before = served.version();
            edits.next();
            while served.version() == before {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        println!("{SWAPS} swaps under load in {:.1} s", began.elapsed().as_secs_f64());
        let output = wrk.wait_with_output().expect("wrk ends by itself");
        println!("{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// A development server for one component.
struct Served {
    process: Child,
    address: String,
}

impl Served {
    fn start(bench: &Bench, component: &str) -> Self {
        let mut process = bench
            .command(&["dev", "--port", "0", "-q", component])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it prints its address");
        let address = line.trim_end().strip_prefix("http://").expect("an address").to_owned();
        let this = Self { process, address };
        while this.version().is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
        this
    }

    /// Returns the version that answers; `None` if none does yet.
    fn version(&self) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        let request =
            format!("GET / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the server answers");
        let answer = String::from_utf8_lossy(&answer);
        answer.lines().find_map(|line| line.strip_prefix("x-run-version: ").map(ToOwned::to_owned))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Nothing is left to do if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
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
        // The number differs from run to run, so that no edit finds the result of an earlier run.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let number = now.map_or(0, |now| now.as_secs() as usize % 10_000_000) * 1000;
        Self { path, text, line: case.line, number }
    }

    fn next(&mut self) {
        self.number += 1;
        let (line, edited) = self.line;
        let text = self.text.replacen(line, &edited(self.number), 1);
        std::fs::write(&self.path, text).expect("it is ours");
    }
}

impl Drop for Edits {
    fn drop(&mut self) {
        // The next measurement begins with the same text. If the folder is gone already, nobody needs it.
        let _ = std::fs::write(&self.path, &self.text);
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
