//! What a sync looks up anew, whatever the lock says.

use std::collections::BTreeMap;

use super::built_in::BuiltIn;
use super::{Catalogue, CatalogueError, Lock, Toolchains};

/// What a sync looks up anew: versions go to the catalogue's default, packages to what is newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// Nothing: the lock stands.
    #[default]
    Nothing,
    /// Everything that is needed or pinned, but for what was added by hand.
    All,
    /// These toolchains, some of them to a version that was asked for.
    Named(BTreeMap<String, Option<String>>),
}

/// Why a toolchain can't be upgraded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// There is no such toolchain or version.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// It was added by hand.
    #[error("`{0}` was added by hand: `run toolchain add {0}@VERSION …` replaces it")]
    Added(String),
    /// This program does what it is for.
    #[error("`{}` is no toolchain: {}", .0.name, .0)]
    BuiltIn(BuiltIn),
    /// Nobody uses it.
    #[error("no component needs `{0}`, and run.lock.toml does not have it")]
    NotUsed(String),
}

impl Upgrade {
    /// Whether the toolchain is to be upgraded.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Named(names) => names.contains_key(name),
        }
    }

    /// The version that was asked for.
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
