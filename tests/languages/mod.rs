//! Tests each language: what it builds, and the messages about mistakes.

use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use cache::{DigestFunction, DiskStore};

use crate::harness::Workspace;

mod c;
mod go;
mod go_advice;
mod go_modules;
mod go_pieces;
mod go_projects;
mod javascript;
mod links;
mod projects;
pub(crate) mod python;
mod rust;
mod tinygo;
mod typescript;
mod worlds;
mod zig;

pub(crate) use javascript::{WEB, hello, npm::npm_workspace};

/// Returns the names that a component imports, without versions, sorted.
fn imports(component: &[u8]) -> Vec<String> {
    let names = crate::harness::imports(component);
    let mut names: Vec<String> =
        names.iter().map(|name| name.split('@').next().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Checks that the component `app` contains a text, for example one that was computed while the component was
/// made.
#[track_caller]
fn holds(workspace: &Workspace, text: &str) {
    let component = workspace.read("target/wasm/app.wasm");
    let found = component.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(found, "no {text:?} in the component");
}

impl Workspace {
    /// Writes a program of the project.
    fn program(&self, path: &str, script: &str) {
        self.write(path, script);
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.path(path), mode).unwrap();
    }

    /// Makes a symlink in the project, and the folders above it.
    fn link(&self, target: &str, path: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Makes `vendor/image` the image of a toolchain in the way that a checkout can do it: one of its builds
    /// puts the tree into the store, and its lock names it.
    pub(crate) fn pin_image(&self, toolchain: &str, version: &str) {
        let _ = std::fs::remove_file(self.path("run.lock.toml"));
        let added = format!("evil@{version}");
        self.run(["toolchain", "add", &added, "--path", "vendor/image"]).ok();
        let store = DiskStore::open(&self.store(), DigestFunction::Blake3).unwrap();
        let tree = store.ingest(&self.path("vendor/image")).unwrap();
        let lock = self.read_text("run.lock.toml").replace("evil", toolchain);
        let (before, rest) = lock.split_once("tree = \"").unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        self.write("run.lock.toml", format!("{before}tree = \"{tree}\"{after}"));
    }
}

/// A server that accepts every connection and never answers.
struct Silence {
    url: String,
    listener: TcpListener,
}

impl Silence {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { url: format!("http://{}", listener.local_addr().unwrap()), listener }
    }

    /// Waits until a build sends a request, stops the build by a signal, and checks that it ends.
    fn is_left_by(&self, mut build: Child, workspace: &Workspace) {
        let (mut stream, _) = self.listener.accept().unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        let begin = Instant::now();
        let pid = rustix::process::Pid::from_child(&build);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = build.wait().unwrap();
        let took = begin.elapsed();
        // It takes a fraction of a second, unless other tests keep all processors busy.
        assert!(!status.success() && took < Duration::from_secs(4), "{status} after {took:?}");
        let home = workspace.root().join("home");
        assert_eq!(processes_of(&home), Vec::<String>::new());
    }
}

/// Returns the command lines of the processes that have this home folder.
fn processes_of(home: &Path) -> Vec<String> {
    let variable = format!("HOME={}", home.display());
    let folders = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let ours = folders.filter(|folder| {
        let environment = std::fs::read(folder.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|text| text == variable.as_bytes())
    });
    let words = |folder: std::path::PathBuf| std::fs::read(folder.join("cmdline")).ok();
    ours.filter_map(words).map(|text| text.escape_ascii().to_string()).collect()
}
