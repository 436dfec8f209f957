//! Recipes, which say which packages become an image, and by what rules.
//!
//! A recipe has an id, which is a digest over everything that decides how its packages become an image. So a
//! lock that was made with another recipe is noticed. A recipe fetches nothing itself.

use std::collections::BTreeMap;

use cache::{Digest, DigestFunction};
use serde::{Deserialize, Serialize};

use super::origin::Origin;
use crate::package::unpack::PlacementRules;
use crate::platform::Platform;

/// The version of the unpackers. It changes when they make other trees of the same packages.
pub(super) const UNPACKER_VERSION: u32 = 1;

/// A description of how the image of one version of a toolchain is made for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recipe {
    /// The toolchain's name.
    pub toolchain: String,
    /// The toolchain's version.
    pub version: String,
    /// The platform that the image is for.
    pub platform: Platform,
    /// The packages, in the order in which they are unpacked.
    pub layers: Vec<Layer>,
    /// The symbolic links that are added to the image: path → target.
    pub links: BTreeMap<String, String>,
}

/// Packages of one source that are unpacked by the same rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The packages.
    pub from: Origin,
    /// The folder of the image to which the packages are unpacked, or empty for the root.
    #[serde(default)]
    pub at: String,
    /// True if the one folder in which an archive has everything is stripped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strip: bool,
    /// Folders of the archive → their names in the image.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Globs over paths of the image, for files that are left out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Globs over paths of the image, for files that are made executable.
    #[serde(default)]
    pub executable: Vec<String>,
}

impl Layer {
    /// Returns the rules by which the layer's packages are unpacked.
    pub(crate) fn rules(&self) -> PlacementRules {
        PlacementRules {
            top: match &self.from {
                Origin::Crates(from) => from.folder(),
                _ => String::new(),
            },
            strip: self.strip,
            at: self.at.clone(),
            rename: self.rename.clone(),
            exclude: self.exclude.clone(),
            executable: self.executable.clone(),
        }
    }
}

impl Recipe {
    /// Returns a digest over everything that decides how the packages become an image, except the packages'
    /// own versions.
    #[must_use]
    pub fn id(&self) -> String {
        let text = serde_json::to_vec(&(UNPACKER_VERSION, self))
            .expect("strings, lists and maps with string keys can be written as JSON");
        Digest::of(DigestFunction::Sha256, &text).hex()
    }
}
