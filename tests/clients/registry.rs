//! Makes a project with one third-party package in each of Rust, Python and JavaScript, which no store has
//! seen, and registries that serve them from a folder.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use crate::harness::{Workspace, repository};

/// A web server that serves a folder of this machine on a port of its own.
pub(super) struct Server {
    child: Child,
    pub(super) url: String,
}

impl Server {
    pub(super) fn of(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let mut child = Command::new("python3")
            .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory"])
            .arg(folder)
            .arg("0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.split("port ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The checksums that pin the package of each registry.
pub(super) struct Pins {
    krate: String,
    wheel: String,
    integrity: String,
}

impl Pins {
    /// Makes a package that is new to every store, for registries at `url`, which serve `folder`.
    pub(super) fn make(folder: &Path, url: &str) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let output = Command::new("python3")
            .arg(repository().join("tests/fixtures/registry/make.py"))
            .arg(folder)
            .args([url, &format!("unique {}", now.as_nanos())])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let [krate, wheel, integrity] =
            text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
        Self { krate, wheel, integrity }
    }
}

const WIT: &str = "package demo:it@0.1.0;\n\ninterface text {\n    say: func() -> string;\n}\n\n\
                   world it {\n    export text;\n}\n";

/// The names of the components, which are those of their languages.
pub(super) const COMPONENTS: [&str; 3] = ["rust", "python", "javascript"];

/// Writes the project into a folder of the workspace.
pub(super) fn write_project(workspace: &Workspace, folder: &str, pins: &Pins) {
    let Pins { krate, wheel, integrity } = pins;
    let example = |path: &str| {
        std::fs::read_to_string(repository().join("examples/polyglot").join(path)).unwrap()
    };
    // The lockfile has the address of the public registry, as Cargo writes it.
    let lock = example("Cargo.lock");
    let source = lock.lines().find(|line| line.starts_with("source = ")).unwrap();
    let write = |path: &str, text: String| workspace.write(&format!("{folder}/{path}"), text);
    let component = |name: &str, file: &str, wit: &str| {
        format!(
            "\n[[component]]\nname = \"{name}\"\nsource = \"{name}/{file}\"\nlanguage = \"{name}\"\n{wit}"
        )
    };
    let wit = "wit = \"wit\"\n";
    let [rust, python, javascript] = COMPONENTS;
    write(
        "run.toml",
        format!(
            "[project]\nname = \"it\"\nversion = \"0.1.0\"\n{}{}{}",
            component(rust, "src/main.rs", ""),
            component(python, "app.py", wit),
            component(javascript, "app.js", wit)
        ),
    );
    write("run.lock.toml", example("run.lock.toml"));
    write("wit/it.wit", WIT.to_owned());
    write(
        "rust/Cargo.toml",
        "[package]\nname = \"it\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
         [dependencies]\nunique = \"1.0.0\"\n"
            .to_owned(),
    );
    write(
        "rust/Cargo.lock",
        format!(
            "version = 4\n\n[[package]]\nname = \"it\"\nversion = \"0.1.0\"\ndependencies = [\n \"unique\",\n]\n\n\
             [[package]]\nname = \"unique\"\nversion = \"1.0.0\"\n{source}\nchecksum = \"{krate}\"\n"
        ),
    );
    write("rust/src/main.rs", "fn main() { println!(\"{}\", unique::TEXT); }\n".to_owned());
    write("python/requirements.txt", format!("unique==1.0.0 --hash=sha256:{wheel}\n"));
    write(
        "python/app.py",
        "import unique\nfrom wit_world import exports\n\n\nclass Text(exports.Text):\n    \
         def say(self) -> str:\n        return unique.TEXT\n"
            .to_owned(),
    );
    write(
        "javascript/package.json",
        "{ \"name\": \"it\", \"version\": \"0.1.0\", \"type\": \"module\", \
         \"dependencies\": { \"unique\": \"^1.0.0\" } }"
            .to_owned(),
    );
    write(
        "javascript/package-lock.json",
        format!(
            "{{ \"name\": \"it\", \"version\": \"0.1.0\", \"lockfileVersion\": 3, \"requires\": true, \"packages\": {{\n\
             \"\": {{ \"name\": \"it\", \"version\": \"0.1.0\", \"dependencies\": {{ \"unique\": \"^1.0.0\" }} }},\n\
             \"node_modules/unique\": {{ \"version\": \"1.0.0\", \"integrity\": \"{integrity}\" }} }} }}"
        ),
    );
    write(
        "javascript/app.js",
        "import { TEXT } from \"unique\";\n\nexport const text = { say() { return TEXT; } };\n"
            .to_owned(),
    );
}

impl Workspace {
    /// Makes the user's clients use these registries, by the user's own configuration outside of the project.
    pub(super) fn with_registries(self, url: &str) -> Self {
        let home: PathBuf = self.root().join("cargo-home");
        std::fs::create_dir_all(&home).unwrap();
        let config = format!(
            "[source.crates-io]\nreplace-with = \"own\"\n[source.own]\nregistry = \"sparse+{url}/index/\"\n"
        );
        std::fs::write(home.join("config.toml"), config).unwrap();
        self.env("CARGO_HOME", home)
            .env("PIP_INDEX_URL", format!("{url}/simple/"))
            .env("NPM_CONFIG_REGISTRY", format!("{url}/"))
    }
}
