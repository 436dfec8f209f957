//! What a recipe comes to: the packages that it names, each pinned, and the tree that they make.
//!
//! Finding that out takes the registries, and they change their mind about what is newest. So two places are
//! looked at first. The *pins* of the catalogue are what this release of the program was tried with: everybody's
//! new project gets the same toolchain, and finds it in a store that has it for whatever reason. For recipes
//! without pins, the store remembers what the registries said the last time.
//!
//! Both know a recipe by its id, so neither is believed once the recipe is another one.
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

impl Catalogue {
    /// What the catalogue pins for a recipe.
    fn pinned(&self, recipe: &Recipe) -> Option<Resolution> {
        Resolution::of(self.pins()?, recipe)
    }
}

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

    /// What is known of a recipe without asking a registry.
    pub(super) fn known(
        store: &DiskStore,
        catalogue: &Catalogue,
        recipe: &Recipe,
    ) -> Result<Option<Self>, StoreError> {
        match catalogue.pinned(recipe) {
            Some(pinned) => Ok(Some(pinned)),
            None => Self::recall(store, recipe),
        }
    }

    fn recall(store: &DiskStore, recipe: &Recipe) -> Result<Option<Self>, StoreError> {
        let Some((_, text)) = memo::recall(store, &key(store, recipe))? else { return Ok(None) };
        // A text of another version of this program is no reason to fail.
        let lock = Lock::parse(&text, Path::new("the store's memory")).ok();
        Ok(lock.and_then(|lock| Self::of(&lock, recipe)))
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
            _ => memo::tree(store, &key(store, recipe))?,
        };
        stored.map_or(Ok(false), |stored| is_whole(store, &stored))
    }
}

/// The key under which the store remembers what a recipe comes to.
fn key(store: &DiskStore, recipe: &Recipe) -> Digest {
    Digest::of(store.function(), format!("toolchain resolution 1\n{}", recipe.id()).as_bytes())
}
