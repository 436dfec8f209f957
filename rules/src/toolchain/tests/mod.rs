//! Whole syncs and installations, from mirrors, packages and clients made here: no network.

mod clients;
mod mirror;
mod npm;

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use cache::{Digest, DigestFunction, DiskStore, Entry};

use super::unpack::tests::{ar, tape_of};
use super::*;

/// A machine with packages in a folder, and a project.
struct Machine {
    folder: tempfile::TempDir,
    /// The text of its catalogue.
    catalogue: String,
    refresh: bool,
    registries: Registries,
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Events for Log {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::Fetched { package, .. } => format!("fetched {package}"),
            Event::Warning(text) => format!("warning: {text}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

const PLATFORM: Platform = Platform::X86_64Linux;

impl Machine {
    fn with(catalogue: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mirror = format!("file://{}", folder.path().join("mirror").display());
        let keyrings = folder.path().join("keyrings");
        let registries = Registries {
            clients: Clients { keyrings, ..Clients::default() },
            mirrors: Mirrors { debian: Some(mirror) },
            folder: folder.path().to_owned(),
            ..Registries::default()
        };
        Self { folder, catalogue: catalogue.to_owned(), refresh: false, registries }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn catalogue(&self) -> Catalogue {
        let archive = fs::read(self.path("tool-1.0.tar")).unwrap_or_default();
        let sha256 = Digest::of(DigestFunction::Sha256, &archive).hex();
        let folder = self.folder.path().display().to_string();
        let text = self.catalogue.replace("[FOLDER]", &folder).replace("[SHA256]", &sha256);
        Catalogue::parse(&text).unwrap()
    }

    fn store(&self, name: &str, function: DigestFunction) -> DiskStore {
        DiskStore::open(&self.path(name), function).unwrap()
    }

    fn lockfile(&self) -> PathBuf {
        self.path("run.lock.toml")
    }

    fn sync(&self, store: &DiskStore, log: &Log) -> Result<Lock, SyncError> {
        let sync = Sync {
            store,
            catalogue: &self.catalogue(),
            needed: &Toolchains::unchecked(&["tool"]),
            platform: PLATFORM,
            refresh: self.refresh,
            registries: &self.registries,
            events: log,
        };
        sync.update(&self.lockfile())
    }

    fn install(&self, store: &DiskStore, lock: &Lock) -> Result<Digest, InstallError> {
        let install = Install {
            store,
            catalogue: &self.catalogue(),
            lock,
            platform: PLATFORM,
            registries: &self.registries,
            events: &Log::default(),
        };
        install.run("tool")
    }
}

/// All paths of a stored tree, with the text of the files.
fn listing(store: &DiskStore, tree: &Digest) -> Vec<String> {
    fn walk(store: &DiskStore, above: &str, tree: &cache::Tree, lines: &mut Vec<String>) {
        for (name, entry) in &tree.entries {
            let path = format!("{above}{name}");
            match entry {
                Entry::Directory(child) => walk(store, &format!("{path}/"), child, lines),
                Entry::Symlink { target } => lines.push(format!("{path} -> {target}")),
                Entry::File { digest, .. } => {
                    let text = String::from_utf8(store.get(digest).unwrap().unwrap()).unwrap();
                    lines.push(format!("{path}: {text}"));
                }
                Entry::Subtree(_) => panic!("{path} is not resolved"),
            }
        }
    }
    let mut lines = Vec::new();
    walk(store, "", &store.tree(tree).unwrap().unwrap(), &mut lines);
    lines
}
