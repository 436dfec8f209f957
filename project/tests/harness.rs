//! Makes a folder with a project of ready-made components and a store, and the values that a front end passes
//! to the crate.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cache::{DigestFunction, DiskStore};
use engine::{ActionEnd, Download, Event, Events};
use project::{Builder, Conditions, Error, LockPolicy, Pinning, Project, images};
use rules::manifest::Overrides;
use rules::package::{self, Registries};
use rules::plan::Selection;
use rules::toolchain::Lock;
use sandbox::{Cancel, Isolation};

/// The beginning of every run.toml.
pub(crate) const HEAD: &str = "[project]\nname = \"p\"\nversion = \"0.1.0\"\n";

/// A project in a temporary folder, and a store beside it.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
    store: DiskStore,
}

impl Workspace {
    /// Makes a project whose components have these names, each with a file of its own.
    pub(crate) fn with(components: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("project")).unwrap();
        let store = DiskStore::open(&folder.path().join("store"), DigestFunction::Blake3).unwrap();
        let workspace = Self { folder, store };
        workspace.declare(components);
        for name in components {
            workspace.write(&format!("{name}.wasm"), component(name));
        }
        workspace
    }

    /// Writes a run.toml with these components.
    pub(crate) fn declare(&self, components: &[&str]) {
        let mut manifest = HEAD.to_owned();
        for name in components {
            let _ = write!(manifest, "[[component]]\nname = \"{name}\"\npath = \"{name}.wasm\"\n");
        }
        self.write("run.toml", manifest);
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(path), content).unwrap();
    }

    /// Returns the path of a file of the project.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("project").join(path)
    }

    /// Returns a folder outside the project for temporary files.
    pub(crate) fn temporary(&self) -> &Path {
        self.folder.path()
    }

    /// Opens the project, whose run.toml must cause no errors and no warnings.
    pub(crate) fn open(&self) -> Project {
        let (project, warnings) = self.try_open().unwrap();
        assert!(warnings.is_empty(), "{warnings}");
        project
    }

    pub(crate) fn try_open(&self) -> Result<(Project, rules::manifest::Diagnostics), Error> {
        Project::open(&self.path(""), &Overrides::default())
    }

    /// Returns the lock for a build of all components. It is an error if the lock is not complete.
    pub(crate) fn lock(&self, project: &Project) -> Result<Lock, Error> {
        let registries = Registries::default();
        let pinning =
            Pinning { project, store: &self.store, registries: &registries, events: &Quiet };
        pinning.lock_for_build(&Selection::default(), LockPolicy::Keep)
    }

    /// Returns a builder of all components.
    pub(crate) fn builder(&self) -> Builder {
        let project = self.open();
        let lock = self.lock(&project).unwrap();
        Builder {
            images: images(lock, Arc::default(), &self.store),
            project,
            store: self.store.clone(),
            selection: Selection::default(),
            packages: rules::dependency::Packages::default(),
            conditions: Conditions {
                release: true,
                epoch: None,
                isolation: Isolation::default(),
                jobs: 2,
                offline: true,
                keep_going: true,
                keep_sandbox: false,
                download: Download::default(),
            },
            shared: None,
            cluster: None,
            cancel: Cancel::new(),
        }
    }
}

/// Returns the bytes of a component that contains a text.
pub(crate) fn component(text: &str) -> Vec<u8> {
    let module = format!("(core module (memory 1) (data (i32.const 0) \"{text}\"))");
    wat::parse_str(format!("(component {module})")).unwrap()
}

/// Ignores events of fetching, because ready-made components need no toolchain.
struct Quiet;

impl package::Events for Quiet {
    fn event(&self, _: package::Event<'_>) {}
}

/// Records how each action ended.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Log {
    /// Returns the recorded lines, in alphabetical order.
    pub(crate) fn take(&self) -> Vec<String> {
        let mut lines = std::mem::take(&mut *self.0.lock().unwrap());
        lines.sort();
        lines
    }
}

impl Events for Log {
    fn event(&self, event: Event) {
        if let Event::Finished { label, finish, .. } = event {
            let what = match finish {
                ActionEnd::Hit(_) => "hit",
                ActionEnd::Ran(_) => "ran",
                ActionEnd::Failed(_) => "failed",
                ActionEnd::Skipped { .. } => "skipped",
                ActionEnd::Cancelled => "cancelled",
            };
            self.0.lock().unwrap().push(format!("{label} {what}"));
        }
    }
}
