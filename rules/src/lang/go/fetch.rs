//! Fetches the modules that go.sum pins and lays them out as a module cache.
//!
//! The user's own Go configuration says how modules are reached (GOPROXY, GOPRIVATE, netrc); the
//! pinned go does the talking, and the checksums of go.sum judge what came. Each module is unpacked
//! once per checksum, whatever project asks for it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cache::{Digest, DiskStore, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};
use serde::Deserialize;

use super::manifest::{Replacement, Version};
use super::module::{Module, RUNTIME};
use super::sums;
use crate::plan::Clients;
use crate::toolchain::ClientError;
use crate::toolchain::fetch::{Client, run};
use crate::toolchain::unpack::module_zip;

/// Where an action sees the module cache.
pub(super) const MODULES: &str = "deps/mod";

/// What the go command is configured by besides its own file of settings (`go env -w`).
const CONFIGURATION: &[&str] = &[
    "GOAUTH",
    "GOENV",
    "GOINSECURE",
    "GOMODCACHE",
    "GONOPROXY",
    "GOPATH",
    "GOPRIVATE",
    "GOPROXY",
    "GOVCS",
];

/// The action that fetches modules. Input: `image`, the Go toolchain; output: [`Self::OUTPUT`].
pub(super) struct FetchModules {
    /// Modules whose packages may be needed, with the checksum of their zip.
    zips: BTreeMap<Version, String>,
    /// Modules whose go.mod may be needed, with its checksum.
    manifests: BTreeMap<Version, String>,
    clients: Arc<Clients>,
}

/// Why a module could not be had.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{what} has checksum {found}, but go.sum pins {pinned}")]
    Mismatch { what: String, pinned: String, found: String },
    #[error("module {0} is not on this machine, and this build is offline")]
    Offline(Version),
    #[error("go could not fetch {module}:\n{said}")]
    Go { module: String, said: String },
    #[error("go fetched {0}, but does not say where it is")]
    Absent(Version),
    #[error("cannot read `{path}`")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the go command's answer is not understood")]
    Answer(#[from] serde_json::Error),
    #[error("module {module} can't be unpacked")]
    Unpack { module: Version, source: crate::toolchain::UnpackError },
}

/// What the go command says of a module (`go help mod download`, `go help list`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    path: String,
    version: String,
    error: Option<Trouble>,
    go_mod: Option<PathBuf>,
    zip: Option<PathBuf>,
}

/// An error is a text to one command, and a record to the other.
#[derive(Deserialize)]
#[serde(untagged)]
enum Trouble {
    Text(String),
    Record {
        #[serde(rename = "Err")]
        text: String,
    },
}

impl FetchModules {
    pub(super) const OUTPUT: &'static str = "modules";

    /// What `module` needs: the zips of what it requires, and every go.mod that its go.sum names.
    pub(super) fn new(module: &Module, clients: Arc<Clients>) -> Self {
        let required = module.manifest.require.iter();
        let pinned =
            required.filter(|version| !module.local.contains_key(&version.path)).map(|version| {
                match module.manifest.replacement(version) {
                    Some(Replacement::Module(other)) => other,
                    _ => version,
                }
            });
        // A module without a checksum of its zip is one whose packages nobody imports.
        let zips = pinned
            .filter(|version| version.path != RUNTIME)
            .filter_map(|version| Some((version.clone(), module.sums.zips.get(version)?.clone())))
            .collect();
        let mut manifests = module.sums.manifests.clone();
        manifests.retain(|version, _| version.path != RUNTIME);
        Self { zips, manifests, clients }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.manifests.is_empty()
    }

    /// Makes sure that the store has all modules.
    fn fetch(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let (zips, manifests) = (self.absent(cx, Part::Zip)?, self.absent(cx, Part::Manifest)?);
        if zips.is_empty() && manifests.is_empty() {
            return Ok(());
        }
        let go = GoCommand { clients: &self.clients, cx };
        let total = zips.len();
        for (done, (answer, version)) in go.ask(&["mod", "download", "-json"], &zips)?.enumerate() {
            cx.status(format!("unpacking {version} ({} of {total})", done + 1));
            let path =
                answer.zip.ok_or_else(|| infrastructure(FetchError::Absent(version.clone())))?;
            keep_zip(cx.store(), &version, &self.zips[&version], &read(&path)?)?;
        }
        for (answer, version) in go.ask(&["list", "-m", "-e", "-json"], &manifests)? {
            let path =
                answer.go_mod.ok_or_else(|| infrastructure(FetchError::Absent(version.clone())))?;
            keep_manifest(cx.store(), &version, &self.manifests[&version], &read(&path)?)?;
        }
        Ok(())
    }

    fn pins(&self, part: Part) -> &BTreeMap<Version, String> {
        match part {
            Part::Zip => &self.zips,
            Part::Manifest => &self.manifests,
        }
    }

    /// The modules that the store lacks, or has lost something of.
    fn absent(&self, cx: &BuiltinContext, part: Part) -> Result<Vec<Version>, BuiltinError> {
        let mut absent = Vec::new();
        for (version, sum) in self.pins(part) {
            if part.kept(cx.store(), version, sum)?.is_none() {
                absent.push(version.clone());
            }
        }
        Ok(absent)
    }

    /// The module cache (the Go modules reference, "Module cache").
    fn layout(&self, store: &DiskStore) -> Result<Tree, BuiltinError> {
        let mut modules = Tree::default();
        let mut add = |path: &str, entry| {
            modules.insert(path, entry).map_err(|error| BuiltinError::failed(&error))
        };
        for part in [Part::Zip, Part::Manifest] {
            for (version, sum) in self.pins(part) {
                let tree = part.kept(store, version, sum)?;
                let tree =
                    tree.ok_or_else(|| infrastructure(FetchError::Absent(version.clone())))?;
                let (path, number) = (escaped(&version.path), escaped(&version.version));
                match part {
                    Part::Zip => {
                        add(&format!("{path}@{number}"), Entry::Subtree(tree))?;
                        // Its presence tells the go command that the folder is complete.
                        let digest = store.put(sum.as_bytes())?;
                        let entry = Entry::File { digest, executable: false };
                        add(&format!("cache/download/{path}/@v/{number}.ziphash"), entry)?;
                    }
                    Part::Manifest => {
                        let entry = store.directory(&tree)?.ok_or(BuiltinError::Missing(tree))?;
                        let entry = entry.entries[MANIFEST].clone();
                        add(&format!("cache/download/{path}/@v/{number}.mod"), entry)?;
                    }
                }
            }
        }
        Ok(modules)
    }
}

impl Builtin for FetchModules {
    fn name(&self) -> &str {
        "go-fetch"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        let zips = self.zips.iter().map(|(version, sum)| format!("{version} {sum}"));
        let manifests = self.manifests.iter();
        zips.chain(manifests.map(|(version, sum)| format!("{version}/go.mod {sum}"))).collect()
    }

    fn needs_network(&self) -> bool {
        // Offline, it still runs: the modules may all be here.
        !self.clients.offline
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        self.fetch(cx)?;
        let modules = self.layout(cx.store())?;
        cx.produce(Self::OUTPUT, Artifact::Tree(cx.store().put_tree(&modules)?));
        Ok(())
    }
}

/// The two things of a module that have a checksum.
#[derive(Clone, Copy)]
enum Part {
    Zip,
    Manifest,
}

/// The name of the one file in the tree of a [`Part::Manifest`].
const MANIFEST: &str = "go.mod";

impl Part {
    /// The key under which the store remembers the tree of a part.
    fn memo(self, store: &DiskStore, version: &Version, sum: &str) -> Digest {
        let kind = match self {
            Self::Zip => "go-module 1",
            Self::Manifest => "go-manifest 1",
        };
        Digest::of(store.function(), format!("{kind} {version} {sum}").as_bytes())
    }

    /// The tree of a part, if the store has it whole.
    fn kept(
        self,
        store: &DiskStore,
        version: &Version,
        sum: &str,
    ) -> Result<Option<Digest>, BuiltinError> {
        let tree = crate::memo::tree(store, &self.memo(store, version, sum))?;
        let Some(tree) = tree else { return Ok(None) };
        Ok(store.contains_tree(&tree)?.then_some(tree))
    }
}

fn keep_zip(
    store: &DiskStore,
    module: &Version,
    pinned: &str,
    bytes: &[u8],
) -> Result<(), BuiltinError> {
    let damaged = |source| FetchError::Unpack {
        module: module.clone(),
        source: crate::toolchain::UnpackError::Damaged(source),
    };
    let found = sums::of_zip(bytes).map_err(|error| BuiltinError::mismatch(&damaged(error)))?;
    judge(module.to_string(), pinned, found)?;
    let tree = module_zip(store, bytes, &module.to_string()).map_err(|source| {
        BuiltinError::failed(&FetchError::Unpack { module: module.clone(), source })
    })?;
    remember(store, Part::Zip, (module, pinned), &tree)
}

fn keep_manifest(
    store: &DiskStore,
    module: &Version,
    pinned: &str,
    bytes: &[u8],
) -> Result<(), BuiltinError> {
    judge(format!("the go.mod of {module}"), pinned, sums::of_manifest(bytes))?;
    let mut tree = Tree::default();
    let entry = Entry::File { digest: store.put(bytes)?, executable: false };
    tree.entries.insert(MANIFEST.to_owned(), entry);
    remember(store, Part::Manifest, (module, pinned), &tree)
}

fn judge(what: String, pinned: &str, found: String) -> Result<(), BuiltinError> {
    if found == pinned {
        return Ok(());
    }
    let pinned = pinned.to_owned();
    Err(BuiltinError::mismatch(&FetchError::Mismatch { what, pinned, found }))
}

fn remember(
    store: &DiskStore,
    part: Part,
    (module, sum): (&Version, &str),
    tree: &Tree,
) -> Result<(), BuiltinError> {
    let digest = store.put_tree(tree)?;
    Ok(crate::memo::remember_tree(store, &part.memo(store, module, sum), &digest)?)
}

/// The image's go, with the user's configuration.
struct GoCommand<'a> {
    clients: &'a Clients,
    cx: &'a BuiltinContext,
}

impl GoCommand<'_> {
    /// Asks about modules, and returns what it says of each.
    fn ask(
        &self,
        arguments: &[&str],
        modules: &[Version],
    ) -> Result<impl Iterator<Item = (Answer, Version)>, BuiltinError> {
        let mut answers = Vec::new();
        if modules.is_empty() {
            return Ok(answers.into_iter());
        }
        self.cx.status(format!("go {}", arguments[..2].join(" ")));
        // A module of its own, so that the command sees nothing else of the machine.
        let scratch = self.cx.store().scratch()?;
        let manifest = scratch.path().join(MANIFEST);
        std::fs::write(&manifest, "module run-fetch\n")
            .map_err(|source| infrastructure(FetchError::Read { path: manifest, source }))?;
        let root = self.cx.path("image")?.join("usr/lib/go");
        let program = root.join("bin/go");
        let client = Client { program: program.as_os_str(), install: "run `run toolchain sync`" };
        let names = modules.iter().map(ToString::to_string);
        let configure = |command: &mut Command| {
            command.args(arguments).args(names).current_dir(scratch.path());
            self.configure(command, &root, scratch.path());
        };
        let ended = run(client, configure, &|| self.cx.cancelled()).map_err(client_error)?;
        for answer in serde_json::Deserializer::from_slice(&ended.stdout).into_iter::<Answer>() {
            let answer = answer.map_err(|error| infrastructure(error.into()))?;
            let version = Version::new(&answer.path, &answer.version);
            if let Some(trouble) = answer.error {
                return Err(self.refused(&version, trouble));
            }
            answers.push((answer, version));
        }
        if answers.len() < modules.len() {
            let module = modules[0].to_string();
            return Err(infrastructure(FetchError::Go { module, said: ended.text() }));
        }
        Ok(answers.into_iter())
    }

    fn configure(&self, command: &mut Command, root: &Path, scratch: &Path) {
        command.env_clear().envs(self.clients.for_client(CONFIGURATION));
        let fixed = [
            // go.sum judges what came, and judges it here.
            ("GOSUMDB", "off"),
            ("GOFLAGS", "-mod=mod -modcacherw"),
            ("GOTOOLCHAIN", "local"),
            ("GOTELEMETRY", "off"),
            ("GOWORK", "off"),
            ("GO111MODULE", "on"),
        ];
        command.envs(fixed).env("GOROOT", root).env("GOCACHE", scratch.join("cache"));
        if self.clients.offline {
            command.env("GOPROXY", "off");
        }
        let at_home = ["GOMODCACHE", "GOPATH", "HOME"];
        if !at_home.iter().any(|name| self.clients.variables.contains_key(OsStr::new(name))) {
            command.env("GOPATH", scratch.join("go"));
        }
    }

    fn refused(&self, module: &Version, trouble: Trouble) -> BuiltinError {
        if self.clients.offline {
            return BuiltinError::failed(&FetchError::Offline(module.clone()));
        }
        let (Trouble::Text(said) | Trouble::Record { text: said }) = trouble;
        let mismatch = said.contains("checksum mismatch");
        let error = FetchError::Go { module: module.to_string(), said };
        if mismatch { BuiltinError::mismatch(&error) } else { infrastructure(error) }
    }
}

fn client_error(error: ClientError) -> BuiltinError {
    match error {
        ClientError::Cancelled => BuiltinError::Cancelled,
        error => BuiltinError::infrastructure(&error),
    }
}

fn infrastructure(error: FetchError) -> BuiltinError {
    BuiltinError::infrastructure(&error)
}

fn read(path: &Path) -> Result<Vec<u8>, BuiltinError> {
    std::fs::read(path)
        .map_err(|source| infrastructure(FetchError::Read { path: path.to_owned(), source }))
}

/// A path as the module cache spells it: an upper-case letter is `!` and the lower-case one.
fn escaped(path: &str) -> String {
    let mut text = String::new();
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            text.push('!');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_is_escaped() {
        assert_eq!(escaped("github.com/BurntSushi/toml"), "github.com/!burnt!sushi/toml");
    }

    #[test]
    fn answers_of_both_commands_are_read() {
        let check = |text: &str, expect: Option<&str>| {
            let answer: Answer = serde_json::from_str(text).unwrap();
            let said = answer.error.map(|(Trouble::Text(text) | Trouble::Record { text })| text);
            assert_eq!(said.as_deref(), expect);
        };
        check(
            "{\"Path\":\"a\",\"Version\":\"v1\",\"GoMod\":\"/m\",\"Zip\":\"/z\",\"Sum\":\"h1\"}",
            None,
        );
        check("{\"Path\":\"a\",\"Version\":\"v1\",\"Error\":\"gone\"}", Some("gone"));
        check("{\"Path\":\"a\",\"Version\":\"v1\",\"Error\":{\"Err\":\"gone\"}}", Some("gone"));
    }
}
