//! The ranges of compatible versions.

use std::fmt;

use semver::Version;

/// A range of versions that are compatible with each other: those whose leftmost number that is not zero is the same, and
/// all numbers left of it. It is written as Cargo writes the requirement for it: `1`, `0.2`, `0.0.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    major: u64,
    minor: u64,
    patch: u64,
}

impl Range {
    /// The range that comes before all others.
    pub(crate) const FIRST: Self = Self { major: 0, minor: 0, patch: 0 };

    /// Returns the range that a version is in.
    #[must_use]
    pub const fn of(version: &Version) -> Self {
        match (version.major, version.minor) {
            (0, 0) => Self { major: 0, minor: 0, patch: version.patch },
            (0, minor) => Self { major: 0, minor, patch: 0 },
            (major, _) => Self { major, minor: 0, patch: 0 },
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { major: 0, minor: 0, patch } => write!(f, "0.0.{patch}"),
            Self { major: 0, minor, .. } => write!(f, "0.{minor}"),
            Self { major, .. } => write!(f, "{major}"),
        }
    }
}
