//! Checks if a lock pins what a project needs. It fetches nothing and reads no file.

use super::lock::{Lock, Stale};
use super::{Catalogue, Toolchains};
use crate::platform::Platform;

impl Lock {
    /// Checks that every toolchain of `needed` is locked for `platform`.
    ///
    /// # Errors
    /// The problem of the first toolchain, by name, that is not.
    pub fn check(&self, needed: &Toolchains, platform: Platform) -> Result<(), Stale> {
        for (name, version) in needed.iter() {
            self.image(name, platform)?;
            self.check_version(name, version)?;
            self.check_image(name, platform)?;
        }
        Ok(())
    }

    fn check_version(&self, name: &str, needed: Option<&str>) -> Result<(), Stale> {
        match (self.version(name), needed) {
            (Some(locked), Some(needed)) if locked != needed => Err(Stale::Version {
                name: name.to_owned(),
                locked: locked.to_owned(),
                needed: needed.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Refuses a version that the user wrote over another one while the other one's image is still locked. If
    /// the catalogue of this program makes the image for no version, the image may well be that of the
    /// version, so nothing is refused.
    fn check_image(&self, name: &str, platform: Platform) -> Result<(), Stale> {
        let (image, named) = (self.image(name, platform)?, self.version(name).unwrap_or_default());
        let catalogue = Catalogue::builtin();
        let makes = |version: &str| {
            let recipe = catalogue.recipe(name, version, platform);
            recipe.is_ok_and(|recipe| recipe.id() == image.recipe)
        };
        let Ok(toolchain) = catalogue.toolchain(name) else { return Ok(()) };
        match toolchain.versions().find(|&version| version != named && makes(version)) {
            Some(made) if !makes(named) => Err(Stale::Edited {
                name: name.to_owned(),
                named: named.to_owned(),
                made: made.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}
