//! What a lock pins, and how much of it the store has.

use std::collections::{BTreeMap, BTreeSet};

use cache::{Digest, DigestFunction, DiskStore, Entry, StoreError, Tree};

use super::Platform;
use super::lock::{Image, Lock, Pin, SourceKind, TREE_FUNCTION};

/// A pinned image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The toolchain.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The platform.
    pub platform: Platform,
    /// Whether it was added by hand.
    pub added: bool,
    /// The sources of its packages, each once.
    pub sources: Vec<SourceKind>,
    /// How many packages it has.
    pub packages: usize,
    /// How much of it the store has.
    pub presence: Presence,
    /// How many bytes its files have, once each, if the store has their names.
    pub unpacked: Option<u64>,
    /// How many bytes of packages the store keeps for it.
    pub kept: u64,
}

/// How much of an image a store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// All of it.
    Whole,
    /// Some files are missing.
    Partial,
    /// Nothing: it is installed when something needs it.
    Absent,
    /// A store that names trees by another function than the lock can't tell.
    Unknown,
}

impl Lock {
    /// All pinned images, by toolchain and platform.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn inventory(&self, store: &DiskStore) -> Result<Vec<Pinned>, StoreError> {
        let packages = DiskStore::open(store.root(), DigestFunction::Sha256)?;
        self.images.iter().map(|image| self.pinned(image, store, &packages)).collect()
    }

    fn pinned(
        &self,
        image: &Image,
        store: &DiskStore,
        packages: &DiskStore,
    ) -> Result<Pinned, StoreError> {
        let (presence, unpacked) = presence(store, &image.tree)?;
        let of_image = || self.packages(&image.toolchain, image.platform);
        let sources: BTreeSet<SourceKind> = of_image().map(|package| package.source).collect();
        let kept = of_image().filter_map(|package| match &package.pin {
            Pin::File(digest) if packages.contains(digest) => Some(digest.size()),
            _ => None,
        });
        Ok(Pinned {
            name: image.toolchain.clone(),
            version: self.version(&image.toolchain).unwrap_or_default().to_owned(),
            platform: image.platform,
            added: image.is_added(),
            sources: sources.into_iter().collect(),
            packages: of_image().count(),
            presence,
            unpacked,
            kept: kept.sum(),
        })
    }
}

/// How much of a tree a store has, and the size of its files.
fn presence(store: &DiskStore, tree: &Digest) -> Result<(Presence, Option<u64>), StoreError> {
    if store.function() != TREE_FUNCTION {
        return Ok((Presence::Unknown, None));
    }
    let Some(tree) = store.tree(tree)? else { return Ok((Presence::Absent, None)) };
    let files = files(&tree);
    let whole = files.keys().all(|digest| store.contains(digest));
    let presence = if whole { Presence::Whole } else { Presence::Partial };
    Ok((presence, Some(files.values().sum())))
}

/// The files of a tree, each content once, with their sizes.
fn files(tree: &Tree) -> BTreeMap<Digest, u64> {
    fn add(tree: &Tree, files: &mut BTreeMap<Digest, u64>) {
        for entry in tree.entries.values() {
            match entry {
                Entry::Directory(child) => add(child, files),
                Entry::File { digest, .. } => {
                    files.insert(*digest, digest.size());
                }
                Entry::Symlink { .. } | Entry::Subtree(_) => {}
            }
        }
    }
    let mut files = BTreeMap::new();
    add(tree, &mut files);
    files
}
