//! Pins the toolchains of a project: gives the lock that a build needs, and completes it if that is allowed.
//!
//! Only [`rules::toolchain::Sync`] decides about versions. This file decides when it is called, and for which
//! toolchains.

use std::sync::Arc;

use cache::DiskStore;
use rules::package::{Events, Registries};
use rules::plan::Selection;
use rules::platform::{Platform, host_platform};
use rules::toolchain::{Catalogue, Images, Lock, Sync, Toolchains, Upgrade};

use crate::{Error, Project};

/// Pins the toolchains of one project.
pub struct Pinning<'a> {
    /// The project whose lock is read and written.
    pub project: &'a Project,
    /// The store of packages and images.
    pub store: &'a DiskStore,
    /// The access to registries.
    pub registries: &'a Registries,
    /// The receiver of the events, which also says if the work should stop.
    pub events: &'a dyn Events,
}

/// The choice of what a build does about a lock that lacks something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockPolicy {
    /// A sync completes it.
    Complete,
    /// It stays as it is, and the build is refused.
    Keep,
}

/// A request to a sync to do more than completing the lock.
#[derive(Debug, Clone, Default)]
pub struct SyncRequest {
    /// The toolchains to upgrade.
    pub upgrade: Upgrade,
    /// True if toolchains that the project does not need are removed from the lock.
    pub prune: bool,
    /// The platforms that are pinned in addition to this machine's.
    pub platforms: Vec<Platform>,
}

impl Pinning<'_> {
    /// Returns the lock if it is complete for the selected components. Otherwise completes it, if the policy
    /// allows that.
    ///
    /// # Errors
    /// [`Error::Stale`] if the lock lacks something and must not be changed, or any error of a
    /// [sync](Self::sync).
    pub fn lock_for_build(&self, selection: &Selection, policy: LockPolicy) -> Result<Lock, Error> {
        let needed = self.project.toolchains(selection)?;
        let lock = self.project.lock()?.unwrap_or_default();
        if needed.is_empty() {
            return Ok(lock);
        }
        match (lock.check(&needed, host_platform()?), policy) {
            (Ok(()), _) => Ok(lock),
            (Err(stale), LockPolicy::Keep) => Err(stale.into()),
            (Err(_), LockPolicy::Complete) => {
                // The lock gets everything that the project needs, so that it does not depend on a selection.
                let all = self.project.toolchains(&Selection::with_tests())?;
                self.sync(&all, &SyncRequest::default())
            }
        }
    }

    /// Resolves what is needed and not pinned yet, and writes the lock.
    ///
    /// # Errors
    /// [`Error::Host`], or [`Error::Sync`].
    pub fn sync(&self, needed: &Toolchains, request: &SyncRequest) -> Result<Lock, Error> {
        let mut platforms = vec![host_platform()?];
        platforms.extend(&request.platforms);
        platforms.dedup();
        let sync = Sync {
            store: self.store,
            catalogue: Catalogue::builtin(),
            needed,
            platforms: &platforms,
            upgrade: &request.upgrade,
            prune: request.prune,
            registries: self.registries,
            events: self.events,
        };
        Ok(sync.update(&self.project.lock_path())?)
    }
}

/// Returns the images that a lock pins, for a build on this machine.
#[must_use]
pub fn images(lock: Lock, registries: Arc<Registries>, store: &DiskStore) -> Arc<Images> {
    Arc::new(Images { lock, platform: host_platform(), function: store.function(), registries })
}
