//! Toolchains that the catalogue lacks: one archive or folder of the user's, whose recipe is in the lock alone.
//!
//! The recipe is always the same: what the archive holds stands at `usr/lib/NAME` of the image,
//! without the one folder that archives usually have everything in. So the lock's image names it by
//! a word, and its one package says the rest; whoever has the lock can make the same tree.

use super::catalogue::UNPACKER_VERSION;
use super::lock::{Image, Lock, Package, Pin, SourceKind};
use super::{Layer, LocalPath, Origin, Platform, Recipe, UrlArchive};

const PREFIX: &str = "added-";

/// What stands in a lock in the place of a recipe's id.
pub(super) fn mark() -> String {
    format!("{PREFIX}{UNPACKER_VERSION}")
}

/// The recipe of a toolchain of one package.
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
    /// Whether its recipe is in the lock alone, and none of the catalogue's.
    #[must_use]
    pub fn is_added(&self) -> bool {
        self.recipe.starts_with(PREFIX)
    }
}

impl Lock {
    /// The recipe of an image that was added by hand; `None` if this program makes it otherwise, or
    /// if its package is none that can be added.
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
