//! An unpacked archive as zig's package manager sees it: which files belong to the package, and the
//! hash that they have together.
//!
//! This follows the source of zig 0.17 (`lib/compiler/Maker/Fetch.zig` and `Package.zig`). Modes don't
//! count: a file is executable if its first bytes say so. Entries that can't be part of a package are
//! an error only if the manifest's `.paths` would take them in.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use cache::{DiskStore, Entry, StoreError, Tree, TreeError};
use sha2::{Digest as _, Sha256};

use crate::lang::zig::zon::{Identity, Manifest};
use crate::toolchain::UnpackError;
use crate::toolchain::unpack::{Loose, Node};

/// The name of a package's manifest.
pub(super) const MANIFEST: &str = "build.zig.zon";

/// The size that a manifest may have.
const MAX_MANIFEST: u64 = 10 << 20;

/// The length that a hash may have: name, version, and the part that is computed.
const MAX_HASH: usize = 32 + 1 + 32 + 1 + COMPUTED;
/// The length of its computed part.
const COMPUTED: usize = 44;

/// A package with the hash that zig gives it.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) hash: String,
    pub(super) tree: Tree,
}

/// The reasons for which an archive is no package.
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

/// Says whether it is a hash of the form that zig takes: `name-version-computed`.
pub(in crate::lang::zig) fn is_hash(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.+".contains(&byte);
    if !(COMPUTED..=MAX_HASH).contains(&text.len()) || !text.bytes().all(plain) {
        return false;
    }
    let named = &text[..text.len() - COMPUTED];
    named.matches('-').count() >= 2 && !named.starts_with('.')
}

impl Package {
    /// Takes an unpacked archive for a package. `strip`: without the one folder that it may all lie in.
    ///
    /// # Errors
    /// See [`PackageError`].
    pub(super) fn of(store: &DiskStore, loose: Loose, strip: bool) -> Result<Self, PackageError> {
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

/// The manifest of a package, if it has one.
fn manifest(store: &DiskStore, node: Option<&Node>) -> Result<Option<Manifest>, PackageError> {
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

fn bytes(store: &DiskStore, digest: &cache::Digest) -> Result<Vec<u8>, StoreError> {
    store.get(digest)?.ok_or(StoreError::Missing(*digest))
}

/// The files and folders that `.paths` of a manifest takes in.
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

    /// Says whether the file at `path`, or a folder above it, is among them.
    fn take(&self, path: &str) -> bool {
        let Some(paths) = &self.0 else { return true };
        let above = path.match_indices('/').map(|(end, _)| &path[..end]);
        above.chain([path]).any(|path| paths.contains(path))
    }
}

/// A path without `.`, `..` and empty names, as far as it has them; empty for the root.
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

/// The digest of all files and links, how many bytes the files have, and their tree.
fn hash(
    store: &DiskStore,
    nodes: BTreeMap<String, Node>,
) -> Result<([u8; 32], u64, Tree), PackageError> {
    let mut whole = Sha256::new();
    let mut size = 0u64;
    let mut tree = Tree::default();
    // Sorted by the bytes of the paths.
    for (path, node) in nodes {
        let mut hasher = Sha256::new();
        hasher.update(&path);
        let entry = match node {
            Node::File { blob, .. } => {
                let bytes = bytes(store, &blob.stored)?;
                // Two bytes that once said whether the file is executable.
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

/// Says whether a link leads out of the package.
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

/// Says whether a file is a program by its first bytes: a script, ELF or Mach-O.
fn is_program(bytes: &[u8]) -> bool {
    const MACH_O: [u32; 4] = [0xfeed_face, 0xfeed_facf, 0xcafe_babe, 0xcafe_babf];
    let number = bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let is_mach_o = number
        .is_some_and(|number| MACH_O.iter().any(|m| number == *m || number == m.swap_bytes()));
    bytes.starts_with(b"#!") || bytes.starts_with(b"\x7fELF") || is_mach_o
}

/// The hash as zig writes it. A package without a manifest has a name and a version for that.
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
