//! Fetches the crates that Cargo.lock pins and lays them out as Cargo's vendored sources.
//!
//! The user's own cargo fetches them, with the user's own configuration (mirrors, proxies, credentials). The
//! checksums of the lockfile decide whether what came is accepted. Of the checkout cargo sees the manifests
//! and the part of the configuration that [`cargo_config`] lets pass, and nothing above the workspace. Each
//! crate is unpacked once per checksum, however many projects ask for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cache::{Digest, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError, Report};

use super::cargo_config::{self, Allowed, Users};
use super::fence;
use super::git::{self, LockedRepository};
use super::lock::{self, LockedCrate, Lockfile};
use super::vendored::Vendored;
use super::workspace::Workspace;
use crate::bounded;
use crate::package::environment::CARGO;
use crate::package::fetch::{Client, CrateCache, run, sha256_of};
use crate::package::unpack::tarball;
use crate::package::{ClientError, Registries, Shelf, Sorted};
use crate::path::ProjectPath;
use crate::redact::mask_urls;

/// The folder with the crates in the vendored sources.
pub(super) const CRATES: &str = "crates";
/// The folder in which an action sees the vendored sources. Cargo requires an absolute path in its
/// configuration.
pub(super) const VENDOR: &str = "deps/vendor";

/// The hint for those who lack the client.
const INSTALL: &str = "install Rust with rustup: its cargo fetches the crates";

/// The shelf of unpacked crates, by the name of their folder and the checksum.
const SHELF: Shelf = Shelf::new("cargo-crate 1");

/// The action that fetches crates. Its input `src` has manifests and the lockfile. If packages come from repositories,
/// its input [`Self::REPOSITORIES`] has them, because Cargo wants to know what all packages depend on. Its outputs are
/// all crates as Cargo's vendored sources and, if the crates are known in advance, the folder of each.
pub(super) struct FetchCrates {
    /// The crates to fetch. `None` for those of the lockfile in the input.
    crates: Option<Vec<LockedCrate>>,
    /// The repositories that packages of the lockfile come from.
    repositories: Vec<LockedRepository>,
    /// The folder of the workspace's manifest.
    workspace: ProjectPath,
    /// The folders of the local packages.
    packages: BTreeSet<ProjectPath>,
    registries: Arc<Registries>,
}

/// An error for which crates could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("crate `{name}` {version} has SHA-256 {found}, but Cargo.lock pins {pinned}")]
    Mismatch { name: String, version: String, pinned: String, found: String },
    #[error("crate `{name}` {version} is not on this machine, and this build is offline")]
    Offline { name: String, version: String },
    #[error("cargo could not fetch the crates of Cargo.lock:\n{said}{left_out}")]
    Cargo { said: String, left_out: String },
    #[error(
        "Cargo.lock does not fit its Cargo.toml: run `cargo update --workspace` in its folder and commit it\n{said}"
    )]
    Stale { said: String },
    // The lines of the file are not shown, because they may hold a token.
    #[error("{path}: {message}")]
    Config { path: ProjectPath, message: String },
    #[error("cannot read or write {}", .path.display())]
    Local { path: PathBuf, source: std::io::Error },
    #[error("cargo fetched the crates, but `{0}` is not in its registry cache")]
    Absent(String),
    #[error(
        "crates of git repositories are fetched for the packages of a project only, and not for `{0}`"
    )]
    OfRepository(String),
}

impl FetchCrates {
    /// The output with all crates and the configuration by which Cargo finds them.
    pub(super) const VENDORED: &str = "vendor";
    /// The input with the repositories, as they are laid out for Cargo.
    pub(super) const REPOSITORIES: &str = "git";

    /// Returns the output that is the folder of one crate.
    pub(super) fn output_of(folder: &str) -> String {
        format!("{CRATES}/{folder}")
    }

    /// Returns all outputs.
    pub(super) fn outputs(&self) -> Vec<String> {
        let crates = self.crates.iter().flatten().map(|locked| Self::output_of(&locked.folder()));
        std::iter::once(Self::VENDORED.to_owned()).chain(crates).collect()
    }

    pub(super) fn new(lock: &Lockfile, workspace: &Workspace, registries: Arc<Registries>) -> Self {
        let (crates, repositories) = (Some(lock.crates.clone()), lock.repositories.clone());
        let packages = workspace.packages.keys().cloned().collect();
        Self { crates, repositories, workspace: workspace.root.clone(), packages, registries }
    }

    /// Makes an action that fetches whatever the lockfile at the top of a crate's sources pins. The lockfile
    /// can't be read while planning, because these sources are known only by their digest then.
    pub(super) fn of_sources(registries: Arc<Registries>) -> Self {
        let (workspace, packages) = (ProjectPath::root(), BTreeSet::new());
        Self { crates: None, repositories: Vec::new(), workspace, packages, registries }
    }

    fn crates(&self, cx: &BuiltinContext) -> Result<Vec<LockedCrate>, BuiltinError> {
        if let Some(crates) = &self.crates {
            return Ok(crates.clone());
        }
        let lockfile = self.workspace.join("Cargo.lock");
        let locked = lock::read(&cx.path("src")?, &lockfile, &Vendored::default());
        let lock = locked.map_err(|error| BuiltinError::failed(&error))?;
        match lock.repositories.first() {
            Some(other) => {
                let url = mask_urls(&other.url).into_owned();
                Err(BuiltinError::failed(&FetchError::OfRepository(url)))
            }
            None => Ok(lock.crates),
        }
    }

    /// Returns the trees of all crates, by folder name.
    fn trees(
        &self,
        cx: &BuiltinContext,
        crates: &[LockedCrate],
    ) -> Result<BTreeMap<String, Digest>, BuiltinError> {
        let Sorted { here, absent } = SHELF.sort(cx.store(), crates, pin)?;
        let here = here.into_iter().map(|(locked, tree)| (locked.folder(), tree));
        let mut trees: BTreeMap<String, Digest> = here.collect();
        if let Some(first) = absent.first() {
            let scratch = cx.store().scratch()?;
            let Registries { variables, checkout, .. } = &*self.registries;
            let cached = CrateCache::of(variables, checkout, scratch.path());
            if !cached.home().is_absolute() {
                return Err(BuiltinError::Failed(Report::text(
                    "CARGO_HOME is not an absolute path",
                )));
            }
            if absent.iter().any(|locked| cached.find(&locked.folder(), &locked.checksum).is_none())
            {
                self.run_cargo(cx, first, &cached, scratch.path())?;
            }
            let total = absent.len();
            for (done, locked) in absent.into_iter().enumerate() {
                if cx.cancelled() {
                    return Err(BuiltinError::Cancelled);
                }
                cx.status(format!("unpacking {} ({} of {total})", locked.folder(), done + 1));
                trees.insert(locked.folder(), unpack(cx, locked, &cached)?);
            }
        }
        Ok(trees)
    }

    fn run_cargo(
        &self,
        cx: &BuiltinContext,
        absent: &LockedCrate,
        cached: &CrateCache,
        scratch: &Path,
    ) -> Result<(), BuiltinError> {
        if self.registries.network.offline {
            return Err(BuiltinError::failed(&FetchError::Offline {
                name: absent.name.clone(),
                version: absent.version.clone(),
            }));
        }
        cx.status("cargo fetch");
        let manifests = fence::around(cx, &self.workspace, &self.packages)?;
        let manifest = self.workspace.on_disk(&manifests).join("Cargo.toml");
        let users = Users::of(cached.home(), self.registries.for_client(CARGO));
        let allowed = self.configuration(&manifests, users)?;
        let config = scratch.join("config.toml");
        std::fs::write(&config, allowed.text()).map_err(local(&config))?;
        let mut configs = vec![config];
        if !self.repositories.is_empty() {
            let config = scratch.join("repositories.toml");
            let text = git::configuration(&self.repositories, &cx.path(Self::REPOSITORIES)?);
            std::fs::write(&config, text).map_err(local(&config))?;
            configs.push(config);
        }
        let configure = |command: &mut Command| {
            self.configure(command, &manifest, &configs);
            command
                .env("CARGO_HOME", cached.home())
                .env("CARGO_TARGET_DIR", scratch.join("target"));
        };
        let client = Client { program: &self.registries.programs.cargo, install: INSTALL };
        let ended = run(client, configure, &|| cx.cancelled()).map_err(|error| match error {
            ClientError::Cancelled => BuiltinError::Cancelled,
            error => BuiltinError::infrastructure(&error),
        })?;
        match ended.status.success() {
            true => Ok(()),
            false => Err(judge(ended.text().trim_end().to_owned(), &allowed)),
        }
    }

    /// Configures `cargo fetch` with the user's configuration and the part of the checkout's that may pass.
    fn configure(&self, command: &mut Command, manifest: &Path, configs: &[PathBuf]) {
        command.args(["fetch", "--locked", "--manifest-path"]).arg(manifest);
        for config in configs {
            command.arg("--config").arg(config);
        }
        command
            .env_clear()
            .envs(self.registries.for_client(CARGO))
            .env("CARGO_TERM_COLOR", "never");
        // Only the option `--offline` of `run` decides about the network.
        command.env_remove("CARGO_NET_OFFLINE");
    }

    /// Returns the part of the checkout's configuration that may pass, from the folder of the workspace and
    /// those above it. The sources of a crate are not a checkout, so their configuration is ignored.
    fn configuration(&self, sources: &Path, users: Users) -> Result<Allowed, BuiltinError> {
        let mut allowed = Allowed::new(users);
        if self.crates.is_none() {
            return Ok(allowed);
        }
        for (folder, path) in cargo_config::files(sources, &self.workspace) {
            let file = path.on_disk(sources);
            let text = bounded::read_text(&file).map_err(local(&file))?;
            let base = folder.on_disk(sources);
            let added = allowed.add(&text).and_then(|()| allowed.add_patches(&text, &base));
            added.map_err(|error| {
                let message = error.message().to_owned();
                BuiltinError::failed(&FetchError::Config { path, message })
            })?;
        }
        Ok(allowed)
    }
}

impl Builtin for FetchCrates {
    fn name(&self) -> &str {
        "cargo-fetch"
    }

    fn version(&self) -> &str {
        "2"
    }

    fn arguments(&self) -> Vec<String> {
        let words = |c: &LockedCrate| {
            // Keys are stored as plain text, and an address may hold a token. So it is masked.
            format!("{} {} {}", mask_urls(&c.source), c.folder(), c.checksum)
        };
        match &self.crates {
            Some(crates) => crates.iter().map(words).collect(),
            None => vec![format!("lockfile of src/{}", self.workspace)],
        }
    }

    fn needs_network(&self) -> bool {
        // An offline build runs it all the same, because the crates may all be in the store.
        !self.registries.network.offline
            && self.crates.as_ref().is_none_or(|crates| !crates.is_empty())
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let locked = self.crates(cx)?;
        let mut crates = Tree::default();
        for (folder, tree) in self.trees(cx, &locked)? {
            if self.crates.is_some() {
                cx.produce(&Self::output_of(&folder), Artifact::Tree(tree));
            }
            crates.entries.insert(folder, Entry::Subtree(tree));
        }
        let config = cx.store().put(configuration(&locked).as_bytes())?;
        let mut vendor = Tree::default();
        vendor.entries.insert(CRATES.to_owned(), Entry::Directory(crates));
        let config = Entry::File { digest: config, executable: false };
        vendor.entries.insert("config.toml".to_owned(), config);
        cx.produce(Self::VENDORED, Artifact::Tree(cx.store().put_tree(&vendor)?));
        Ok(())
    }
}

/// Decides what kind of error a failure of cargo is, by its message.
fn judge(said: String, allowed: &Allowed) -> BuiltinError {
    let has = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    // If the lockfile does not fit its manifests, the user has to correct it. Other failures may be the
    // network's.
    let stale = has(&["--locked was passed"]);
    let mismatch = has(&["failed to verify the checksum", "changed between lock files"]);
    if stale && !mismatch {
        return BuiltinError::failed(&FetchError::Stale { said });
    }
    let names: Vec<&str> = allowed.left_out.iter().map(String::as_str).collect();
    let left_out = match names.as_slice() {
        [] => String::new(),
        names => format!(
            "\nnote: of the .cargo/config.toml of a checkout only the addresses of registries and their \
             replacements are used, for names that your own configuration has no address for; `{}` was left out: \
             if it is needed, set it in Cargo's home",
            names.join("`, `")
        ),
    };
    let error = FetchError::Cargo { said, left_out };
    if mismatch { BuiltinError::mismatch(&error) } else { BuiltinError::infrastructure(&error) }
}

fn local(path: &Path) -> impl FnOnce(std::io::Error) -> BuiltinError {
    let path = path.to_owned();
    |source| BuiltinError::infrastructure(&FetchError::Local { path, source })
}

/// Returns Cargo's configuration that replaces every registry of the lock by the vendored crates.
fn configuration(crates: &[LockedCrate]) -> String {
    // No configuration of a checkout has these names by chance.
    let mut text = format!("[source.run-fetched]\ndirectory = \"/{VENDOR}/{CRATES}\"\n");
    let mut registries: Vec<&str> = crates.iter().map(|locked| locked.source.as_str()).collect();
    registries.sort_unstable();
    registries.dedup();
    for (number, source) in registries.into_iter().enumerate() {
        // The public registry has a name of its own in Cargo's configuration.
        let public = source.trim_end_matches('/').ends_with("/crates.io-index");
        let replace = "replace-with = \"run-fetched\"\n";
        let _ = if public {
            write!(text, "\n[source.crates-io]\n{replace}")
        } else {
            let url = source.strip_prefix("registry+").unwrap_or(source);
            write!(text, "\n[source.run-registry-{number}]\nregistry = {url:?}\n{replace}")
        };
    }
    text
}

/// Returns the key of a crate on the shelf: the name of its folder, and the checksum that pins it.
fn pin(locked: &LockedCrate) -> String {
    format!("{} {}", locked.folder(), locked.checksum)
}

fn unpack(
    cx: &BuiltinContext,
    locked: &LockedCrate,
    cached: &CrateCache,
) -> Result<Digest, BuiltinError> {
    let store = cx.store();
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
    let mut tree = tarball(store, &archive, &locked.folder(), &|| cx.cancelled())
        .map_err(|error| error.ends(|error| BuiltinError::failed(&error)))?;
    // Cargo requires this file in a vendored crate (the Cargo book, "Directory sources").
    let sums = format!("{{\"files\":{{}},\"package\":\"{}\"}}", locked.checksum);
    let entry = Entry::File { digest: store.put(sums.as_bytes())?, executable: false };
    tree.entries.insert(".cargo-checksum.json".to_owned(), entry);
    let digest = store.put_tree(&tree)?;
    SHELF.keep(store, &pin(locked), digest)?;
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
            "[source.run-fetched]\ndirectory = \"/deps/vendor/crates\"\n\
             \n[source.crates-io]\nreplace-with = \"run-fetched\"\n\
             \n[source.run-registry-1]\nregistry = \"sparse+https://own/index/\"\nreplace-with = \"run-fetched\"\n"
        );
    }

    #[test]
    fn what_cargo_says_decides_whose_fault_it_is() {
        let check = |said: &str, expect: fn(&BuiltinError) -> bool, words: &str| {
            let mut allowed = Allowed::default();
            allowed.add("[http]\nproxy = \"p\"").unwrap();
            let error = judge(said.to_owned(), &allowed);
            let text = error.to_string();
            assert!(expect(&error) && text.contains(words) && text.contains(said), "{text}");
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
            "`http.proxy` was left out",
        );
    }

    #[test]
    fn cargo_sees_what_it_is_configured_by() {
        let set = [("RUN_AUTH_TOKEN", "s3cr3t"), ("NPM_TOKEN", "x"), ("CARGO_HTTP_PROXY", "proxy")];
        let variables = set.map(|(name, value)| (name.into(), value.into())).into();
        let registries = Arc::new(Registries { variables, ..Registries::default() });
        let fetch = FetchCrates::of_sources(registries);
        let mut command = Command::new("cargo");
        fetch.configure(&mut command, Path::new("/src/Cargo.toml"), &["/config.toml".into()]);
        let seen: Vec<_> = command.get_envs().filter(|(_, value)| value.is_some()).collect();
        let names: Vec<_> = seen.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["CARGO_HTTP_PROXY", "CARGO_TERM_COLOR"]);
    }
}
