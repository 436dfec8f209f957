//! The packages that a source has found for a layer. They are not in a lock yet.

use crate::package::Purl;
use crate::toolchain::lock::{Pin, SourceKind};

/// A package that a source has found for a layer.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// The package's name and version.
    pub(crate) purl: Purl,
    /// The kind of source that the package comes from.
    pub(crate) source: SourceKind,
    /// The name by which the layer lists the package.
    pub(crate) key: String,
    /// The text that the source needs to fetch the package again.
    pub(crate) from: String,
    /// The name of the package's file, if it has one.
    pub(crate) file: Option<String>,
    /// The pin of the package's bytes.
    pub(crate) pin: Pin,
}
