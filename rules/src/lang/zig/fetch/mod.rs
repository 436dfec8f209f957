//! Fetches the packages that build.zig.zon pins, with those that they depend on in turn.
//!
//! All is done by this process, but for repositories, which the user's own git reaches: no program of
//! an image takes part, as the lock of a checkout says which image that is. What came is judged by the
//! hashes of the manifests, computed as zig does. Each package is kept once per hash, whatever project
//! asks for it.

mod git;
mod location;
mod package;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cache::{Digest, DiskStore, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};

use self::git::{Git, GitError};
use self::location::{Archive, Location, LocationError};
pub(super) use self::package::is_hash;
use self::package::{MANIFEST, Package, PackageError};
use super::zon::Manifest;
use crate::lang::download::Downloads;
use crate::path::ProjectPath;
use crate::plan::Clients;
use crate::redact::mask_urls;
use crate::toolchain::{ClientError, HttpError, UnpackError, unpack};

/// The action that fetches packages. It has no inputs; output: [`FetchPackages::OUTPUT`].
pub(super) struct FetchPackages {
    /// The packages that the project's own manifests pin: hash → URL.
    pub(super) pinned: BTreeMap<String, String>,
    pub(super) clients: Arc<Clients>,
}

/// The reasons for which a package could not be had.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("package `{hash}` is not on this machine, and this build is offline")]
    Offline { hash: String },
    #[error("cannot fetch packages")]
    Network(#[source] HttpError),
    #[error("cannot fetch package `{hash}`")]
    Location { hash: String, source: LocationError },
    #[error("package `{hash}` can't be unpacked")]
    Unpack { hash: String, source: UnpackError },
    #[error("what came for `{hash}` is no package")]
    Package { hash: String, source: PackageError },
    #[error("hash mismatch: a manifest declares {hash}, but the package at {url} has {found}")]
    Mismatch { hash: String, url: String, found: String },
    #[error("package `{hash}` was fetched, but is no longer in the store")]
    Absent { hash: String },
    #[error("{hash}/{manifest}:{line}: {reason}")]
    Manifest { hash: String, manifest: ProjectPath, line: usize, reason: &'static str },
    #[error("{hash}/{manifest}: dependency `{dependency}` has no hash of the form that zig writes")]
    NoHash { hash: String, manifest: ProjectPath, dependency: String },
    #[error("{hash}/{manifest}: dependency `{dependency}` is at `{path}`, outside the package")]
    Outside { hash: String, manifest: ProjectPath, dependency: String, path: String },
}

impl FetchPackages {
    pub(super) const OUTPUT: &'static str = "packages";

    /// Fetches packages that the store lacks, and keeps those that are what they should be.
    fn fetch(&self, cx: &BuiltinContext, absent: &[(String, String)]) -> Result<(), BuiltinError> {
        let downloads = Downloads::new(&self.clients, cx)
            .map_err(|error| BuiltinError::infrastructure(&FetchError::Network(error)))?;
        let cancelled = || cx.cancelled();
        let git = Git { clients: &self.clients, store: cx.store(), cancelled: &cancelled };
        downloads.each(absent, |(hash, url)| {
            cx.status(format!("fetching {hash}"));
            let archive = Location::parse(url)
                .and_then(|location| location.fetch(hash, &downloads, &git))
                .map_err(|source| unreached(hash, source))?;
            let package = self::unpack(cx, hash, &archive)?;
            if package.hash != *hash {
                let (hash, url) = (hash.clone(), mask_urls(url).into_owned());
                let found = package.hash;
                return Err(BuiltinError::mismatch(&FetchError::Mismatch { hash, url, found }));
            }
            keep(cx.store(), hash, &package.tree)
        })
    }

    /// The trees of all packages, those that packages depend on included.
    fn all(&self, cx: &BuiltinContext) -> Result<BTreeMap<String, Digest>, BuiltinError> {
        let mut trees = BTreeMap::new();
        let mut open = self.pinned.clone();
        while !open.is_empty() {
            let mut absent = Vec::new();
            for (hash, url) in &open {
                if kept(cx.store(), hash)?.is_none() {
                    absent.push((hash.clone(), url.clone()));
                }
            }
            match absent.first() {
                None => {}
                Some((hash, _)) if self.clients.offline => {
                    return Err(BuiltinError::failed(&FetchError::Offline { hash: hash.clone() }));
                }
                Some(_) => self.fetch(cx, &absent)?,
            }
            let mut next = BTreeMap::new();
            for (hash, _) in open {
                let Some(tree) = kept(cx.store(), &hash)? else {
                    return Err(BuiltinError::infrastructure(&FetchError::Absent { hash }));
                };
                next.extend(needed(cx.store(), &hash, &tree)?);
                trees.insert(hash, tree);
            }
            next.retain(|hash, _| !trees.contains_key(hash));
            open = next;
        }
        Ok(trees)
    }
}

impl Builtin for FetchPackages {
    fn name(&self) -> &str {
        "zig-fetch"
    }

    fn version(&self) -> &str {
        "2"
    }

    fn arguments(&self) -> Vec<String> {
        self.pinned.iter().map(|(hash, url)| format!("{hash} {}", mask_urls(url))).collect()
    }

    fn needs_network(&self) -> bool {
        // Offline, it still runs: the packages may all be here.
        !self.clients.offline
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let mut packages = Tree::default();
        for (hash, tree) in self.all(cx)? {
            packages.entries.insert(hash, Entry::Subtree(tree));
        }
        cx.produce(Self::OUTPUT, Artifact::Tree(cx.store().put_tree(&packages)?));
        Ok(())
    }
}

fn unpack(cx: &BuiltinContext, hash: &str, archive: &Archive) -> Result<Package, BuiltinError> {
    let unpacked = unpack::loose(cx.store(), archive.format, &archive.bytes, &|| cx.cancelled());
    let unpacked = unpacked.map_err(|source| match source {
        UnpackError::Cancelled => BuiltinError::Cancelled,
        source => BuiltinError::failed(&FetchError::Unpack { hash: hash.to_owned(), source }),
    })?;
    Package::of(cx.store(), unpacked, archive.strip).map_err(|source| {
        BuiltinError::failed(&FetchError::Package { hash: hash.to_owned(), source })
    })
}

/// Sorts out whether the user, the network or the machine is at fault.
fn unreached(hash: &str, source: LocationError) -> BuiltinError {
    let is_cancelled = matches!(
        source,
        LocationError::Http(HttpError::Cancelled)
            | LocationError::Git { source: GitError::Client(ClientError::Cancelled), .. }
    );
    let of_server = match &source {
        LocationError::Http(error) => !matches!(error, HttpError::BadUrl(_)),
        LocationError::Git { .. } => true,
        _ => false,
    };
    let error = FetchError::Location { hash: hash.to_owned(), source };
    match (is_cancelled, of_server) {
        (true, _) => BuiltinError::Cancelled,
        (false, true) => BuiltinError::infrastructure(&error),
        (false, false) => BuiltinError::failed(&error),
    }
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

fn keep(store: &DiskStore, hash: &str, tree: &Tree) -> Result<(), BuiltinError> {
    let tree = store.put_tree(tree)?;
    Ok(crate::memo::remember_tree(store, &memo_key(store, hash), &tree)?)
}

/// The packages that a package depends on, or one of those that lie in it: hash → URL.
fn needed(
    store: &DiskStore,
    hash: &str,
    tree: &Digest,
) -> Result<BTreeMap<String, String>, BuiltinError> {
    let mut needed = BTreeMap::new();
    let Some(tree) = store.tree(tree)? else { return Err(BuiltinError::Missing(*tree)) };
    let failed = |error: FetchError| BuiltinError::failed(&error);
    let mut seen = BTreeSet::new();
    let mut open = vec![ProjectPath::root()];
    while let Some(folder) = open.pop() {
        let path = folder.join(MANIFEST);
        let Some(Entry::File { digest, .. }) = tree.get(path.as_str()) else { continue };
        if !seen.insert(folder.clone()) {
            continue;
        }
        let bytes = store.get(digest)?.ok_or(BuiltinError::Missing(*digest))?;
        let manifest = Manifest::parse(&String::from_utf8_lossy(&bytes));
        let manifest = manifest.map_err(|invalid| {
            let (line, reason) = (invalid.line, invalid.reason);
            let (hash, manifest) = (hash.to_owned(), path.clone());
            failed(FetchError::Manifest { hash, manifest, line, reason })
        })?;
        for dependency in manifest.dependencies {
            let (hash, manifest) = (hash.to_owned(), path.clone());
            let name = dependency.name;
            match (dependency.url, dependency.hash, dependency.path) {
                (Some(url), Some(pinned), _) if is_hash(&pinned) => {
                    needed.entry(pinned).or_insert(url);
                }
                (Some(_), ..) => {
                    return Err(failed(FetchError::NoHash { hash, manifest, dependency: name }));
                }
                (None, _, Some(path)) => {
                    let inner = folder.resolve(&path).map_err(|_| {
                        failed(FetchError::Outside { hash, manifest, dependency: name, path })
                    })?;
                    open.push(inner);
                }
                (None, _, None) => {}
            }
        }
    }
    Ok(needed)
}

#[cfg(test)]
mod tests;
