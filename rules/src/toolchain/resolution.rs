//! What a recipe comes to: the packages that it names, each pinned, and the tree that they make.
//!
//! Finding that out takes the registries, and they change their mind about what is newest. So the *pins* of the
//! catalogue come first. They are what this release of the program was tried with: everybody's new project gets
//! the same toolchain, and finds it in a store that has it for whatever reason. For a recipe without pins the
//! registries are asked. The store remembers what they said, and that counts only where they can't be asked, as
//! the user has switched the network off: otherwise a lock would depend on what a machine did before.
//!
//! Pins and memory know a recipe by its id, so neither is believed once the recipe is another one.
//!
//! **Invariant:** the store never remembers what a lockfile said. A checkout brings its own, and could otherwise
//! choose the toolchains of the user's other projects.

use std::path::Path;
use std::sync::LazyLock;

use cache::{Digest, DiskStore, StoreError};

use super::catalogue::Origin;
use super::install::is_whole;
use super::lock::{Image, Lock, Package, TREE_FUNCTION};
use super::{Catalogue, Recipe};
use crate::memo;

/// The packages of a recipe, and the image that they make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolution {
    pub(super) image: Image,
    pub(super) packages: Vec<Package>,
}

/// A lockfile with every toolchain's default version for every platform, made by `run toolchain sync --upgrade`.
const PINS: &str = include_str!("catalogue/pins.lock.toml");

/// The pins of the embedded catalogue. They are read when something is resolved, which few commands do.
pub(super) static BUILTIN: LazyLock<Lock> = LazyLock::new(|| {
    Lock::parse(PINS, Path::new("pins.lock.toml")).expect("a test reads the embedded pins")
});

impl Resolution {
    /// What a lock has for exactly this recipe.
    fn of(lock: &Lock, recipe: &Recipe) -> Option<Self> {
        let name = &recipe.toolchain;
        let image = lock.image(name, recipe.platform).ok()?;
        let serves = lock.version(name) == Some(&recipe.version) && image.recipe == recipe.id();
        serves.then(|| Self {
            image: image.clone(),
            packages: lock.packages(name, recipe.platform).cloned().collect(),
        })
    }

    /// What the catalogue pins for a recipe: the same on every machine.
    pub(super) fn pinned(catalogue: &Catalogue, recipe: &Recipe) -> Option<Self> {
        Self::of(catalogue.pins()?, recipe)
    }

    /// What the registries said of a recipe when this store's user last asked them.
    pub(super) fn remembered(
        store: &DiskStore,
        recipe: &Recipe,
    ) -> Result<Option<Self>, StoreError> {
        Ok(Self::recall(store, recipe)?.map(|(_, resolution)| resolution))
    }

    /// What the store remembers of a recipe, with the image's tree by the store's function.
    fn recall(store: &DiskStore, recipe: &Recipe) -> Result<Option<(Digest, Self)>, StoreError> {
        let Some((stored, text)) = memo::recall(store, &key(store, recipe))? else {
            return Ok(None);
        };
        // A text of another version of this program is no reason to fail.
        let lock = Lock::parse(&text, Path::new("the store's memory")).ok();
        Ok(lock.and_then(|lock| Self::of(&lock, recipe)).map(|resolution| (stored, resolution)))
    }

    /// Remembers what the registries said of a recipe; `stored` is the image's tree by the store's function.
    ///
    /// What a recipe takes from this machine is not remembered: a path means something else in every project.
    pub(super) fn remember(
        &self,
        store: &DiskStore,
        recipe: &Recipe,
        stored: &Digest,
    ) -> Result<(), StoreError> {
        if recipe.layers.iter().any(|layer| matches!(layer.from, Origin::Path(_))) {
            return Ok(());
        }
        let mut lock = Lock::default();
        lock.set(recipe, self.image.clone(), self.packages.clone());
        memo::remember(store, &key(store, recipe), stored, &lock.to_toml())
    }

    /// Whether the store has the whole image, so that nothing has to be fetched or unpacked for it.
    pub(super) fn is_in(&self, store: &DiskStore, recipe: &Recipe) -> Result<bool, StoreError> {
        let stored = match store.function() {
            TREE_FUNCTION => Some(self.image.tree),
            // The image may have been made of other packages the last time.
            _ => Self::recall(store, recipe)?
                .filter(|(_, remembered)| remembered.image.tree == self.image.tree)
                .map(|(stored, _)| stored),
        };
        stored.map_or(Ok(false), |stored| is_whole(store, &stored))
    }
}

/// The key under which the store remembers what a recipe comes to.
fn key(store: &DiskStore, recipe: &Recipe) -> Digest {
    Digest::of(store.function(), format!("toolchain resolution 1\n{}", recipe.id()).as_bytes())
}
