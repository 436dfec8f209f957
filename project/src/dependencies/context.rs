//! Everything that the steps of getting packages have in common.

use std::collections::BTreeSet;
use std::sync::Arc;

use cache::DiskStore;
use registry::Registries;
use sandbox::Cancel;

use crate::Project;

/// The dependencies of one project.
pub struct Dependencies<'a> {
    /// The project.
    pub project: &'a Project,
    /// The store that packages are taken into.
    pub store: &'a DiskStore,
    /// The registries of packages.
    pub packages: &'a Registries,
    /// The access to repositories: the user's git.
    pub clients: &'a rules::package::Registries,
    /// The means to stop.
    pub cancel: Cancel,
}

/// The locked versions that a resolution may leave behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// None: what is locked stays as long as it serves.
    Nothing,
    /// Those of these packages.
    Named(BTreeSet<String>),
    /// All.
    Everything,
}

impl Dependencies<'_> {
    pub(super) fn cancelled(&self) -> Arc<dyn Fn() -> bool + Send + Sync> {
        let cancel = self.cancel.clone();
        Arc::new(move || cancel.is_cancelled())
    }
}

/// Those who need packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A build, which needs `[dependencies]`.
    Build,
    /// Tests, which need `[dev_dependencies]`, too.
    Tests,
}
