//! The resolution of a recipe: the packages that it names, each pinned, and the tree that they make.
//!
//! A resolution is taken from the first of these that has one:
//!
//! 1. The *pins* of the catalogue, with which this release of the program was tested. So all new projects get
//!    the same toolchain, and find it in a store that already has it.
//! 2. The registries, which are asked for a recipe without pins. What is newest there changes over time.
//! 3. The store's memory of what the registries said. It counts only if the user has switched the network
//!    off, in the place of the registries. Otherwise a lock would depend on what a machine did before.
//!
//! Pins and memory find a recipe by its id, so neither is used for a recipe that has changed.
//!
//! **Invariant:** the store never remembers what a lockfile said. A checkout brings its own lockfile, and
//! could otherwise choose the toolchains of the user's other projects.

use std::path::Path;

use cache::{ContentStore, Digest, Memo, StoreError};

use super::install::is_whole;
use super::lock::{Image, Lock, Package};
use super::origin::Origin;
use super::{Catalogue, Recipe};
use crate::package::unpack::TREE_FUNCTION;

/// The pinned packages of a recipe, and the image that they make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolution {
    pub(super) image: Image,
    pub(super) packages: Vec<Package>,
}

impl Resolution {
    /// Returns what a lock has for exactly this recipe.
    fn of(lock: &Lock, recipe: &Recipe) -> Option<Self> {
        let name = &recipe.toolchain;
        let image = lock.image(name, recipe.platform).ok()?;
        let serves = lock.version(name) == Some(&recipe.version) && image.recipe == recipe.id();
        serves.then(|| Self {
            image: image.clone(),
            packages: lock.packages(name, recipe.platform).cloned().collect(),
        })
    }

    /// Returns what the catalogue pins for a recipe. It is the same on every machine.
    pub(super) fn pinned(catalogue: &Catalogue, recipe: &Recipe) -> Option<Self> {
        Self::of(catalogue.pins()?, recipe)
    }

    /// Returns what the registries said about a recipe when they were last asked with this store.
    pub(super) fn remembered(store: &ContentStore, recipe: &Recipe) -> Option<Self> {
        Self::recall(store, recipe).map(|(_, resolution)| resolution)
    }

    /// Returns what the store remembers of a recipe, and the digest of the image's tree by the store's
    /// function.
    fn recall(store: &ContentStore, recipe: &Recipe) -> Option<(Digest, Self)> {
        let Memo { tree: stored, text } = store.memo(&key(store, recipe))?;
        // A memory that another version of this program wrote in another format counts as none.
        let lock = Lock::parse(&text, Path::new("the store's memory")).ok();
        lock.and_then(|lock| Self::of(&lock, recipe)).map(|resolution| (stored, resolution))
    }

    /// Remembers what the registries said about a recipe. `stored` is the digest of the image's tree by the
    /// store's function.
    ///
    /// A recipe with a path on this machine is not remembered, because the path means something else in every
    /// project.
    pub(super) fn remember(
        &self,
        store: &ContentStore,
        recipe: &Recipe,
        stored: &Digest,
    ) -> Result<(), StoreError> {
        if recipe.layers.iter().any(|layer| matches!(layer.from, Origin::Path(_))) {
            return Ok(());
        }
        let mut lock = Lock::default();
        lock.set(recipe, self.image.clone(), self.packages.clone());
        store.put_memo(&key(store, recipe), &Memo { tree: *stored, text: lock.to_toml() })
    }

    /// Returns true if the store has the whole image, so that nothing has to be fetched or unpacked for it.
    pub(super) fn is_in(&self, store: &ContentStore, recipe: &Recipe) -> Result<bool, StoreError> {
        let stored = match store.function() {
            TREE_FUNCTION => Some(self.image.tree),
            // The remembered image may consist of other packages, so its tree in the lock has to be the same.
            _ => Self::recall(store, recipe)
                .filter(|(_, remembered)| remembered.image.tree == self.image.tree)
                .map(|(stored, _)| stored),
        };
        stored.map_or(Ok(false), |stored| is_whole(store, &stored))
    }
}

/// Returns the key under which the store remembers the resolution of a recipe.
fn key(store: &ContentStore, recipe: &Recipe) -> Digest {
    Digest::of(store.function(), format!("toolchain resolution 1\n{}", recipe.id()).as_bytes())
}
