//! Unpacks packages into the store. Nothing is written to disk but blobs.
//!
//! An archive is untrusted input, whatever its checksum says. Each file here reads one format and passes on
//! the entries. [`Collector`](collect::Collector) alone decides what an entry means, so that these rules hold
//! for all formats:
//!
//! - No entry leads out of the archive or lies behind one of its symbolic links.
//! - No path comes twice.
//! - An entry is a file, a folder or a link. Empty folders are dropped, because a tree holds only files and
//!   links.
//! - There is never more than the [`Limits`] allow.
//! - Of a file's mode only the executable bit is kept. Owners and times are dropped.
//! - Package scripts are never run.

mod collect;
mod compression;
mod contents;
mod deb;
mod folder;
mod limits;
mod npm;
mod placement;
mod tar;
mod unpacker;
mod wheel;
mod zip;

use cache::DigestFunction;

pub(crate) use compression::reader as decompress;
pub(crate) use contents::{Blob, Contents, Naming, Node};
pub use limits::Excess;
pub(crate) use limits::Limits;
pub(crate) use npm::manifest as npm_manifest;
pub(crate) use placement::{Placement, PlacementRules};
pub use unpacker::UnpackError;
pub(crate) use unpacker::{
    Format, Loose, Unpacker, importable, loose, module_zip, npm_package, tarball,
};

/// The digest function of every tree digest in a lock. It does not depend on the store, because a lock is the
/// same for all who share it.
pub(crate) const TREE_FUNCTION: DigestFunction = DigestFunction::Blake3;

#[cfg(test)]
pub(crate) mod tests;
