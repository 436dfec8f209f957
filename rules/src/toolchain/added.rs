//! Toolchains that the catalogue lacks. Each is one archive or folder of the user's, and its recipe is in the
//! lock only.
//!
//! The recipe is always the same: the content of the archive stands at `usr/lib/NAME` of the image, without
//! the one folder in which most archives have everything. So the lock has a fixed word in the place of a
//! recipe's id, and the image's only package says the rest. Whoever has the lock can make the same tree.

use super::lock::{Image, Lock, Package, Pin, SourceKind};
use super::recipe::UNPACKER_VERSION;
use super::{Layer, LocalPath, Origin, Recipe, UrlArchive};
use crate::platform::Platform;

const PREFIX: &str = "added-";

/// Returns the word that a lock has in the place of a recipe's id.
pub(super) fn mark() -> String {
    format!("{PREFIX}{UNPACKER_VERSION}")
}

/// Returns the recipe of a toolchain that consists of one package.
pub(super) fn recipe(name: &str, version: &str, platform: Platform, from: Origin) -> Recipe {
    let layer = Layer {
        from,
        at: format!("usr/lib/{name}"),
        strip: true,
        rename: [].into(),
        exclude: Vec::new(),
        executable: Vec::new(),
    };
    Recipe {
        toolchain: name.to_owned(),
        version: version.to_owned(),
        platform,
        layers: vec![layer],
        links: [].into(),
    }
}

impl Image {
    /// Returns true if the image's recipe is in the lock only and not in the catalogue.
    #[must_use]
    pub fn is_added(&self) -> bool {
        self.recipe.starts_with(PREFIX)
    }
}

impl Lock {
    /// Returns the recipe of an image that was added by hand. Returns `None` if another version of the
    /// unpacker made the image, or if its packages are not those of an added toolchain.
    pub(super) fn added_recipe(&self, image: &Image) -> Option<Recipe> {
        let mut packages = self.packages(&image.toolchain, image.platform);
        let (Some(package), None) = (packages.next(), packages.next()) else { return None };
        let version = self.version(&image.toolchain)?;
        let recipe = recipe(&image.toolchain, version, image.platform, origin(package)?);
        (image.recipe == mark()).then_some(recipe)
    }
}

fn origin(package: &Package) -> Option<Origin> {
    match (package.source, &package.pin) {
        (SourceKind::Url, Pin::File(digest)) => {
            Some(Origin::Url(UrlArchive { url: package.from.clone(), sha256: Some(digest.hex()) }))
        }
        (SourceKind::Path, _) => Some(Origin::Path(LocalPath { path: package.from.clone() })),
        _ => None,
    }
}
