//! Turns an unpacked archive into a package as zig's package manager would: the files that belong to it, and
//! the hash of them all.
//!
//! This follows the source of zig 0.17 (`lib/compiler/Maker/Fetch.zig` and `Package.zig`). File modes in the
//! archive don't count: a file is executable if its first bytes say so. An entry that can't be part of a
//! package is an error only if the manifest's `.paths` would include it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use cache::{ContentStore, Entry, StoreError, Tree, TreeError};
use sha2::{Digest as _, Sha256};

use crate::lang::zig::zon::{Identity, Manifest};
use crate::package::UnpackError;
use crate::package::unpack::{Loose, Node};

/// The name of a package's manifest.
pub(super) const MANIFEST: &str = "build.zig.zon";

/// The largest size of a manifest, in bytes.
const MAX_MANIFEST: u64 = 10 << 20;

/// The largest length of a hash: name, version, and the computed part.
const MAX_HASH: usize = 32 + 1 + 32 + 1 + COMPUTED;
/// The length of the computed part of a hash.
const COMPUTED: usize = 44;

/// A package and the hash that zig gives it.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) hash: String,
    pub(super) tree: Tree,
}

/// An error for which an archive is not a package.
#[derive(Debug, thiserror::Error)]
pub(super) enum PackageError {
    #[error("its build.zig.zon:{line}: {reason}")]
    Manifest { line: usize, reason: &'static str },
    #[error("its build.zig.zon can't be used: {0}")]
    Identity(&'static str),
    #[error("`{path}` can't be part of a package")]
    Flaw { path: String, source: Box<UnpackError> },
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns true if `text` has the form of a hash that zig accepts: `name-version-computed`.
pub(in crate::lang::zig) fn is_hash(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.+".contains(&byte);
    if !(COMPUTED..=MAX_HASH).contains(&text.len()) || !text.bytes().all(plain) {
        return false;
    }
    let named = &text[..text.len() - COMPUTED];
    named.matches('-').count() >= 2 && !named.starts_with('.')
}

impl Package {
    /// Makes a package of an unpacked archive. If `strip` is true, the one folder that may be around
    /// everything is removed.
    ///
    /// # Errors
    /// See [`PackageError`].
    pub(super) fn of(
        store: &ContentStore,
        loose: Loose,
        strip: bool,
    ) -> Result<Self, PackageError> {
        let top = loose.top.filter(|_| strip).map(|top| format!("{top}/")).unwrap_or_default();
        let inside = |path: String| match path.strip_prefix(&top) {
            Some(path) => path.to_owned(),
            None => path,
        };
        let nodes = loose.contents.nodes.into_iter().map(|(path, node)| (inside(path), node));
        let mut nodes: BTreeMap<String, Node> = nodes.collect();
        let manifest = manifest(store, nodes.get(MANIFEST))?;
        let paths = match &manifest {
            Some(manifest) => Paths::new(manifest)?,
            None => Paths::all(),
        };
        for (path, error) in loose.flaws {
            let path = inside(path);
            if paths.take(&path) {
                return Err(PackageError::Flaw { path, source: Box::new(error) });
            }
        }
        nodes.retain(|path, _| paths.take(path));
        let identity = manifest.map(|manifest| manifest.identity.map_err(PackageError::Identity));
        let (digest, size, tree) = hash(store, nodes)?;
        Ok(Self { hash: name(identity.transpose()?.as_ref(), size, &digest), tree })
    }
}

/// Reads the manifest of a package, if it has one.
fn manifest(store: &ContentStore, node: Option<&Node>) -> Result<Option<Manifest>, PackageError> {
    let blob = match node {
        None => return Ok(None),
        Some(Node::File { blob, .. }) if blob.stored.size() <= MAX_MANIFEST => blob,
        Some(_) => return Err(PackageError::Identity("it is not a file of at most 10 MiB")),
    };
    let bytes = bytes(store, &blob.stored)?;
    let manifest = Manifest::parse(&String::from_utf8_lossy(&bytes));
    manifest
        .map(Some)
        .map_err(|invalid| PackageError::Manifest { line: invalid.line, reason: invalid.reason })
}

fn bytes(store: &ContentStore, digest: &cache::Digest) -> Result<Vec<u8>, StoreError> {
    store.get(digest)?.ok_or(StoreError::Missing(*digest))
}

/// The files and folders that `.paths` of a manifest includes.
struct Paths(Option<BTreeSet<String>>);

impl Paths {
    const fn all() -> Self {
        Self(None)
    }

    fn new(manifest: &Manifest) -> Result<Self, PackageError> {
        let Some(paths) = &manifest.paths else { return Ok(Self::all()) };
        if paths.is_empty() {
            return Err(PackageError::Identity("`.paths` is not a list of strings"));
        }
        let paths: BTreeSet<String> = paths.iter().map(|path| normal(path)).collect();
        Ok(Self((!paths.contains("")).then_some(paths)))
    }

    /// Returns true if the file at `path` is included, or a folder above it.
    fn take(&self, path: &str) -> bool {
        let Some(paths) = &self.0 else { return true };
        let above = path.match_indices('/').map(|(end, _)| &path[..end]);
        above.chain([path]).any(|path| paths.contains(path))
    }
}

/// Returns a path without `.`, empty names and, as far as a name stands before them, `..`. Empty for the
/// root.
fn normal(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", names.join("/"))
}

/// Returns the digest of all files and links, the number of bytes in the files, and their tree.
fn hash(
    store: &ContentStore,
    nodes: BTreeMap<String, Node>,
) -> Result<([u8; 32], u64, Tree), PackageError> {
    let mut whole = Sha256::new();
    let mut size = 0u64;
    let mut tree = Tree::default();
    // The map is sorted by the bytes of the paths, which is zig's order.
    for (path, node) in nodes {
        let mut hasher = Sha256::new();
        hasher.update(&path);
        let entry = match node {
            Node::File { blob, .. } => {
                let bytes = bytes(store, &blob.stored)?;
                // In older versions of zig these two bytes said whether the file is executable.
                hasher.update([0, 0]);
                hasher.update(&bytes);
                size = size.saturating_add(blob.stored.size());
                Entry::File { digest: blob.stored, executable: is_program(&bytes) }
            }
            Node::Link { target } => {
                hasher.update(&target);
                if leaves(&path, &target) {
                    let source = Box::new(UnpackError::LinkLeaves { link: path.clone(), target });
                    return Err(PackageError::Flaw { path, source });
                }
                Entry::Symlink { target }
            }
        };
        whole.update(hasher.finalize());
        tree.insert(&path, entry)?;
    }
    Ok((whole.finalize().into(), size, tree))
}

/// Returns true if a link leads out of the package.
fn leaves(link: &str, target: &str) -> bool {
    let folder = link.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut depth = folder.split('/').filter(|name| !name.is_empty()).count();
    target.starts_with('/')
        || target.split('/').any(|name| match name {
            "" | "." => false,
            ".." => match depth.checked_sub(1) {
                Some(above) => {
                    depth = above;
                    false
                }
                None => true,
            },
            _ => {
                depth += 1;
                false
            }
        })
}

/// Returns true if a file is a program by its first bytes: a script, ELF or Mach-O.
fn is_program(bytes: &[u8]) -> bool {
    const MACH_O: [u32; 4] = [0xfeed_face, 0xfeed_facf, 0xcafe_babe, 0xcafe_babf];
    let number = bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let is_mach_o = number
        .is_some_and(|number| MACH_O.iter().any(|m| number == *m || number == m.swap_bytes()));
    bytes.starts_with(b"#!") || bytes.starts_with(b"\x7fELF") || is_mach_o
}

/// Returns the hash in zig's form. For a package without a manifest it has `N` and `V` as name and version.
fn name(identity: Option<&Identity>, size: u64, digest: &[u8; 32]) -> String {
    let (name, version, id) = match identity {
        Some(identity) => (identity.name.as_str(), identity.version.as_str(), identity.id),
        None => ("N", "V", 0xffff),
    };
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    let mut computed = [0; 33];
    computed[..4].copy_from_slice(&id.to_le_bytes());
    computed[4..8].copy_from_slice(&size.to_le_bytes());
    computed[8..].copy_from_slice(&digest[..25]);
    let computed = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(computed);
    format!("{name}-{version}-{computed}")
}

#[cfg(test)]
mod tests;
