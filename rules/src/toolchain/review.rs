//! What stands in a lock without having an effect on the project. Kept, and told.

use std::fmt;

use super::{BuiltIn, Catalogue, Lock, Toolchains};

/// An entry of a lock that no component uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Idle {
    /// This program does what it is for; its version has no effect.
    BuiltIn {
        /// The version in the lock.
        version: String,
        /// The tool.
        built_in: BuiltIn,
    },
    /// It is pinned, and no component needs it.
    Unused {
        /// The toolchain.
        name: String,
        /// The version in the lock.
        version: String,
    },
    /// It is named, but not pinned, as no component needs it.
    Unpinned {
        /// The toolchain.
        name: String,
        /// The version in the lock.
        version: String,
        /// Whether this program could install it.
        known: bool,
    },
}

impl Lock {
    /// The entries that no component uses. What was added by hand is not among them.
    #[must_use]
    pub fn idle(&self, needed: &Toolchains, catalogue: &Catalogue) -> Vec<Idle> {
        let idle = self.toolchains.iter().filter(|(name, _)| !needed.has(name));
        let idle = idle.filter(|(name, _)| !self.is_added(name));
        idle.map(|(name, version)| {
            let (name, version) = (name.clone(), version.clone());
            let known = catalogue.toolchain(&name).and_then(|t| t.check_version(&name, &version));
            match BuiltIn::of(&name, catalogue) {
                Some(built_in) => Idle::BuiltIn { version, built_in },
                None if self.images_of(&name).next().is_some() => Idle::Unused { name, version },
                None => Idle::Unpinned { name, version, known: known.is_ok() },
            }
        })
        .collect()
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn { version, built_in } => {
                write!(f, "{} {version}: {built_in}; the version has no effect", built_in.name)
            }
            Self::Unused { name, version } => {
                write!(f, "{name} {version}: no component needs it; --prune drops it")
            }
            Self::Unpinned { name, version, known: true } => {
                write!(f, "{name} {version}: not pinned, as no component needs it")
            }
            Self::Unpinned { name, version, known: false } => write!(
                f,
                "{name} {version}: not pinned, as no component needs it, and this `run` could not install it"
            ),
        }
    }
}
