//! Measures what a change of dependencies costs, against the bare tool with its own warm caches. Both run in turn on the
//! same machine.
//!
//! `cargo bench -p run --bench dependencies`. The project in `rust` has some 150 packages in its Cargo.lock. Each folder
//! of `steps` has the manifest and the lockfile after one more change: a small crate more, and then another version of a
//! leaf and of a crate that many others use. The bare tool is the cargo of the image that the lock pins, outside of a
//! sandbox. Every change is measured once, because it is not new a second time.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../measure.rs"]
mod measure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cache::{Digest, DigestFunction, DiskStore};

fn main() {
    let bench = Bench::new();
    bench.fetch();
    bench.measure("from nothing");
    let (run, cargo) = (|| bench.run(), || bench.cargo());
    measure::compare("nothing changed", 7, ("run build", run), ("cargo build", cargo));
    let edit = "fn main() {\n    println!(\"edited\");";
    bench.edit("src/main.rs", "fn main() {", edit);
    bench.measure("one edited line");
    let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/dependencies/rust/steps");
    let mut steps: Vec<PathBuf> = fs::read_dir(steps)
        .expect("the steps are in the repository")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    steps.sort();
    for step in steps {
        for project in [&bench.project, &bench.bare] {
            for file in ["Cargo.toml", "Cargo.lock"] {
                fs::copy(step.join(file), project.join(file)).expect("it is ours");
            }
        }
        bench.fetch();
        bench.measure(&step.file_name().expect("it has a name").to_string_lossy());
    }
}

/// Two copies of the project, and a store in which nothing but the toolchain is there at first.
struct Bench {
    project: PathBuf,
    bare: PathBuf,
    home: PathBuf,
    /// The folder of the pinned rustc and cargo.
    bin: PathBuf,
    /// Removes the copies at the end.
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/dependencies/rust");
        let folder = tempfile::tempdir().expect("there is room for two copies");
        let copy = |name: &str| {
            let project = folder.path().join(name);
            fs::create_dir_all(project.join("src")).expect("the folder is new");
            for file in ["run.toml", "run.lock.toml", "Cargo.toml", "Cargo.lock", "src/main.rs"] {
                fs::copy(source.join(file), project.join(file)).expect("it can be copied");
            }
            project
        };
        let (project, bare) = (copy("project"), copy("bare"));
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-home");
        let mut bench = Self { project, bare, home, bin: PathBuf::new(), _folder: folder };
        // This installs the toolchain and fetches the crates. The results are then forgotten.
        bench.run();
        bench.bin = bench.rust();
        for forgotten in [bench.home.join("store/ac"), bench.project.join(".run")] {
            fs::remove_dir_all(forgotten).expect("the first build has made it");
        }
        bench
    }

    /// Returns the folder of the pinned tools.
    fn rust(&self) -> PathBuf {
        let lock = fs::read_to_string(self.project.join("run.lock.toml")).expect("there is a lock");
        let lock: toml::Table = lock.parse().expect("the lock is TOML");
        let images = lock["image"].as_array().expect("the lock has images");
        let is_rust = |image: &&toml::Value| image["toolchain"].as_str() == Some("rust");
        let tree = images.iter().find(is_rust).expect("Rust is pinned")["tree"].as_str();
        let tree: Digest = tree.expect("a digest").parse().expect("a digest");
        let store = DiskStore::open(&self.home.join("store"), DigestFunction::Blake3);
        let image = store.expect("a store").materialise(&tree).expect("it is installed");
        image.join("usr/lib/rust/bin")
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        for project in [&self.project, &self.bare] {
            let text = fs::read_to_string(project.join(file)).expect("it is a text");
            fs::write(project.join(file), text.replacen(from, to, 1)).expect("it is ours");
        }
    }

    /// Fetches the crates for the bare tool.
    fn fetch(&self) {
        check(Command::new("cargo").args(["fetch", "--locked"]).current_dir(&self.bare));
    }

    fn measure(&self, title: &str) {
        let (run, cargo) = (|| self.run(), || self.cargo());
        measure::measured(title, 1, ("run build", run), ("cargo build", cargo));
    }

    fn run(&self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_run"));
        command.args(["build", "-q"]).current_dir(&self.project).env("RUN_HOME", &self.home);
        check(&mut command);
    }

    fn cargo(&self) {
        let mut command = Command::new(self.bin.join("cargo"));
        command.args(["build", "--quiet", "--release", "--locked", "--target=wasm32-wasip2"]);
        command.current_dir(&self.bare).env("RUSTC", self.bin.join("rustc"));
        // The variables that the running cargo sets would lead rustc to cargo's own libraries.
        for name in ["LD_LIBRARY_PATH", "RUSTUP_TOOLCHAIN", "RUST_BACKTRACE", "CARGO_TARGET_DIR"] {
            command.env_remove(name);
        }
        check(&mut command);
    }
}

fn check(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.expect("the program starts").success(), "{command:?}");
}
