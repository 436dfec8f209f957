//! Resolves and pins the toolchains of a project, for `run toolchain sync` and builds. Only this code decides
//! about versions.
//!
//! What a lock already says stays as it is, unless it is to be upgraded. What it lacks is pinned by the
//! catalogue ([`Resolution`]) or looked up in registries. Then it is fetched and unpacked, so that the digest
//! of each image is known. A complete lock is not changed by a byte, and nothing is fetched for it. A lock
//! serves all platforms for which it has images, and keeps them at the same versions.

use std::collections::BTreeSet;
use std::path::Path;

use cache::{ContentStore, StoreError};

use super::image::{self, ImageError, Made};
use super::install::{InstallError, make_as_pinned};
use super::lock::{Checksum, Image, Lock, LockError, Package, Stale};
use super::names::is_in_no_registry;
use super::resolution::Resolution;
use super::source::Session;
use super::{Catalogue, CatalogueError, GO, Recipe, TINYGO_GO, Toolchains, Upgrade, UpgradeError};
use crate::package::{Event, Events, Registries};
use crate::platform::Platform;

/// A sync of a lock with what a project needs.
pub struct Sync<'a> {
    /// The store that gets packages and images.
    pub store: &'a ContentStore,
    /// The catalogue of toolchains.
    pub catalogue: &'a Catalogue,
    /// The toolchains that the project needs.
    pub needed: &'a Toolchains,
    /// The platforms to pin in addition to those in the lock. That of this machine comes first.
    pub platforms: &'a [Platform],
    /// The toolchains that are resolved again, whatever the lock says.
    pub upgrade: &'a Upgrade,
    /// True if toolchains that the project does not need are dropped. Those that were added by hand stay.
    pub prune: bool,
    /// The settings by which registries are reached.
    pub registries: &'a Registries,
    /// The receiver of events, which may also stop the work.
    pub events: &'a dyn Events,
}

/// The reason why a sync failed.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The catalogue has no such toolchain, version or image.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The lock names a version that this program has no recipe for.
    #[error("run.lock.toml pins `{name}` {version}, which this `run` can't install")]
    Version {
        /// The toolchain's name.
        name: String,
        /// The version in the lock.
        version: String,
        /// The version that is taken if the project asks for none.
        default: String,
        /// The catalogue's error, which lists the versions that it has.
        #[source]
        source: Box<CatalogueError>,
    },
    /// A toolchain can't be upgraded as requested.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// A toolchain that has to be added by hand was not added, or not for this platform.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The lockfile can't be read or written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// An image can't be assembled.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image of pinned or remembered packages can't be installed, or is another one.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lock has another checksum for the toolchain.
    #[error("`{toolchain}` {version} has the checksum {actual}, the lock says {expected}")]
    ChecksumMismatch {
        /// The toolchain's name.
        toolchain: String,
        /// Its version.
        version: String,
        /// The checksum in the lock.
        expected: Checksum,
        /// The checksum of the first package that was found.
        actual: Checksum,
    },
}

impl SyncError {
    /// Returns true if other bytes came than were pinned.
    #[must_use]
    pub const fn is_mismatch(&self) -> bool {
        match self {
            Self::ChecksumMismatch { .. } => true,
            Self::Image(ImageError::Source(source)) => source.is_mismatch(),
            Self::Install(error) => error.is_mismatch(),
            _ => false,
        }
    }

    /// Returns true if the work was stopped because the user wanted it.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        match self {
            Self::Image(ImageError::Source(source)) => source.is_cancelled(),
            Self::Install(error) => error.is_cancelled(),
            _ => false,
        }
    }

    /// Returns true if the sync failed because the network is switched off.
    const fn is_offline(&self) -> bool {
        match self {
            Self::Image(ImageError::Source(source))
            | Self::Install(InstallError::Image(ImageError::Source(source))) => source.is_offline(),
            _ => false,
        }
    }

    /// Returns true if the project, its lock or the request is wrong, whatever is on the machine.
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

    /// Returns hints about what the user can do.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Version { name, version, default, .. } => {
                let mut hints = vec![format!("`run toolchain sync --upgrade {name}` pins {default}")];
                hints.extend(go_of_tinygo(name));
                hints.push(format!("another version of `run` may know {name} {version}"));
                hints
            }
            Self::Upgrade(UpgradeError::Catalogue(CatalogueError::UnknownVersion {
                name, ..
            })) => go_of_tinygo(name).into_iter().collect(),
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
    /// Brings a lockfile up to date: reads it, syncs it, and writes it if anything changed.
    ///
    /// # Errors
    /// See [`SyncError`]. After an error the lockfile is unchanged.
    pub fn update(&self, lockfile: &Path) -> Result<Lock, SyncError> {
        let before = Lock::read(lockfile)?;
        let after = self.run(before.as_ref())?;
        if before.as_ref() != Some(&after) {
            after.write(lockfile)?;
        }
        Ok(after)
    }

    /// Completes a lock. It blocks until all is done, so it must be called where blocking is allowed.
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
            if lock.is_added(&name) || is_in_no_registry(&name) {
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

    /// Returns the names of the toolchains that are needed or are to be upgraded.
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

    /// Returns all platforms to pin. That of this machine comes first, because a checksum that the user wrote
    /// by hand is that of a package for this machine.
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
            return Ok(toolchain.default_beside(lock).to_owned());
        };
        toolchain.check_version(name, locked).map_err(|source| SyncError::Version {
            name: name.to_owned(),
            version: locked.to_owned(),
            default: toolchain.default_beside(lock).to_owned(),
            source: Box::new(source),
        })?;
        Ok(locked.to_owned())
    }

    /// Returns the recipe of a version. Returns `None`, with a warning, if there is no image for a platform
    /// that only the lock asks for, so that the other platforms can be pinned nevertheless.
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
            true => Resolution::remembered(self.store, recipe),
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

    /// Makes the image of known packages present in the store. No registry is asked about versions.
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
            // From here on a store with another digest function knows its own digest of the image.
            known.remember(self.store, recipe, &made.stored)?;
        }
        Ok(known)
    }

    /// Asks the registries for the packages that are not locked, and assembles the image.
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
        // What came from a lock is not remembered, because a checkout must not influence other projects.
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

/// Returns a hint for users who want an older Go, because they may want it for TinyGo.
fn go_of_tinygo(name: &str) -> Option<String> {
    let theirs = Catalogue::builtin().toolchain(TINYGO_GO).ok().filter(|_| name == GO)?;
    let versions: Vec<&str> = theirs.versions().collect();
    Some(format!(
        "TinyGo has a Go of its own: `run toolchain sync --upgrade {TINYGO_GO}@VERSION` pins one of {}",
        versions.join(", ")
    ))
}

/// Returns true if the lock has the image of exactly this recipe.
fn is_complete(lock: &Lock, recipe: &Recipe) -> bool {
    lock.version(&recipe.toolchain) == Some(&recipe.version)
        && lock
            .image(&recipe.toolchain, recipe.platform)
            .is_ok_and(|image| image.recipe == recipe.id())
}

/// Compares the first package with a checksum that the user wrote into the lock together with the toolchain's
/// name. Such a lock has no image yet.
fn check_written_by_hand(
    lock: Option<&Lock>,
    recipe: &Recipe,
    packages: &[Package],
) -> Result<(), SyncError> {
    let (name, version) = (&recipe.toolchain, &recipe.version);
    let expected = lock.and_then(|lock| lock.written_checksum(name, version));
    match (expected, packages.first().map(Package::checksum)) {
        (Some(expected), Some(actual)) if *expected != actual => Err(SyncError::ChecksumMismatch {
            toolchain: name.clone(),
            version: version.clone(),
            expected: expected.clone(),
            actual,
        }),
        _ => Ok(()),
    }
}
