//! The reasons why a lock does not serve a need, and the command that repairs each of them. No repair is done
//! here.

use crate::platform::Platform;
use crate::toolchain::names::suggest;

/// The reason why a lock does not serve what is needed. [`Stale::hint`] says how to repair it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// The toolchain is not locked.
    #[error("toolchain `{0}` is not in the lock")]
    Toolchain(String),
    /// The toolchain has entries only in the tables `[toolchains]` and `[checksums]`, but no image.
    #[error("toolchain `{name}` {version} is in the lock by its name alone, without its packages")]
    Short {
        /// The toolchain's name.
        name: String,
        /// The version in the lock.
        version: String,
    },
    /// No registry offers the toolchain, and the lock does not say where it comes from.
    #[error("toolchain `{name}`{} is in no registry, so it has to be added", .version.as_ref().map(|version| format!(" {version}")).unwrap_or_default())]
    NotAdded {
        /// The toolchain's name.
        name: String,
        /// The version in the lock, if there is one.
        version: Option<String>,
    },
    /// The version in the lock is not the version of the image in the lock.
    #[error("toolchain `{name}` is {named} in the lock, whose image is that of {made}")]
    Edited {
        /// The toolchain's name.
        name: String,
        /// The version in the lock.
        named: String,
        /// The version of the image.
        made: String,
    },
    /// The toolchain was added by hand, but not for this platform.
    #[error("toolchain `{name}` was added for {}, not for {platform}", .added.as_str())]
    Added {
        /// The toolchain's name.
        name: String,
        /// The platform that was asked for.
        platform: Platform,
        /// The platform for which it was added.
        added: Platform,
    },
    /// The locked version of the toolchain is not the one that was asked for.
    #[error("toolchain `{name}` is locked at {locked}, not {needed}")]
    Version {
        /// The toolchain's name.
        name: String,
        /// The version in the lock.
        locked: String,
        /// The version that was asked for.
        needed: String,
    },
    /// The toolchain is locked, but not for this platform.
    #[error("toolchain `{name}` is not locked for {platform}")]
    Platform {
        /// The toolchain's name.
        name: String,
        /// The platform that was asked for.
        platform: Platform,
    },
    /// The image was made with another recipe than this program has.
    #[error("toolchain `{0}` was locked by a `run` that unpacks it otherwise")]
    Recipe(String),
}

impl Stale {
    /// Returns a hint about what the user can do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Added { name, platform, .. } => format!(
                "run `run toolchain add {name} --platform {platform} --url URL` with its archive for {platform}"
            ),
            Self::NotAdded { name, version } => {
                let version = version.as_deref().unwrap_or("VERSION");
                format!(
                    "run `run toolchain add {name}@{version} --path ARCHIVE` with the archive of its release, or \
                     `--url URL` in the place of `--path ARCHIVE`"
                )
            }
            _ => "run `run toolchain sync` and commit run.lock.toml".to_owned(),
        }
    }
}

/// The error for a toolchain that was asked for by name and that the lock does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("run.lock.toml has no toolchain `{name}`{}", suggest(.known, .name))]
pub struct NotLocked {
    /// The name that was asked for.
    pub name: String,
    /// The toolchains in the lock.
    pub known: Vec<String>,
}
