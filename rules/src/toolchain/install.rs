//! Installing a locked image: its tree is in the store afterwards, or nothing is.

use cache::{Digest, DiskStore, Entry, StoreError, Tree};

use super::image::{self, ImageError, Made};
use super::lock::{Image, Lock, Package, Stale, TREE_FUNCTION};
use super::source::Session;
use super::{Catalogue, CatalogueError, Events, Platform, Recipe, Registries};

/// Why an image can't be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The lock does not have it.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// This program has no recipe for it.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// It can't be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The packages are as locked, but make another tree.
    #[error("the image of `{toolchain}` {version} is {actual}, the lock says {expected}")]
    ImageMismatch {
        /// The toolchain.
        toolchain: String,
        /// Its version.
        version: String,
        /// The tree in the lock.
        expected: Box<Digest>,
        /// The tree the packages make.
        actual: Box<Digest>,
    },
}

impl InstallError {
    /// Whether other bytes came than were pinned.
    #[must_use]
    pub const fn is_mismatch(&self) -> bool {
        match self {
            Self::ImageMismatch { .. } => true,
            Self::Image(ImageError::Source(source)) => source.is_mismatch(),
            _ => false,
        }
    }

    /// Whether it only stopped because the user wanted it to.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Image(ImageError::Source(source)) if source.is_cancelled())
    }
}

/// The installation of locked images.
#[derive(Clone, Copy)]
pub struct Install<'a> {
    /// Where packages and images go.
    pub store: &'a DiskStore,
    /// The recipes.
    pub catalogue: &'a Catalogue,
    /// What is locked.
    pub lock: &'a Lock,
    /// The platform of the images.
    pub platform: Platform,
    /// How registries are reached.
    pub registries: &'a Registries,
    /// Who is told, and asked whether to stop.
    pub events: &'a dyn Events,
}

impl Install<'_> {
    /// Makes the image of a toolchain present in the store and gives its tree, by the store's
    /// function. What the store has is not fetched. Blocks.
    ///
    /// # Errors
    /// See [`InstallError`].
    pub fn run(&self, toolchain: &str) -> Result<Digest, InstallError> {
        let image = self.lock.image(toolchain, self.platform)?;
        if self.store.function() == TREE_FUNCTION && is_whole(self.store, &image.tree)? {
            return Ok(image.tree);
        }
        let recipe = self.recipe(image)?;
        let session = Session::new(self.store, self.registries, self.events)?;
        let packages: Vec<Package> =
            self.lock.packages(toolchain, self.platform).cloned().collect();
        Ok(make_as_pinned(&session, &recipe, &packages, &image.tree)?.stored)
    }

    fn recipe(&self, image: &Image) -> Result<Recipe, InstallError> {
        let name = &image.toolchain;
        if image.is_added() {
            let recipe = self.lock.added_recipe(image);
            return recipe.ok_or_else(|| Stale::Recipe(name.clone()).into());
        }
        let version = self.lock.version(name).ok_or_else(|| Stale::Toolchain(name.clone()))?;
        let recipe = self.catalogue.recipe(name, version, self.platform)?;
        match recipe.id() == image.recipe {
            true => Ok(recipe),
            false => Err(Stale::Recipe(name.clone()).into()),
        }
    }
}

/// Puts an image together from locked packages, which have to make the locked tree.
pub(super) fn make_as_pinned(
    session: &Session<'_>,
    recipe: &Recipe,
    packages: &[Package],
    tree: &Digest,
) -> Result<Made, InstallError> {
    let made = image::make(session, recipe, packages)?;
    if made.locked == *tree {
        return Ok(made);
    }
    Err(InstallError::ImageMismatch {
        toolchain: recipe.toolchain.clone(),
        version: recipe.version.clone(),
        expected: Box::new(*tree),
        actual: Box::new(made.locked),
    })
}

/// Whether the store has a tree with all its files.
pub(super) fn is_whole(store: &DiskStore, digest: &Digest) -> Result<bool, StoreError> {
    fn has_files(store: &DiskStore, tree: &Tree) -> bool {
        tree.entries.values().all(|entry| match entry {
            Entry::Directory(child) => has_files(store, child),
            Entry::File { digest, .. } => store.contains(digest),
            Entry::Symlink { .. } => true,
            Entry::Subtree(_) => false,
        })
    }
    Ok(store.tree(digest)?.is_some_and(|tree| has_files(store, &tree)))
}
