//! Packages from a real OCI registry, and from a mirror of it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::{app, greet, locked, publish};
use crate::harness::Workspace;

/// Debian's `docker-registry` on a free port.
pub(crate) struct DockerRegistry {
    process: Child,
    host: String,
    _folder: tempfile::TempDir,
}

impl DockerRegistry {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yml");
        let data = folder.path().join("data");
        let text = format!(
            "version: 0.1\nlog: {{ level: info, formatter: text }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: \"127.0.0.1:0\" }}\n",
            data.display()
        );
        fs::write(&file, text).unwrap();
        let mut process = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let host = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| {
                let (_, rest) = line.split_once("listening on ")?;
                let host = rest.split(|c: char| c != ':' && c != '.' && !c.is_ascii_digit()).next();
                host.map(ToOwned::to_owned)
            })
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, host, _folder: folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("oci+http://{}", self.host)
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

const WORDS: &str = "package demo:words@0.1.0;\ninterface words { type word = string; }\n";

#[test]
fn a_mirror_gives_the_same_packages() {
    let (registry, mirror) = (DockerRegistry::start(), DockerRegistry::start());
    for url in [registry.url(), mirror.url()] {
        publish(&url, WORDS);
        publish(&url, &greet("1.0.0"));
    }
    let workspace = app(&registry.url());
    workspace.run(["add", "demo:greet"]).ok();
    workspace.run(["build"]).ok();
    let (lock, built) =
        (workspace.read_text("run.lock.toml"), workspace.read("target/wasm/app.wasm"));
    assert!(lock.contains(&registry.url()) && !lock.contains("127.0.0.1:0\""), "{lock}");
    // A second machine has the lock, and reaches the mirror alone.
    let gone = registry.url();
    drop(registry);
    let other = app(&gone);
    let text = workspace.read_text("run.toml");
    let with_mirror = format!("mirrors = [\"{}\"]\n", mirror.url());
    other.write("run.toml", text.replace("# near\n", &format!("# near\n{with_mirror}")));
    other.write("run.lock.toml", &lock);
    other.run(["build", "--locked"]).ok();
    assert_eq!(other.read("target/wasm/app.wasm"), built);
    assert_eq!(other.read_text("run.lock.toml"), lock);
    // Without the mirror there is an error, and nothing is written.
    let alone = app(&gone);
    alone.write("run.toml", &text);
    alone.write("run.lock.toml", &lock);
    alone.run(["build", "--locked"]).exits(36).says("cannot reach ");
    assert!(!alone.exists("target/wasm/app.wasm"));
    // The environment goes before run.toml.
    alone.env("RUN_REGISTRY_URL", mirror.url()).run(["build", "--locked"]).ok();
}

#[test]
fn other_bytes_than_those_of_the_lock_are_refused() {
    let registry = DockerRegistry::start();
    publish(&registry.url(), WORDS);
    publish(&registry.url(), &greet("1.0.0"));
    let workspace = app(&registry.url());
    workspace.run(["add", "demo:greet"]).ok();
    let lock = workspace.read_text("run.lock.toml");
    let (_, digest) = lock.split_once("digest = \"sha256:").unwrap();
    workspace.write("run.lock.toml", lock.replace(&digest[..64], &"a".repeat(64)));
    fs::remove_dir_all(workspace.root().join("run-home")).unwrap();
    fs::remove_dir_all(workspace.path(".run")).unwrap();
    workspace.run(["build"]).exits(102).says(&"a".repeat(64));
    assert!(!workspace.exists("target/wasm/app.wasm"));
}

#[test]
fn the_example_of_the_page_resolves_against_a_registry_of_this_machine() {
    let registry = DockerRegistry::start();
    publish(
        &registry.url(),
        "package test:mock-http@1.0.0;\ninterface mock { answer: func(status: u16); }\n",
    );
    let workspace = Workspace::example("microservice-demo").env("RUN_REGISTRY_URL", registry.url());
    workspace.run(["fetch", "--no-wit"]).ok().says("Fetched 1 package");
    assert_eq!(locked(&workspace), ["test:mock-http 1.0.0"]);
    let tree = workspace.run(["tree"]).ok().stdout;
    assert!(
        tree.contains("├── wasi:http 0.2.0 (built in)\n└── wasi:logging 0.1.0-draft (built in)\n"),
        "{tree}"
    );
    assert!(tree.contains("[dev_dependencies]\n└── test:mock-http 1.0.0 (wit, "), "{tree}");
    workspace.run(["update", "--locked", "--dry-run"]).ok().says("nothing to change");
}
