//! Fetches the packages that build.zig.zon pins, and those that they depend on in turn.
//!
//! This process fetches everything itself, except repositories, which the user's own git fetches. No program
//! of an image takes part, because the lock of a checkout decides which image that is. The hashes in the
//! manifests, computed as zig does it, decide whether what came is accepted. Each package is kept once per
//! hash, however many projects ask for it.

mod location;
mod package;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cache::{ContentStore, Digest, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};

use self::location::{Archive, Location, LocationError};
pub(super) use self::package::is_hash;
use self::package::{MANIFEST, Package, PackageError};
use super::zon::Manifest;
use crate::package::download::Downloads;
use crate::package::git::{Git, GitError};
use crate::package::{ClientError, HttpError, Registries, Shelf, UnpackError, unpack};
use crate::path::ProjectPath;
use crate::redact::mask_urls;

/// The shelf of unpacked packages, by their zig hash.
const SHELF: Shelf = Shelf::new("zig-package 1");

/// The action that fetches packages. It has no inputs; its output [`FetchPackages::OUTPUT`] is a folder.
pub(super) struct FetchPackages {
    /// The packages that the project's own manifests pin: the URL of each, by its hash.
    pub(super) pinned: BTreeMap<String, String>,
    pub(super) registries: Arc<Registries>,
}

/// An error for which a package could not be fetched.
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

    /// Fetches the packages that the store lacks, and keeps each whose hash is the declared one.
    fn fetch(&self, cx: &BuiltinContext, absent: &[(String, String)]) -> Result<(), BuiltinError> {
        let downloads = Downloads::new(&self.registries, cx)
            .map_err(|error| BuiltinError::infrastructure(&FetchError::Network(error)))?;
        let cancelled = || cx.cancelled();
        let git = Git { registries: &self.registries, store: cx.store(), cancelled: &cancelled };
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
            let tree = cx.store().put_tree(&package.tree)?;
            Ok(SHELF.keep(cx.store(), hash, tree)?)
        })
    }

    /// Returns the trees of all packages, including those that packages depend on, by hash.
    fn all(&self, cx: &BuiltinContext) -> Result<BTreeMap<String, Digest>, BuiltinError> {
        let mut trees = BTreeMap::new();
        let mut open = self.pinned.clone();
        while !open.is_empty() {
            let mut absent = Vec::new();
            for (hash, url) in &open {
                if SHELF.find(cx.store(), hash)?.is_none() {
                    absent.push((hash.clone(), url.clone()));
                }
            }
            match absent.first() {
                None => {}
                Some((hash, _)) if self.registries.network.offline => {
                    return Err(BuiltinError::failed(&FetchError::Offline { hash: hash.clone() }));
                }
                Some(_) => self.fetch(cx, &absent)?,
            }
            let mut next = BTreeMap::new();
            for (hash, _) in open {
                let Some(tree) = SHELF.find(cx.store(), &hash)? else {
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
        // An offline build runs it all the same, because the packages may all be in the store.
        !self.registries.network.offline
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
    let unpacked = unpacked.map_err(|error| {
        error.ends(|source| {
            BuiltinError::failed(&FetchError::Unpack { hash: hash.to_owned(), source })
        })
    })?;
    Package::of(cx.store(), unpacked, archive.strip).map_err(|source| {
        BuiltinError::failed(&FetchError::Package { hash: hash.to_owned(), source })
    })
}

/// Decides what kind of error it is: cancelled, the network's or a server's fault, or the manifest's.
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

/// Returns the packages that a package and the packages inside it depend on: the URL of each, by its hash.
fn needed(
    store: &ContentStore,
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
