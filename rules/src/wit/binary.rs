//! Reads WIT packages and components in their binary form, and turns their WIT back into text, because not every tool reads
//! the binary form.

use std::borrow::Cow;
use std::path::Path;

use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::{PackageId, Resolve, WorldId};

use super::source::{Loaded, PackageSource, SourceError, TextFile};

/// A WIT package or a component.
pub(super) struct Binary {
    pub(super) resolve: Resolve,
    pub(super) top: Top,
}

/// The part of the model that a binary is.
#[derive(Clone, Copy)]
pub(super) enum Top {
    /// A WIT package.
    Package(PackageId),
    /// A component, with its imports and exports.
    Component(WorldId),
}

impl Binary {
    /// Decodes a binary. `origin` is its name in messages.
    pub(super) fn decode(bytes: &[u8], origin: &Path) -> Result<Self, SourceError> {
        match wit_component::decode(bytes) {
            Ok(DecodedWasm::WitPackage(resolve, package)) => {
                Ok(Self { resolve, top: Top::Package(package) })
            }
            Ok(DecodedWasm::Component(resolve, world)) => {
                Ok(Self { resolve, top: Top::Component(world) })
            }
            Err(error) => Err(SourceError::NotPackage {
                path: origin.to_owned(),
                reason: format!("{error:#}"),
            }),
        }
    }

    /// Returns the texts of its packages.
    pub(super) fn load(&self, origin: &Path) -> Result<Loaded, SourceError> {
        let (main, left_out) = match self.top {
            Top::Package(package) => (Some(package), Some(package)),
            // The package of the world itself is made up by the decoder.
            Top::Component(world) => (None, self.resolve.worlds[world].package),
        };
        let others =
            self.resolve.packages.iter().map(|(id, _)| id).filter(|id| Some(*id) != left_out);
        Ok(Loaded {
            package: main.map(|id| self.print(id, origin)).transpose()?,
            others: others.map(|id| self.print(id, origin)).collect::<Result<_, _>>()?,
        })
    }

    fn print(&self, id: PackageId, origin: &Path) -> Result<PackageSource, SourceError> {
        let wrong = |reason: String| SourceError::NotPackage { path: origin.to_owned(), reason };
        let mut printer = WitPrinter::default();
        printer.print(&self.resolve, id, &[]).map_err(|error| wrong(format!("{error:#}")))?;
        let text = printer.output.to_string();
        let file = TextFile::new("package.wit", origin.display().to_string(), Cow::Owned(text));
        PackageSource::new(vec![file]).ok_or_else(|| wrong("it has no name".into()))
    }
}
