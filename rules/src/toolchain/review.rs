//! Finds the entries of a lock that have no effect on the project. They stay in the lock, and the user is
//! told about them.

use std::fmt;

use super::names::is_in_no_registry;
use super::{BuiltIn, Catalogue, Lock, Toolchains};

/// An entry of a lock that no component uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Idle {
    /// A tool whose work this program does itself, so that its version has no effect.
    BuiltIn {
        /// The version in the lock.
        version: String,
        /// The tool, with the crates that do its work.
        built_in: BuiltIn,
    },
    /// A toolchain that is pinned, but that no component needs.
    Unused {
        /// The toolchain's name.
        name: String,
        /// The version in the lock.
        version: String,
    },
    /// A toolchain that is named but not pinned, because no component needs it.
    Unpinned {
        /// The toolchain's name.
        name: String,
        /// The version in the lock.
        version: String,
        /// True if this program can install that version.
        known: bool,
    },
}

impl Lock {
    /// Returns the entries that no component uses, without toolchains that were added by hand.
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
            Self::Unpinned { name, version, .. } if is_in_no_registry(name) => write!(
                f,
                "{name} {version}: not pinned, as no component has `compiler = \"{name}\"`"
            ),
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
