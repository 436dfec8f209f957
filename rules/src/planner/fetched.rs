//! Describes the packages that an action fetches, as the lockfile of a language pins them.
//!
//! A language module notes them beside the action when it plans it, so that nobody has to read its lockfile a second time to
//! say what a component is made of. They are no part of the action or its key.

use crate::package::{PinFunction, Purl};
use crate::path::ProjectPath;

/// The packages that an action fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The lockfile that pins them.
    pub lock: ProjectPath,
    /// The packages, as far as one digest pins each of them.
    pub packages: Vec<FetchedPackage>,
}

/// A package that an action fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedPackage {
    /// The package's name and version.
    pub purl: Purl,
    /// The function of the digest that pins it.
    pub function: PinFunction,
    /// The digest, in lower-case hexadecimal digits.
    pub digest: String,
}

impl FetchedPackage {
    /// Describes a package that a digest pins.
    #[must_use]
    pub const fn new(purl: Purl, function: PinFunction, digest: String) -> Self {
        Self { purl, function, digest }
    }
}
