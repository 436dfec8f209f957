//! `run toolchain sync`: the only thing that decides about versions.
//!
//! What a lock says already stays as it is; what it lacks is looked up, fetched and unpacked, so
//! that the digest of each image is known. A complete lock is not changed by a byte, and nothing is
//! fetched for it.

use std::path::Path;

use cache::{DiskStore, StoreError};

use super::image::{self, ImageError, Made};
use super::lock::{Checksum, Image, Lock, LockError, Package};
use super::source::Session;
use super::{Catalogue, CatalogueError, Event, Events, Platform, Recipe, Registries, Toolchains};

/// A sync to be done.
pub struct Sync<'a> {
    /// Where packages and images go.
    pub store: &'a DiskStore,
    /// What can be had.
    pub catalogue: &'a Catalogue,
    /// What the project needs.
    pub needed: &'a Toolchains,
    /// The platform of the images.
    pub platform: Platform,
    /// Whether to look up all packages anew instead of keeping those of the lock. The toolchains'
    /// versions stay.
    pub refresh: bool,
    /// How registries are reached.
    pub registries: &'a Registries,
    /// Who is told, and asked whether to stop.
    pub events: &'a dyn Events,
}

/// Why a sync failed.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// There is no such toolchain, version or image.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The lockfile can't be read or written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// An image can't be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lock has a checksum of the toolchain, and it is another one.
    #[error("`{toolchain}` {version} has the checksum {actual}, the lock says {expected}")]
    ChecksumMismatch {
        /// The toolchain.
        toolchain: String,
        /// Its version.
        version: String,
        /// The checksum in the lock.
        expected: Checksum,
        /// The checksum of its principal package.
        actual: Checksum,
    },
}

impl SyncError {
    /// Whether other bytes came than were pinned.
    #[must_use]
    pub const fn is_mismatch(&self) -> bool {
        match self {
            Self::ChecksumMismatch { .. } => true,
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

impl Sync<'_> {
    /// Brings a lockfile up to date: reads it, syncs, and replaces it if that changed anything.
    ///
    /// # Errors
    /// See [`SyncError`]; the lockfile is as it was then.
    pub fn update(&self, lockfile: &Path) -> Result<Lock, SyncError> {
        let before = Lock::read(lockfile)?;
        let after = self.run(before.as_ref())?;
        if before.as_ref() != Some(&after) {
            after.write(lockfile)?;
        }
        Ok(after)
    }

    /// Completes a lock. Blocks; may be called wherever blocking is allowed.
    ///
    /// # Errors
    /// See [`SyncError`].
    pub fn run(&self, lock: Option<&Lock>) -> Result<Lock, SyncError> {
        let mut lock = lock.cloned().unwrap_or_default();
        let session = Session::new(self.store, self.registries, self.events)?;
        for (name, asked) in self.needed.iter() {
            let version = match asked.or_else(|| lock.version(name)) {
                Some(version) => version.to_owned(),
                None => self.catalogue.toolchain(name)?.default.clone(),
            };
            let recipe = self.catalogue.recipe(name, &version, self.platform)?;
            if self.refresh || !is_complete(&lock, &recipe) {
                self.complete(&session, &mut lock, &recipe)?;
            }
        }
        Ok(lock)
    }

    fn complete(
        &self,
        session: &Session<'_>,
        lock: &mut Lock,
        recipe: &Recipe,
    ) -> Result<(), SyncError> {
        let name = &recipe.toolchain;
        self.events.event(Event::Resolving { toolchain: name, version: &recipe.version });
        let keep = !self.refresh && lock.version(name) == Some(&recipe.version);
        let locked: Vec<&Package> = match keep {
            true => lock.packages(name, recipe.platform).collect(),
            false => Vec::new(),
        };
        let packages =
            image::resolve_packages(session, recipe, &locked).map_err(ImageError::from)?;
        check_written_by_hand(lock, recipe, &packages)?;
        let Made { locked: tree, .. } = image::make(session, recipe, &packages)?;
        let image =
            Image { toolchain: name.clone(), platform: recipe.platform, recipe: recipe.id(), tree };
        lock.set(recipe, image, packages);
        Ok(())
    }
}

/// Whether the lock has the image of exactly this recipe.
fn is_complete(lock: &Lock, recipe: &Recipe) -> bool {
    lock.version(&recipe.toolchain) == Some(&recipe.version)
        && lock
            .image(&recipe.toolchain, recipe.platform)
            .is_ok_and(|image| image.recipe == recipe.id())
}

/// A lock of the two short tables may have a checksum for the toolchain: then it has to hold.
fn check_written_by_hand(
    lock: &Lock,
    recipe: &Recipe,
    packages: &[Package],
) -> Result<(), SyncError> {
    let name = &recipe.toolchain;
    let is_short = lock.images.iter().all(|image| &image.toolchain != name);
    let same_version = lock.version(name) == Some(&recipe.version);
    match (lock.checksums.get(name), packages.first().map(Package::checksum)) {
        (Some(expected), Some(actual)) if is_short && same_version && *expected != actual => {
            Err(SyncError::ChecksumMismatch {
                toolchain: name.clone(),
                version: recipe.version.clone(),
                expected: expected.clone(),
                actual,
            })
        }
        _ => Ok(()),
    }
}
