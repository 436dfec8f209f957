//! Tests dependencies of projects: resolved, locked, fetched from registries and repositories, and published there.

mod commands;
pub(crate) mod composition;
mod hostile;
mod publishing;
mod registries;
mod repositories;

use std::path::Path;

use crate::harness::Workspace;

/// The smallest component.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A folder that is a registry, with the versions 1.0.0 and 1.1.0 of `demo:greet`, which refers to `demo:words`.
pub(crate) struct Registry {
    folder: tempfile::TempDir,
}

impl Registry {
    fn new() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap() };
        this.publish("package demo:words@0.1.0;\ninterface words { type word = string; }\n");
        for version in ["1.0.0", "1.1.0"] {
            this.publish(&greet(version));
        }
        this
    }

    fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn publish(&self, wit: &str) {
        publish(&self.url(), wit);
    }
}

/// Returns the WIT of a version of `demo:greet`.
fn greet(version: &str) -> String {
    format!(
        "package demo:greet@{version};\ninterface greeter {{\n  use demo:words/words@0.1.0.{{word}};\n  \
         hello: func(name: word) -> word;\n  @unstable(feature = louder)\n  shout: func(name: word) -> word;\n}}\n"
    )
}

/// Publishes a WIT package. What it refers to has to be in the registry.
pub(crate) fn publish(url: &str, wit: &str) {
    let needs =
        if wit.contains("demo:words/") { "[dependencies]\n\"demo:words\" = \"0.1\"\n" } else { "" };
    let facts = "description = \"Says hello\"\nlicense = \"MIT\"\nrepository = \"https://example.com/greet\"\n";
    Workspace::new()
        .file(
            "run.toml",
            format!(
                "[project]\nname = \"greet\"\nversion = \"1.0.0\"\n{facts}\n[registry]\nurl = \"{url}\"\n{needs}"
            ),
        )
        .file("wit/package.wit", wit)
        .run(["publish", "--wit", "wit"])
        .ok();
}

/// Returns a project whose component imports `demo:greet/greeter`. It has no dependencies yet.
fn app(url: &str) -> Workspace {
    Workspace::new()
        .private_store()
        .file(
            "run.toml",
            format!(
                "# ours\n[project]\nname = \"app\"\nversion = \"0.1.0\"\n\n[registry]\nurl = \"{url}\" # near\n\n\
                 [[component]]\nname = \"app\"\npath = \"app.wasm\"\nwit = \"wit/app.wit\"\n"
            ),
        )
        .file("app.wasm", COMPONENT)
        .file("wit/app.wit", "package demo:app;\nworld app { import demo:greet/greeter; }\n")
}

/// Returns the versions that the lock has, as `name version`.
fn locked(workspace: &Workspace) -> Vec<String> {
    let lock = workspace.read_text("run.lock.toml");
    let lock: toml::Table = lock.parse().unwrap();
    let entries = lock.get("dependency").and_then(toml::Value::as_array);
    let text = |entry: &toml::Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let entry = |entry| format!("{} {}", text(entry, "name"), text(entry, "version"));
    entries.into_iter().flatten().map(entry).collect()
}
