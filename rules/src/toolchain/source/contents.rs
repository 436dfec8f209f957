//! Gets the files of a locked package: from the store, or else from its source. What a source returns is
//! checked here, so no source can skip that.

use cache::Digest;

use super::error::SourceError;
use super::session::Session;
use super::{crates, debian, npm, path, pypi, rustup, url};
use crate::package::unpack::{Contents, Format};
use crate::toolchain::lock::{Package, Pin};
use crate::toolchain::origin::Origin;
use crate::toolchain::recipe::{Layer, Recipe};

impl Session<'_> {
    /// Returns the files of a locked package, from the store or else from its source. Their bytes are the
    /// pinned ones.
    pub(crate) fn contents(
        &self,
        package: &Package,
        layer: &Layer,
        recipe: &Recipe,
    ) -> Result<Contents, SourceError> {
        match &package.pin {
            Pin::File(digest) => {
                let name = package.display_name();
                let bytes = self.bytes(package, layer, digest)?;
                self.unpack(name, layer, |unpacker| match npm::place(layer, package) {
                    Some(place) => unpacker.npm(place, &bytes),
                    None => unpacker.archive(Format::detect(name, &bytes)?, &bytes),
                })
            }
            Pin::Tree { tree, .. } => self.tree(package, layer, recipe, tree),
        }
    }

    fn bytes(
        &self,
        package: &Package,
        layer: &Layer,
        digest: &Digest,
    ) -> Result<Vec<u8>, SourceError> {
        if let Some(bytes) = self.packages.get(digest)? {
            return Ok(bytes);
        }
        let bytes = match &layer.from {
            Origin::Crates(from) => crates::fetch(self, from, package, digest)?,
            Origin::Debian(from) => debian::fetch(self, from, package, digest.size())?,
            Origin::Npm(_) => {
                // All packages of the image were fetched together before, but this one has been deleted from
                // the store since.
                npm::fetch(self, &[package])?;
                return self.packages.get(digest)?.ok_or_else(|| unmatched(package));
            }
            Origin::Pypi(from) => pypi::fetch(self, from, package, digest)?,
            Origin::Url(_) => url::fetch(self, package, digest.size())?,
            Origin::Path(_) => path::fetch(self, package)?,
            Origin::Rustup(_) => return Err(unmatched(package)),
        };
        self.keep(package.display_name(), digest, &bytes)?;
        Ok(bytes)
    }

    fn tree(
        &self,
        package: &Package,
        layer: &Layer,
        recipe: &Recipe,
        tree: &Digest,
    ) -> Result<Contents, SourceError> {
        if let Some(contents) = self.stored_tree(tree)? {
            return Ok(contents);
        }
        let contents = match &layer.from {
            Origin::Rustup(from) => rustup::fetch(self, from, layer, recipe, (package, tree))?,
            Origin::Path(from) => path::folder(self, &from.path, layer)?,
            _ => return Err(unmatched(package)),
        };
        let actual = self.keep_tree(package.display_name(), &contents)?;
        if actual == *tree {
            return Ok(contents);
        }
        Err(SourceError::mismatch(package.display_name(), tree, &actual))
    }
}

fn unmatched(package: &Package) -> SourceError {
    SourceError::Unmatched {
        toolchain: package.toolchain.clone(),
        package: package.purl.to_string(),
    }
}
