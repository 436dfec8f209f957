//! Measures what a change of dependencies costs, against the bare tool with its own warm caches. Both run in turn on the
//! same machine.
//!
//! `cargo bench -p run --bench dependencies [-- LANGUAGE …]`. The project in `rust` has some 150 packages in its
//! Cargo.lock, and the one in `go` some 65 modules in its go.mod. Each folder of `steps` has the files of the project
//! that differ after one more change. The bare tool is that of the image that the lock pins, outside of a sandbox. Every
//! change is measured once, because it is not new a second time.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../measure.rs"]
mod measure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cache::{Digest, DigestFunction, DiskStore};

/// A project that is built with `run` and with the tool of its language.
struct Case {
    language: &'static str,
    /// The bare tool, as the figures name it.
    tool: &'static str,
    /// An edit of one line: the file, the text in it, and its replacement.
    edit: (&'static str, &'static str, &'static str),
    /// Fetches what others wrote for the bare tool.
    fetch: &'static [&'static str],
    /// Makes the call of the bare tool.
    build: fn(&Bench) -> Command,
}

const CASES: [Case; 2] = [
    Case {
        language: "rust",
        tool: "cargo build",
        edit: ("src/main.rs", "fn main() {", "fn main() {\n    println!(\"edited\");"),
        fetch: &["cargo", "fetch", "--locked"],
        build: Bench::cargo,
    },
    Case {
        language: "go",
        tool: "go build",
        edit: ("main.go", "func main() {", "func main() {\n\tfmt.Println(\"edited\")"),
        fetch: &["go", "mod", "download"],
        build: Bench::go,
    },
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    for case in &CASES {
        if wanted.is_empty() || wanted.iter().any(|name| name == case.language) {
            println!("{}\n", case.language);
            Bench::new(case).measure_all();
        }
    }
}

/// Two copies of the project, and a store in which nothing but the toolchain is there at first.
struct Bench {
    case: &'static Case,
    project: PathBuf,
    bare: PathBuf,
    home: PathBuf,
    /// The image of the pinned toolchain.
    image: PathBuf,
    /// Removes the copies at the end.
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(case: &'static Case) -> Self {
        let folder = tempfile::tempdir().expect("there is room for two copies");
        let (project, bare) = (folder.path().join("project"), folder.path().join("bare"));
        let source = source(case);
        [&project, &bare].into_iter().for_each(|to| copy(&source, to));
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-home");
        let mut bench = Self { case, project, bare, home, image: PathBuf::new(), folder };
        // This installs the toolchain and fetches the dependencies. The results are then forgotten.
        bench.run();
        bench.image = bench.image(case.language);
        for forgotten in [bench.home.join("store/ac"), bench.project.join(".run")] {
            fs::remove_dir_all(forgotten).expect("the first build has made it");
        }
        bench
    }

    fn measure_all(&self) {
        self.fetch();
        self.measure("from nothing");
        let (run, bare) = (|| self.run(), || self.bare());
        measure::compare("nothing changed", 7, ("run build", run), (self.case.tool, bare));
        self.edit();
        self.measure("one edited line");
        let mut steps: Vec<PathBuf> = fs::read_dir(source(self.case).join("steps"))
            .expect("the steps are in the repository")
            .map(|entry| entry.expect("it can be read").path())
            .collect();
        steps.sort();
        for step in steps {
            [&self.project, &self.bare].into_iter().for_each(|to| copy(&step, to));
            self.fetch();
            self.measure(&step.file_name().expect("it has a name").to_string_lossy());
        }
    }

    /// Returns the folder with the files of a toolchain's image.
    fn image(&self, toolchain: &str) -> PathBuf {
        let lock = fs::read_to_string(self.project.join("run.lock.toml")).expect("there is a lock");
        let lock: toml::Table = lock.parse().expect("the lock is TOML");
        let images = lock["image"].as_array().expect("the lock has images");
        let is_ours = |image: &&toml::Value| image["toolchain"].as_str() == Some(toolchain);
        let tree = images.iter().find(is_ours).expect("it is pinned")["tree"].as_str();
        let tree: Digest = tree.expect("a digest").parse().expect("a digest");
        let store = DiskStore::open(&self.home.join("store"), DigestFunction::Blake3);
        store.expect("a store").materialise(&tree).expect("it is installed")
    }

    fn edit(&self) {
        let (file, from, to) = self.case.edit;
        for project in [&self.project, &self.bare] {
            let text = fs::read_to_string(project.join(file)).expect("it is a text");
            fs::write(project.join(file), text.replacen(from, to, 1)).expect("it is ours");
        }
    }

    /// Fetches what others wrote for the bare tool.
    fn fetch(&self) {
        let [program, arguments @ ..] = self.case.fetch else { panic!("no program is named") };
        check(Command::new(program).args(arguments).current_dir(&self.bare));
    }

    fn measure(&self, title: &str) {
        let (run, bare) = (|| self.run(), || self.bare());
        measure::measured(title, 1, ("run build", run), (self.case.tool, bare));
    }

    fn run(&self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_run"));
        command.args(["build", "-q"]).current_dir(&self.project).env("RUN_HOME", &self.home);
        check(&mut command);
    }

    fn bare(&self) {
        check((self.case.build)(self).current_dir(&self.bare));
    }

    fn cargo(&self) -> Command {
        let bin = self.image.join("usr/lib/rust/bin");
        let mut command = Command::new(bin.join("cargo"));
        command.args(["build", "--quiet", "--release", "--locked", "--target=wasm32-wasip2"]);
        command.env("RUSTC", bin.join("rustc"));
        // The variables that the running cargo sets would lead rustc to cargo's own libraries.
        for name in ["LD_LIBRARY_PATH", "RUSTUP_TOOLCHAIN", "RUST_BACKTRACE", "CARGO_TARGET_DIR"] {
            command.env_remove(name);
        }
        command
    }

    fn go(&self) -> Command {
        let root = self.image.join("usr/lib/go");
        let mut command = Command::new(root.join("bin/go"));
        // Every program of the module is a component.
        command.args(["build", "-trimpath", "-buildvcs=false", "-o", "out/", "./..."]);
        command.env("GOROOT", &root).env("GOCACHE", self.folder.path().join("cache"));
        for (name, value) in [("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOTOOLCHAIN", "local")] {
            command.env(name, value);
        }
        command
    }
}

fn source(case: &Case) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/dependencies").join(case.language)
}

/// Copies a folder over another one, without the steps in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder is ours");
    for entry in fs::read_dir(from).expect("it is in the repository") {
        let entry = entry.expect("it can be read");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == "steps" {
            continue;
        }
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(path, target).expect("it can be copied");
        }
    }
}

fn check(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.expect("the program starts").success(), "{command:?}");
}
