//! Lists what a lock pins, and how much of it the store has. It only reads.

use std::collections::{BTreeMap, BTreeSet};

use cache::{ContentStore, Digest, DigestFunction, Entry, StoreError, Tree};

use super::lock::{Image, Lock, Pin, SourceKind};
use crate::package::unpack::TREE_FUNCTION;
use crate::platform::Platform;

/// A pinned image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The toolchain's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The platform that the image is for.
    pub platform: Platform,
    /// True if the toolchain was added by hand.
    pub added: bool,
    /// The sources of the packages, without duplicates.
    pub sources: Vec<SourceKind>,
    /// The number of packages.
    pub packages: usize,
    /// The part of the image that the store has.
    pub presence: Presence,
    /// The total size of the files in bytes, each content counted once. `None` if the store does not have the
    /// tree that lists them.
    pub unpacked: Option<u64>,
    /// The total size in bytes of the image's packages that the store keeps.
    pub kept: u64,
}

/// The part of an image that a store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// The store has the whole image.
    Whole,
    /// Some files are missing.
    Partial,
    /// The store does not have the tree. The image is installed when something needs it.
    Absent,
    /// Not known, because the store's digest function differs from the lock's.
    Unknown,
}

impl Lock {
    /// Returns all pinned images, in the order of the lock.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn inventory(&self, store: &ContentStore) -> Result<Vec<Pinned>, StoreError> {
        let packages = ContentStore::open(store.root(), DigestFunction::Sha256)?;
        self.images.iter().map(|image| self.pinned(image, store, &packages)).collect()
    }

    fn pinned(
        &self,
        image: &Image,
        store: &ContentStore,
        packages: &ContentStore,
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

/// Returns the part of a tree that a store has, and the total size of the tree's files.
fn presence(store: &ContentStore, tree: &Digest) -> Result<(Presence, Option<u64>), StoreError> {
    if store.function() != TREE_FUNCTION {
        return Ok((Presence::Unknown, None));
    }
    let Some(tree) = store.tree(tree)? else { return Ok((Presence::Absent, None)) };
    let files = files(&tree);
    let whole = files.keys().all(|digest| store.contains(digest));
    let presence = if whole { Presence::Whole } else { Presence::Partial };
    Ok((presence, Some(files.values().sum())))
}

/// Returns the files of a tree by digest, with their sizes. Each content comes once.
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
