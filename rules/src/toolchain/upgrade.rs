//! The choice of what a sync resolves again, whatever the lock says. It does not resolve anything itself.

use std::collections::BTreeMap;

use super::built_in::BuiltIn;
use super::names::is_in_no_registry;
use super::{Catalogue, CatalogueError, Lock, Toolchains};

/// The toolchains that a sync resolves again. Their versions become the catalogue's default, their packages
/// the newest ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// No toolchain: the lock stays as it is.
    #[default]
    Nothing,
    /// All toolchains that are needed or pinned, except those that were added by hand.
    All,
    /// These toolchains, some of them with a version that was asked for.
    Named(BTreeMap<String, Option<String>>),
}

/// The reason why a toolchain can't be upgraded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// The catalogue has no such toolchain or version.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The toolchain was added by hand.
    #[error("`{0}` was added by hand: `run toolchain add {0}@VERSION …` replaces it")]
    Added(String),
    /// No registry offers the toolchain.
    #[error("`{0}` is in no registry: `run toolchain add {0}@VERSION --path ARCHIVE` pins it")]
    NotOffered(String),
    /// The tool's work is done by this program itself.
    #[error("`{}` is no toolchain: {}", .0.name, .0)]
    BuiltIn(BuiltIn),
    /// No component needs the toolchain, and the lock does not have it.
    #[error("no component needs `{0}`, and run.lock.toml does not have it")]
    NotUsed(String),
}

impl Upgrade {
    /// Returns true if the toolchain is to be upgraded.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Named(names) => names.contains_key(name),
        }
    }

    /// Returns the version that was asked for, or `None` if none was.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<&str> {
        match self {
            Self::Named(names) => names.get(name)?.as_deref(),
            Self::Nothing | Self::All => None,
        }
    }

    pub(super) fn check(
        &self,
        catalogue: &Catalogue,
        needed: &Toolchains,
        lock: &Lock,
    ) -> Result<(), UpgradeError> {
        let Self::Named(names) = self else { return Ok(()) };
        for (name, version) in names {
            if lock.is_added(name) {
                return Err(UpgradeError::Added(name.clone()));
            }
            if let Some(built_in) = BuiltIn::of(name, catalogue) {
                return Err(UpgradeError::BuiltIn(built_in));
            }
            if is_in_no_registry(name) {
                return Err(UpgradeError::NotOffered(name.clone()));
            }
            let toolchain = catalogue.toolchain(name)?;
            if let Some(version) = version {
                toolchain.check_version(name, version)?;
            }
            if !needed.has(name) && lock.version(name).is_none() {
                return Err(UpgradeError::NotUsed(name.clone()));
            }
        }
        Ok(())
    }
}
