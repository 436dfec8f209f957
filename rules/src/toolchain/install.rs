//! Installs a locked image: makes its tree with all files present in the store.
//!
//! It never chooses versions. Only what the lock pins is fetched, and the image has to be the locked tree.

use cache::{ContentStore, Digest, Entry, StoreError, Tree};

use super::image::{self, ImageError, Made};
use super::lock::{Image, Lock, Package, Stale};
use super::source::Session;
use super::{Catalogue, CatalogueError, Recipe};
use crate::package::unpack::TREE_FUNCTION;
use crate::package::{Events, Registries};
use crate::platform::Platform;

/// The reason why an image can't be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The lock does not have the image.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// This program has no recipe for the image.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The image can't be assembled.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The packages are the locked ones, but the tree that they make is not.
    #[error("the image of `{toolchain}` {version} is {actual}, the lock says {expected}")]
    ImageMismatch {
        /// The toolchain's name.
        toolchain: String,
        /// Its version.
        version: String,
        /// The digest of the tree in the lock.
        expected: Box<Digest>,
        /// The digest of the tree that the packages make.
        actual: Box<Digest>,
    },
}

impl InstallError {
    /// Returns true if other bytes came than were pinned.
    #[must_use]
    pub const fn is_mismatch(&self) -> bool {
        match self {
            Self::ImageMismatch { .. } => true,
            Self::Image(ImageError::Source(source)) => source.is_mismatch(),
            _ => false,
        }
    }

    /// Returns true if the work was stopped because the user wanted it.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Image(ImageError::Source(source)) if source.is_cancelled())
    }
}

/// The values with which locked images are installed.
#[derive(Clone, Copy)]
pub struct Install<'a> {
    /// The store that gets packages and images.
    pub store: &'a ContentStore,
    /// The catalogue with the recipes.
    pub catalogue: &'a Catalogue,
    /// The lock that pins the images.
    pub lock: &'a Lock,
    /// The platform of the images.
    pub platform: Platform,
    /// The settings by which registries are reached.
    pub registries: &'a Registries,
    /// The receiver of events, which may also stop the work.
    pub events: &'a dyn Events,
}

impl Install<'_> {
    /// Makes the image of a toolchain present in the store and returns the digest of its tree by the store's
    /// function. What the store has is not fetched. Blocks until all is done.
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

/// Assembles an image from locked packages, and checks that it is the locked tree.
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

/// Returns true if the store has a tree with all its files.
pub(super) fn is_whole(store: &ContentStore, digest: &Digest) -> Result<bool, StoreError> {
    fn has_files(store: &ContentStore, tree: &Tree) -> bool {
        tree.entries.values().all(|entry| match entry {
            Entry::Directory(child) => has_files(store, child),
            Entry::File { digest, .. } => store.contains(digest),
            Entry::Symlink { .. } => true,
            Entry::Subtree(_) => false,
        })
    }
    Ok(store.tree(digest)?.is_some_and(|tree| has_files(store, &tree)))
}
