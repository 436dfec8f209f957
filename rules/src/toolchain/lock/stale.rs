//! Why a lock does not serve: what it lacks, and what mends that.

use crate::toolchain::Platform;
use crate::toolchain::catalogue::suggest;

/// Why a lock does not serve what is needed; [`Stale::hint`] says what mends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// The toolchain is not locked.
    #[error("toolchain `{0}` is not in the lock")]
    Toolchain(String),
    /// The toolchain is locked by the two short tables alone.
    #[error("toolchain `{name}` {version} is in the lock by its name alone, without its packages")]
    Short {
        /// The toolchain.
        name: String,
        /// The lock's version.
        version: String,
    },
    /// The toolchain was added by hand, but not for this platform.
    #[error("toolchain `{name}` was added for {}, not for {platform}", .added.as_str())]
    Added {
        /// The toolchain.
        name: String,
        /// The platform asked for.
        platform: Platform,
        /// The platform it was added for.
        added: Platform,
    },
    /// The toolchain is locked in another version than the one asked for.
    #[error("toolchain `{name}` is locked at {locked}, not {needed}")]
    Version {
        /// The toolchain.
        name: String,
        /// The lock's version.
        locked: String,
        /// The version asked for.
        needed: String,
    },
    /// The toolchain is locked, but not for this platform.
    #[error("toolchain `{name}` is not locked for {platform}")]
    Platform {
        /// The toolchain.
        name: String,
        /// The platform asked for.
        platform: Platform,
    },
    /// The image was made by another recipe than this program's.
    #[error("toolchain `{0}` was locked by a `run` that unpacks it otherwise")]
    Recipe(String),
}

impl Stale {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Added { name, platform, .. } => format!(
                "run `run toolchain add {name} --platform {platform} --url URL` with its archive for {platform}"
            ),
            _ => "run `run toolchain sync` and commit run.lock.toml".to_owned(),
        }
    }
}

/// A toolchain was asked for by name that the lock does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("run.lock.toml has no toolchain `{name}`{}", suggest(.known, .name))]
pub struct NotLocked {
    /// What was asked for.
    pub name: String,
    /// What the lock has.
    pub known: Vec<String>,
}
