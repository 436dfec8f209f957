//! Chooses versions of packages, as Cargo does: of each package one version for each range of compatible versions.
//!
//! The versions 1.2.0 and 1.4.1 are compatible, so a project gets one of them; 1.4.1 and 2.0.0 are not, and it may get both.
//! Of the versions that fit, the newest is chosen, except that a version that the lock has stays. A version before a release
//! (`1.0.0-rc.1`) is chosen only if a requirement names it, and one that was withdrawn only if the lock has it.
//!
//! The search is that of `resolvo`, a solver for packages. This crate tells it what a package, a range and a requirement are
//! ([`provider`]), and makes a message of its proof that nothing fits ([`conflict`]). It knows no registry and no manifest:
//! a [`Source`] says which versions exist and what each needs.

mod conflict;
mod provider;
mod range;
mod resolve;

pub use conflict::{Chain, Conflict, Link};
pub use range::Range;
pub use resolve::{Chosen, Resolution, ResolveError, resolve};

use std::cmp::Ordering;

use semver::{Version, VersionReq};

/// A version that a registry offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The version.
    pub version: Version,
    /// True if its author has withdrawn it. Then only a lock may still have it.
    pub is_withdrawn: bool,
}

/// A package and the versions of it that are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Need {
    /// The name of the package.
    pub package: String,
    /// The versions that are accepted.
    pub requirement: VersionReq,
}

/// Requirements have no order of their own. Any will do, as long as it is always the same.
impl Ord for Need {
    fn cmp(&self, other: &Self) -> Ordering {
        let text = |need: &Self| need.requirement.to_string();
        self.package.cmp(&other.package).then_with(|| text(self).cmp(&text(other)))
    }
}

impl PartialOrd for Need {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Tells which versions of packages exist, and what each of them needs.
pub trait Source {
    /// The reason why it can't tell.
    type Error;

    /// Returns the versions of a package, in any order. There are none if the package does not exist.
    ///
    /// # Errors
    /// They can't be found out. That ends the search.
    fn versions(&self, package: &str) -> Result<Vec<Offer>, Self::Error>;

    /// Returns what a version of a package needs.
    ///
    /// # Errors
    /// It can't be found out. That ends the search.
    fn needs(&self, package: &str, version: &Version) -> Result<Vec<Need>, Self::Error>;
}

#[cfg(test)]
mod tests;
