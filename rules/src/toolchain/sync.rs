//! `run toolchain sync`: the only thing that decides about versions.
//!
//! What a lock says already stays as it is, unless it is to be upgraded. What it lacks is pinned by the
//! catalogue ([`Resolution`]) or looked up, and fetched and unpacked, so that the digest of each image is
//! known. A complete lock is not changed by a byte, and nothing is fetched for it. A lock serves all
//! platforms that it has images for: they are kept at the same versions.

use std::collections::BTreeSet;
use std::path::Path;

use cache::{DiskStore, StoreError};

use super::image::{self, ImageError, Made};
use super::install::{InstallError, make_as_pinned};
use super::lock::{Checksum, Image, Lock, LockError, Package, Stale};
use super::resolution::Resolution;
use super::source::Session;
use super::{
    Catalogue, CatalogueError, Event, Events, Platform, Recipe, Registries, Toolchains, Upgrade,
    UpgradeError,
};

/// A sync to be done.
pub struct Sync<'a> {
    /// Where packages and images go.
    pub store: &'a DiskStore,
    /// What can be had.
    pub catalogue: &'a Catalogue,
    /// What the project needs.
    pub needed: &'a Toolchains,
    /// The platforms of the images, besides those that the lock has; this machine's first.
    pub platforms: &'a [Platform],
    /// What is looked up anew, whatever the lock says.
    pub upgrade: &'a Upgrade,
    /// Whether to drop what the project does not need. What was added by hand stays.
    pub prune: bool,
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
    /// The lock names a version that this program has no recipe for.
    #[error("run.lock.toml pins `{name}` {version}, which this `run` can't install")]
    Version {
        /// The toolchain.
        name: String,
        /// The version in the lock.
        version: String,
        /// The version taken when nobody asks for one.
        default: String,
        /// What there is instead.
        #[source]
        source: Box<CatalogueError>,
    },
    /// What is to be upgraded can't be.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// A toolchain that was added by hand lacks this platform.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The lockfile can't be read or written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// An image can't be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Known packages make no image, or another one.
    #[error(transparent)]
    Install(#[from] InstallError),
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
            Self::Install(error) => error.is_mismatch(),
            _ => false,
        }
    }

    /// Whether it only stopped because the user wanted it to.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        match self {
            Self::Image(ImageError::Source(source)) => source.is_cancelled(),
            Self::Install(error) => error.is_cancelled(),
            _ => false,
        }
    }

    /// Whether it failed only because the network is switched off.
    const fn is_offline(&self) -> bool {
        match self {
            Self::Image(ImageError::Source(source))
            | Self::Install(InstallError::Image(ImageError::Source(source))) => source.is_offline(),
            _ => false,
        }
    }

    /// Whether the project, its lock or the request is wrong, whatever the machine has.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Catalogue(_)
                | Self::Version { .. }
                | Self::Upgrade(_)
                | Self::Stale(_)
                | Self::Lock(LockError::Broken { .. } | LockError::Uneditable { .. })
        )
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Version { name, version, default, .. } => vec![
                format!("`run toolchain sync --upgrade {name}` pins {default}"),
                format!("another version of `run` may know {name} {version}"),
            ],
            Self::ChecksumMismatch { toolchain, .. } => vec![format!(
                "if the checksum was written by hand, `run toolchain sync --upgrade {toolchain}` pins what came"
            )],
            Self::Stale(stale) => vec![stale.hint()],
            _ if self.is_offline() => vec![
                "the store lacks some of it: `run toolchain sync`, once with the network, brings it".to_owned(),
            ],
            _ => Vec::new(),
        }
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
        self.upgrade.check(self.catalogue, self.needed, &lock)?;
        let session = Session::new(self.store, self.registries, self.events)?;
        let platforms = self.all_platforms(&lock);
        let mut missing = Vec::new();
        for name in self.names(&lock) {
            if lock.is_added(&name) {
                self.platforms.iter().try_for_each(|&on| lock.image(&name, on).map(drop))?;
                continue;
            }
            let version = self.version(&name, &lock)?;
            let renew = self.upgrade.names(&name);
            for &platform in &platforms {
                let Some(recipe) = self.recipe(&name, &version, platform)? else { continue };
                if renew || !is_complete(&lock, &recipe) {
                    missing.push(recipe);
                }
            }
        }
        self.events.event(Event::Begun { images: missing.len() });
        missing.iter().try_for_each(|recipe| self.complete(&session, &mut lock, recipe))?;
        if self.prune {
            self.drop_unneeded(&mut lock);
        }
        Ok(lock)
    }

    /// What is needed, and what is to be upgraded.
    fn names(&self, lock: &Lock) -> BTreeSet<String> {
        let needed = self.needed.iter().map(|(name, _)| name.to_owned());
        let upgraded = lock.toolchains.keys().filter(|name| {
            let pinned = lock.images_of(name).next().is_some();
            match self.upgrade {
                Upgrade::All => pinned && self.catalogue.toolchain(name).is_ok(),
                other => other.names(name),
            }
        });
        needed.chain(upgraded.cloned()).collect()
    }

    /// This machine's platform first: a checksum that was written by hand is one of its packages.
    fn all_platforms(&self, lock: &Lock) -> Vec<Platform> {
        let mut all = self.platforms.to_vec();
        let others = lock.images.iter().filter(|image| !image.is_added());
        for platform in others.map(|image| image.platform) {
            if !all.contains(&platform) {
                all.push(platform);
            }
        }
        all
    }

    fn version(&self, name: &str, lock: &Lock) -> Result<String, SyncError> {
        let toolchain = self.catalogue.toolchain(name)?;
        let asked = self.needed.version(name).or_else(|| self.upgrade.version(name));
        if let Some(version) = asked {
            return Ok(version.to_owned());
        }
        let Some(locked) = lock.version(name).filter(|_| !self.upgrade.names(name)) else {
            return Ok(toolchain.default.clone());
        };
        toolchain.check_version(name, locked).map_err(|source| SyncError::Version {
            name: name.to_owned(),
            version: locked.to_owned(),
            default: toolchain.default.clone(),
            source: Box::new(source),
        })?;
        Ok(locked.to_owned())
    }

    /// `None` if the lock alone asks for the platform and there is none: others need not suffer.
    fn recipe(
        &self,
        name: &str,
        version: &str,
        platform: Platform,
    ) -> Result<Option<Recipe>, SyncError> {
        match self.catalogue.recipe(name, version, platform) {
            Err(error @ CatalogueError::NoPlatform { .. })
                if !self.platforms.contains(&platform) =>
            {
                let warning = format!("{error}: run.lock.toml serves that platform no more");
                self.events.event(Event::Warning(&warning));
                Ok(None)
            }
            other => Ok(Some(other?)),
        }
    }

    fn complete(
        &self,
        session: &Session<'_>,
        lock: &mut Lock,
        recipe: &Recipe,
    ) -> Result<(), SyncError> {
        let name = &recipe.toolchain;
        let renew = self.upgrade.names(name);
        let keep = !renew && lock.version(name) == Some(&recipe.version);
        let locked: Vec<&Package> = match keep {
            true => lock.packages(name, recipe.platform).collect(),
            false => Vec::new(),
        };
        let is_new = !renew && locked.is_empty();
        let pinned = is_new.then(|| Resolution::pinned(self.catalogue, recipe)).flatten();
        let offline = self.registries.network.offline;
        let remembered = match is_new && pinned.is_none() && offline {
            true => Resolution::remembered(self.store, recipe)?,
            false => None,
        };
        let is_remembered = remembered.is_some();
        let by_hand = Some(&*lock).filter(|_| !renew);
        let resolution = match pinned.or(remembered) {
            Some(known) => self.install(session, recipe, known, by_hand)?,
            None => self.resolve(session, recipe, &locked, by_hand)?,
        };
        let Resolution { image, packages } = resolution;
        self.events.event(Event::Pinned {
            toolchain: name,
            version: &recipe.version,
            platform: recipe.platform,
            fetched: session.take_fetched().min(packages.len()),
            packages: packages.len(),
            remembered: is_remembered,
        });
        lock.set(recipe, image, packages);
        Ok(())
    }

    /// Makes the image of known packages present. No registry is asked about versions.
    fn install(
        &self,
        session: &Session<'_>,
        recipe: &Recipe,
        known: Resolution,
        by_hand: Option<&Lock>,
    ) -> Result<Resolution, SyncError> {
        check_written_by_hand(by_hand, recipe, &known.packages)?;
        if !known.is_in(self.store, recipe)? {
            self.events.event(Event::Installing {
                toolchain: &recipe.toolchain,
                version: &recipe.version,
                platform: recipe.platform,
            });
            let made = make_as_pinned(session, recipe, &known.packages, &known.image.tree)?;
            // By what name a store of the other function has the image is known from here on.
            known.remember(self.store, recipe, &made.stored)?;
        }
        Ok(known)
    }

    /// Asks the registries for what is not locked, and makes the image.
    fn resolve(
        &self,
        session: &Session<'_>,
        recipe: &Recipe,
        locked: &[&Package],
        by_hand: Option<&Lock>,
    ) -> Result<Resolution, SyncError> {
        self.events.event(Event::Resolving {
            toolchain: &recipe.toolchain,
            version: &recipe.version,
            platform: recipe.platform,
        });
        let packages =
            image::resolve_packages(session, recipe, locked).map_err(ImageError::from)?;
        check_written_by_hand(by_hand, recipe, &packages)?;
        let Made { locked: tree, stored } = image::make(session, recipe, &packages)?;
        let toolchain = recipe.toolchain.clone();
        let image = Image { toolchain, platform: recipe.platform, recipe: recipe.id(), tree };
        let resolution = Resolution { image, packages };
        // What a lock said is that project's business.
        if locked.is_empty() {
            resolution.remember(self.store, recipe, &stored)?;
        }
        Ok(resolution)
    }

    fn drop_unneeded(&self, lock: &mut Lock) {
        let needed = |name: &String| self.needed.has(name) || lock.is_added(name);
        let unneeded: Vec<String> =
            lock.toolchains.keys().filter(|name| !needed(name)).cloned().collect();
        unneeded.iter().for_each(|name| lock.remove(name));
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
    lock: Option<&Lock>,
    recipe: &Recipe,
    packages: &[Package],
) -> Result<(), SyncError> {
    let Some(lock) = lock else { return Ok(()) };
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
