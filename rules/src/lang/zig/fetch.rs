//! Fetches the packages that build.zig.zon pins, with those that they depend on in turn.
//!
//! The image's zig does the talking, through the user's proxies, and judges what came by the hashes
//! of the manifests. Each package is kept once per hash, whatever project asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use cache::{Digest, DiskStore, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};

use super::zon::Manifest;
use crate::path::ProjectPath;
use crate::plan::Clients;
use crate::redact::mask_urls;

/// The action that fetches packages. Inputs: `image` (the zig toolchain), `maker` (the program
/// behind `zig build`) and `src` (the project's manifests); output: [`FetchPackages::OUTPUT`].
pub(super) struct FetchPackages {
    /// What the project's own manifests pin: hash → URL.
    pub(super) pinned: BTreeMap<String, String>,
    /// The folder of the project's build.zig.zon.
    pub(super) folder: ProjectPath,
    pub(super) clients: Arc<Clients>,
}

/// What zig says when a server is at fault, or the way to it.
const NETWORK: [&str; 8] =
    ["connect", "HTTP", "TLS", "Tls", "resolve", "network", "timed out", "server"];

/// Why a package could not be had.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("package `{hash}` is not on this machine, and this build is offline")]
    Offline { hash: String },
    #[error("zig could not fetch the packages of build.zig.zon:\n{stderr}")]
    Zig { stderr: String },
    #[error("cannot run the toolchain's zig")]
    Spawn(#[source] std::io::Error),
    #[error("cannot prepare a folder for the packages")]
    Prepare(#[source] std::io::Error),
    #[error("cannot keep package `{hash}`")]
    Keep { hash: String, source: cache::IngestError },
    #[error("zig fetched the packages, but `{hash}` is not among them")]
    Absent { hash: String },
    #[error("{hash}/build.zig.zon:{line}: {reason}")]
    Manifest { hash: String, line: usize, reason: &'static str },
}

/// The packages at hand, and hashes of those that are not.
#[derive(Default)]
struct Known {
    trees: BTreeMap<String, Digest>,
    absent: BTreeSet<String>,
}

impl FetchPackages {
    pub(super) const OUTPUT: &'static str = "packages";

    /// Runs zig where nothing but the manifests is; what it fetches comes to lie in `packages`.
    ///
    /// `zig build` would compile its maker again, for this machine: so that is called as zig does.
    fn run_zig(&self, cx: &BuiltinContext, packages: &Path) -> Result<(), BuiltinError> {
        cx.status("zig build --fetch");
        let scratch = cx.store().scratch()?;
        let zig = cx.path("image")?.join("usr/lib/zig");
        let option = |name: &str, path: &Path| {
            let mut option = OsString::from(name);
            option.push(path);
            option
        };
        let mut command = Command::new(cx.path("maker")?);
        command
            .arg("build")
            .arg(option("--zig-lib=", &zig.join("lib")))
            .arg(option("--zig=", &zig.join("zig")))
            .arg(option("--global-cache=", &scratch.path().join("global")))
            .args(["--seed=0x0", "--fetch=all", "--pkg-dir"])
            .arg(packages)
            .current_dir(self.folder.on_disk(&cx.path("src")?))
            .env_clear()
            .envs(self.clients.for_client(&[]))
            .env("HOME", scratch.path())
            .env("ZIG_LOCAL_CACHE_DIR", scratch.path().join("local"));
        let output = command
            .output()
            .map_err(|error| BuiltinError::infrastructure(&FetchError::Spawn(error)))?;
        judge(&output)
    }

    /// Has zig fetch what is absent and keeps it.
    fn fetch(&self, cx: &BuiltinContext, known: &Known) -> Result<(), BuiltinError> {
        let scratch = cx.store().scratch()?;
        for (hash, tree) in &known.trees {
            let there = cx.store().materialise(tree)?;
            std::os::unix::fs::symlink(there, scratch.path().join(hash))
                .map_err(|error| BuiltinError::infrastructure(&FetchError::Prepare(error)))?;
        }
        self.run_zig(cx, scratch.path())?;
        let found = std::fs::read_dir(scratch.path())
            .map_err(|error| BuiltinError::infrastructure(&FetchError::Prepare(error)))?;
        for entry in found.flatten() {
            let hash = entry.file_name().to_string_lossy().into_owned();
            // Zig's own temporary folders lie beside the packages.
            let package = !hash.starts_with('.') && hash != "tmp";
            if package && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                keep(cx.store(), &hash, &entry.path())?;
            }
        }
        Ok(())
    }

    /// What the store has of the packages and of what they depend on.
    fn known(&self, store: &DiskStore) -> Result<Known, BuiltinError> {
        let mut known = Known::default();
        let mut open: Vec<String> = self.pinned.keys().cloned().collect();
        while let Some(hash) = open.pop() {
            if known.trees.contains_key(&hash) || known.absent.contains(&hash) {
                continue;
            }
            match kept(store, &hash)? {
                Some(tree) => {
                    open.extend(needed(store, &hash, &tree)?);
                    known.trees.insert(hash, tree);
                }
                None => {
                    known.absent.insert(hash);
                }
            }
        }
        Ok(known)
    }
}

impl Builtin for FetchPackages {
    fn name(&self) -> &str {
        "zig-fetch"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        // Keys are kept in clear: an address may hold a token.
        self.pinned.iter().map(|(hash, url)| format!("{hash} {}", mask_urls(url))).collect()
    }

    fn needs_network(&self) -> bool {
        // Offline, it still runs: the packages may all be here.
        !self.clients.offline
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let mut known = self.known(cx.store())?;
        if let Some(hash) = known.absent.first().cloned() {
            if self.clients.offline {
                return Err(BuiltinError::failed(&FetchError::Offline { hash }));
            }
            self.fetch(cx, &known)?;
            known = self.known(cx.store())?;
        }
        if let Some(hash) = known.absent.pop_first() {
            return Err(BuiltinError::failed(&FetchError::Absent { hash }));
        }
        let mut packages = Tree::default();
        for (hash, tree) in known.trees {
            packages.entries.insert(hash, Entry::Subtree(tree));
        }
        cx.produce(Self::OUTPUT, Artifact::Tree(cx.store().put_tree(&packages)?));
        Ok(())
    }
}

fn judge(output: &Output) -> Result<(), BuiltinError> {
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    let mismatch = stderr.contains("hash mismatch");
    let network = NETWORK.iter().any(|sign| stderr.contains(sign));
    let error = FetchError::Zig { stderr };
    Err(match (mismatch, network) {
        (true, _) => BuiltinError::mismatch(&error),
        (false, true) => BuiltinError::infrastructure(&error),
        (false, false) => BuiltinError::failed(&error),
    })
}

/// The key under which the store remembers the tree of a package.
fn memo_key(store: &DiskStore, hash: &str) -> Digest {
    Digest::of(store.function(), format!("zig-package 1 {hash}").as_bytes())
}

fn kept(store: &DiskStore, hash: &str) -> Result<Option<Digest>, BuiltinError> {
    let Some(tree) = crate::memo::tree(store, &memo_key(store, hash))? else { return Ok(None) };
    // A tree that lost blobs is fetched again.
    Ok(store.contains_tree(&tree)?.then_some(tree))
}

fn keep(store: &DiskStore, hash: &str, folder: &Path) -> Result<(), BuiltinError> {
    let tree = store.ingest(folder).map_err(|source| {
        BuiltinError::failed(&FetchError::Keep { hash: hash.to_owned(), source })
    })?;
    Ok(crate::memo::remember_tree(store, &memo_key(store, hash), &tree)?)
}

/// The hashes of the packages that a package depends on.
fn needed(store: &DiskStore, hash: &str, tree: &Digest) -> Result<Vec<String>, BuiltinError> {
    let Some(folder) = store.directory(tree)? else { return Err(BuiltinError::Missing(*tree)) };
    let Some(Entry::File { digest, .. }) = folder.get("build.zig.zon") else {
        return Ok(Vec::new());
    };
    let bytes = store.get(digest)?.ok_or(BuiltinError::Missing(*digest))?;
    let manifest = Manifest::parse(&String::from_utf8_lossy(&bytes)).map_err(|invalid| {
        let (line, reason) = (invalid.line, invalid.reason);
        BuiltinError::failed(&FetchError::Manifest { hash: hash.to_owned(), line, reason })
    })?;
    Ok(manifest.dependencies.into_iter().filter_map(|dependency| dependency.hash).collect())
}
