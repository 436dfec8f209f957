//! Fetches the crates that Cargo.lock pins and lays them out as Cargo's vendored sources.
//!
//! The user's own Cargo configuration says how registries are reached (mirrors, proxies,
//! credentials); the pinned cargo does the talking, and the checksums of the lockfile judge what
//! came. Each crate is unpacked once per checksum, whatever project asks for it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use cache::{Digest, DiskStore, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError, Report};

use super::lock::{self, LockedCrate};
use crate::environment::CARGO;
use crate::path::ProjectPath;
use crate::plan::Clients;
use crate::toolchain::fetch::{CrateCache, sha256_of};
use crate::toolchain::unpack::tarball;

/// Where crates lie among the vendored sources.
const CRATES: &str = "crates";
/// Where an action sees the vendored sources: Cargo wants an absolute path in its configuration.
pub(super) const VENDOR: &str = "deps/vendor";

/// The action that fetches crates. Inputs: `image` (the Rust toolchain) and `src` (manifests and
/// lockfile); output: `vendor`.
pub(super) struct FetchCrates {
    /// `None`: those of the lockfile among the sources.
    crates: Option<Vec<LockedCrate>>,
    /// The folder of the workspace's manifest.
    workspace: ProjectPath,
    clients: Arc<Clients>,
}

/// Why a crate could not be had.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("crate `{name}` {version} has SHA-256 {found}, but Cargo.lock pins {pinned}")]
    Mismatch { name: String, version: String, pinned: String, found: String },
    #[error("crate `{name}` {version} is not on this machine, and this build is offline")]
    Offline { name: String, version: String },
    #[error("cargo could not fetch the crates of Cargo.lock:\n{stderr}")]
    Cargo { stderr: String },
    #[error(
        "Cargo.lock does not fit its Cargo.toml: run `cargo update --workspace` and commit it\n{stderr}"
    )]
    Stale { stderr: String },
    #[error("cannot run the toolchain's cargo")]
    Spawn(#[source] std::io::Error),
    #[error("cargo fetched the crates, but `{0}` is not in its registry cache")]
    Absent(String),
}

impl FetchCrates {
    pub(super) fn new(
        crates: Vec<LockedCrate>,
        workspace: ProjectPath,
        clients: Arc<Clients>,
    ) -> Self {
        Self { crates: Some(crates), workspace, clients }
    }

    /// Fetches what the lockfile in the folder `workspace` of the sources pins, whatever it is:
    /// while planning, the sources are known by their digest alone.
    pub(super) fn of_sources(workspace: ProjectPath, clients: Arc<Clients>) -> Self {
        Self { crates: None, workspace, clients }
    }

    fn crates(&self, cx: &BuiltinContext) -> Result<Vec<LockedCrate>, BuiltinError> {
        if let Some(crates) = &self.crates {
            return Ok(crates.clone());
        }
        let lockfile = self.workspace.join("Cargo.lock");
        lock::read(&cx.path("src")?, &lockfile).map_err(|error| BuiltinError::failed(&error))
    }

    /// The trees of all crates, by folder name.
    fn trees(
        &self,
        cx: &BuiltinContext,
        crates: &[LockedCrate],
    ) -> Result<BTreeMap<String, Digest>, BuiltinError> {
        let mut trees = BTreeMap::new();
        let mut absent = Vec::new();
        for locked in crates {
            match unpacked(cx.store(), locked)? {
                Some(tree) => {
                    trees.insert(locked.folder(), tree);
                }
                None => absent.push(locked),
            }
        }
        if let Some(first) = absent.first() {
            let cached = crate_cache(&self.clients, cx)?;
            if absent.iter().any(|locked| cached.find(&locked.folder(), &locked.checksum).is_none())
            {
                self.run_cargo(cx, first, &cached)?;
            }
            let total = absent.len();
            for (done, locked) in absent.into_iter().enumerate() {
                if cx.cancelled() {
                    return Err(BuiltinError::Cancelled);
                }
                cx.status(format!("unpacking {} ({} of {total})", locked.folder(), done + 1));
                trees.insert(locked.folder(), unpack(cx.store(), locked, &cached)?);
            }
        }
        Ok(trees)
    }

    fn run_cargo(
        &self,
        cx: &BuiltinContext,
        absent: &LockedCrate,
        cached: &CrateCache,
    ) -> Result<(), BuiltinError> {
        if self.clients.offline {
            return Err(BuiltinError::failed(&FetchError::Offline {
                name: absent.name.clone(),
                version: absent.version.clone(),
            }));
        }
        cx.status("cargo fetch");
        let image = cx.path("image")?;
        let manifest = self.workspace.on_disk(&cx.path("src")?).join("Cargo.toml");
        let scratch = cx.store().scratch()?;
        let output = self
            .cargo(&image.join("usr/lib/rust/bin"), &manifest, cached)
            .env("CARGO_TARGET_DIR", scratch.path())
            .output()
            .map_err(|error| BuiltinError::infrastructure(&FetchError::Spawn(error)))?;
        judge(&output)
    }

    /// `cargo fetch` by the image's cargo, with the user's configuration.
    fn cargo(&self, bin: &Path, manifest: &Path, cached: &CrateCache) -> Command {
        let mut path = OsString::from(bin);
        if let Some(rest) = self.clients.variables.get(OsStr::new("PATH")) {
            path.push(":");
            path.push(rest);
        }
        let mut command = Command::new(bin.join("cargo"));
        command
            .args(["fetch", "--locked", "--manifest-path"])
            .arg(manifest)
            .current_dir(manifest.parent().unwrap_or(manifest))
            .env_clear()
            .envs(self.clients.for_client(CARGO))
            .env("PATH", path)
            .env("RUSTC", bin.join("rustc"))
            .env("CARGO_HOME", cached.home())
            .env("CARGO_TERM_COLOR", "never");
        // Whether there is a network is told by `--offline` of run.
        command.env_remove("CARGO_NET_OFFLINE");
        command
    }
}

impl Builtin for FetchCrates {
    fn name(&self) -> &str {
        "cargo-fetch"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        let words = |c: &LockedCrate| format!("{} {} {}", c.source, c.folder(), c.checksum);
        match &self.crates {
            Some(crates) => crates.iter().map(words).collect(),
            None => vec![format!("lockfile of src/{}", self.workspace)],
        }
    }

    fn needs_network(&self) -> bool {
        // Offline, it still runs: the crates may all be here.
        !self.clients.offline && self.crates.as_ref().is_none_or(|crates| !crates.is_empty())
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let locked = self.crates(cx)?;
        let mut crates = Tree::default();
        for (folder, tree) in self.trees(cx, &locked)? {
            crates.entries.insert(folder, Entry::Subtree(tree));
        }
        let config = cx.store().put(configuration(&locked).as_bytes())?;
        let mut vendor = Tree::default();
        vendor.entries.insert(CRATES.to_owned(), Entry::Directory(crates));
        let config = Entry::File { digest: config, executable: false };
        vendor.entries.insert("config.toml".to_owned(), config);
        cx.produce("vendor", Artifact::Tree(cx.store().put_tree(&vendor)?));
        Ok(())
    }
}

fn judge(output: &Output) -> Result<(), BuiltinError> {
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    // A lockfile that does not fit its manifests is the user's to mend; the rest may be the network.
    let stale = stderr.contains("--locked was passed");
    let mismatch = ["failed to verify the checksum", "changed between lock files"]
        .iter()
        .any(|sign| stderr.contains(sign));
    Err(match (mismatch, stale) {
        (true, _) => BuiltinError::mismatch(&FetchError::Cargo { stderr }),
        (_, true) => BuiltinError::failed(&FetchError::Stale { stderr }),
        _ => BuiltinError::infrastructure(&FetchError::Cargo { stderr }),
    })
}

/// Cargo's configuration that puts the vendored crates in the place of every registry in the lock.
fn configuration(crates: &[LockedCrate]) -> String {
    let mut text = format!("[source.vendored]\ndirectory = \"/{VENDOR}/{CRATES}\"\n");
    let mut registries: Vec<&str> = crates.iter().map(|locked| locked.source.as_str()).collect();
    registries.sort_unstable();
    registries.dedup();
    for (number, source) in registries.into_iter().enumerate() {
        // The public registry has a name of its own in Cargo's configuration.
        let public = source.trim_end_matches('/').ends_with("/crates.io-index");
        let replace = "replace-with = \"vendored\"\n";
        let _ = if public {
            write!(text, "\n[source.crates-io]\n{replace}")
        } else {
            let url = source.strip_prefix("registry+").unwrap_or(source);
            write!(text, "\n[source.registry-{number}]\nregistry = {url:?}\n{replace}")
        };
    }
    text
}

/// The user's own downloads, so that what Cargo has is not fetched twice.
fn crate_cache(clients: &Clients, cx: &BuiltinContext) -> Result<CrateCache, BuiltinError> {
    let cache = CrateCache::of(&clients.variables, || cx.store().root().join("cargo-home"));
    if !cache.home().is_absolute() {
        return Err(BuiltinError::Failed(Report::text("CARGO_HOME is not an absolute path")));
    }
    Ok(cache)
}

/// The key under which the store remembers the tree of a crate archive.
fn memo_key(store: &DiskStore, locked: &LockedCrate) -> Digest {
    let text = format!("cargo-crate 1 {} {}", locked.folder(), locked.checksum);
    Digest::of(store.function(), text.as_bytes())
}

fn unpacked(store: &DiskStore, locked: &LockedCrate) -> Result<Option<Digest>, BuiltinError> {
    let Some(tree) = crate::memo::tree(store, &memo_key(store, locked))? else {
        return Ok(None);
    };
    // A tree that lost blobs is unpacked again.
    Ok(store.contains_tree(&tree)?.then_some(tree))
}

fn unpack(
    store: &DiskStore,
    locked: &LockedCrate,
    cached: &CrateCache,
) -> Result<Digest, BuiltinError> {
    let Some(archive) = cached.find(&locked.folder(), &locked.checksum) else {
        return Err(match cached.candidates(&locked.folder()).next() {
            Some(other) => BuiltinError::mismatch(&FetchError::Mismatch {
                name: locked.name.clone(),
                version: locked.version.clone(),
                pinned: locked.checksum.clone(),
                found: sha256_of(&other),
            }),
            None => BuiltinError::infrastructure(&FetchError::Absent(locked.folder())),
        });
    };
    let mut tree = tarball(store, &archive, &locked.folder(), &|| false)
        .map_err(|error| BuiltinError::failed(&error))?;
    // What Cargo asks of a vendored crate (the Cargo book, "Directory sources").
    let sums = format!("{{\"files\":{{}},\"package\":\"{}\"}}", locked.checksum);
    let entry = Entry::File { digest: store.put(sums.as_bytes())?, executable: false };
    tree.entries.insert(".cargo-checksum.json".to_owned(), entry);
    let digest = store.put_tree(&tree)?;
    crate::memo::remember_tree(store, &memo_key(store, locked), &digest)?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registry_of_the_lock_is_replaced() {
        let locked = |source: &str| LockedCrate {
            name: "a".into(),
            version: "1.0.0".into(),
            source: source.into(),
            checksum: String::new(),
        };
        let crates = [
            locked("registry+https://host/crates.io-index"),
            locked("sparse+https://own/index/"),
            locked("sparse+https://own/index/"),
        ];
        assert_eq!(
            configuration(&crates),
            "[source.vendored]\ndirectory = \"/deps/vendor/crates\"\n\
             \n[source.crates-io]\nreplace-with = \"vendored\"\n\
             \n[source.registry-1]\nregistry = \"sparse+https://own/index/\"\nreplace-with = \"vendored\"\n"
        );
    }

    #[test]
    fn what_cargo_says_decides_whose_fault_it_is() {
        let check = |stderr: &str, expect: fn(&BuiltinError) -> bool, words: &str| {
            let status = std::os::unix::process::ExitStatusExt::from_raw(101 << 8);
            let output = Output { status, stdout: Vec::new(), stderr: stderr.into() };
            let error = judge(&output).unwrap_err();
            let text = error.to_string();
            assert!(expect(&error) && text.contains(words) && text.contains(stderr), "{text}");
        };
        check(
            "error: cannot update the lock file Cargo.lock because --locked was passed",
            |error| matches!(error, BuiltinError::Failed(_)),
            "run `cargo update --workspace`",
        );
        check(
            "error: failed to verify the checksum of `a v1.0.0`",
            |error| matches!(error, BuiltinError::Mismatch(_)),
            "cargo could not fetch",
        );
        check(
            "error: failed to download",
            |error| matches!(error, BuiltinError::Infrastructure(_)),
            "cargo could not fetch",
        );
    }

    #[test]
    fn cargo_sees_what_it_is_configured_by() {
        let set = [("RUN_AUTH_TOKEN", "s3cr3t"), ("NPM_TOKEN", "x"), ("CARGO_HTTP_PROXY", "proxy")];
        let variables = set.map(|(name, value)| (name.into(), value.into())).into();
        let clients = Arc::new(Clients { variables, offline: false });
        let fetch = FetchCrates::of_sources(ProjectPath::root(), Arc::clone(&clients));
        let cached = CrateCache::of(&clients.variables, || "/home/cargo".into());
        let command = fetch.cargo(Path::new("/rust/bin"), Path::new("/src/Cargo.toml"), &cached);
        let seen: Vec<_> = command.get_envs().filter(|(_, value)| value.is_some()).collect();
        let names: Vec<_> = seen.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["CARGO_HOME", "CARGO_HTTP_PROXY", "CARGO_TERM_COLOR", "PATH", "RUSTC"]);
    }
}
