//! Unpacking packages into the store: nothing is written to disk but blobs.
//!
//! An archive is untrusted input, whatever its checksum says. Each format's file reads its format
//! and names entries; [`Collector`] alone decides what they mean, so that a rule holds for all
//! formats: no entry leaves the archive or lies behind a symbolic link of it, no path comes twice,
//! only files, folders and links, never more than [`Limits`] allow. Of a file's mode only the
//! executable bit is kept; owners and times are dropped; package scripts are never run.
//! Empty folders are dropped as well: a tree holds files and links.

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

pub(crate) use compression::reader as decompress;
pub(crate) use contents::{Blob, Contents, Naming, Node};
pub use limits::Excess;
pub(crate) use limits::Limits;
pub(crate) use npm::manifest as npm_manifest;
pub(crate) use placement::Placement;
pub use unpacker::UnpackError;
pub(crate) use unpacker::{
    Format, Loose, Unpacker, importable, loose, module_zip, npm_package, tarball,
};

#[cfg(test)]
pub(super) mod tests;
