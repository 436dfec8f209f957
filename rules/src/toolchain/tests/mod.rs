//! Tests whole syncs and installations, with mirrors, packages and clients that are made here, so that no
//! network is needed.

mod added;
mod clients;
mod crates;
mod mirror;
mod npm;
mod resolution;
mod sync;
mod verify;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use cache::{Digest, DigestFunction, DiskStore, Entry};

use super::*;
use crate::package::unpack::tests::{ar, tape_of};
use crate::package::{Event, Events, Mirrors, Programs, Registries};
use crate::platform::Platform;

/// A machine that has packages in a folder, and a project.
struct Machine {
    folder: tempfile::TempDir,
    /// The text of the catalogue.
    catalogue: String,
    platforms: Vec<Platform>,
    upgrade: Upgrade,
    prune: bool,
    needed: Vec<&'static str>,
    registries: Registries,
    /// The pins of the catalogue.
    pins: Option<Lock>,
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Events for Log {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::Fetched { package, .. } => format!("fetched {package}"),
            Event::Resolving { toolchain, .. } => format!("resolving {toolchain}"),
            Event::Installing { toolchain, .. } => format!("installing {toolchain}"),
            Event::Pinned { toolchain, fetched, packages, remembered, .. } => {
                let remembered = if remembered { ", as remembered" } else { "" };
                format!("pinned {toolchain}, fetched {fetched} of {packages}{remembered}")
            }
            Event::Warning(text) => format!("warning: {text}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

const PLATFORM: Platform = Platform::X86_64Linux;

/// Returns the variables of this machine's own environment that its clients need. Where rustup and pyenv
/// stand in for cargo and Python, they have to know what is installed.
#[expect(clippy::disallowed_methods, reason = "the tests' clients are the machine's own")]
fn variables() -> BTreeMap<OsString, OsString> {
    let named = |name: &OsString| {
        let name = name.to_string_lossy();
        ["PATH", "HOME"].contains(&&*name)
            || name.starts_with("RUSTUP_")
            || name.starts_with("PYENV_")
    };
    std::env::vars_os().filter(|(name, _)| named(name)).collect()
}

impl Machine {
    fn with(catalogue: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mirror = format!("file://{}", folder.path().join("mirror").display());
        let keyrings = folder.path().join("keyrings");
        let registries = Registries {
            programs: Programs { keyrings, ..Programs::default() },
            mirrors: Mirrors { debian: Some(mirror) },
            folder: folder.path().to_owned(),
            variables: variables(),
            ..Registries::default()
        };
        Self {
            folder,
            catalogue: catalogue.to_owned(),
            platforms: vec![PLATFORM],
            upgrade: Upgrade::Nothing,
            prune: false,
            needed: vec!["tool"],
            registries,
            pins: None,
        }
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
        let catalogue = Catalogue::parse(&text).unwrap();
        match &self.pins {
            Some(pins) => catalogue.with_pins(pins.clone()),
            None => catalogue,
        }
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
            needed: &Toolchains::unchecked(&self.needed),
            platforms: &self.platforms,
            upgrade: &self.upgrade,
            prune: self.prune,
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

/// Returns all paths of a stored tree, with the text of the files.
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

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;

    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}
