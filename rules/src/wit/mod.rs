//! WIT: the packages that a component's interface file refers to, put together into one folder that
//! every tool takes.
//!
//! A project keeps one small file, `wit/api.wit`; the tools want a folder whose `deps/` holds every
//! package it refers to, directly or not. [`complete`] makes that folder out of the project's own
//! `deps/`, neighbouring files, path dependencies and the built-in `wasi:*` texts. It only reads
//! and scans text and takes well under a millisecond; [`resolve`] parses the result and
//! [`select_world`] picks the world to build.
//!
//! Knows nothing of languages or the manifest: paths and texts in, texts out.

mod complete;
mod embedded;
mod errand;
mod location;
mod resolve;
mod scan;
mod search;
mod size;
mod source;
mod tree;
mod world;

pub use complete::{
    CompleteError, CompletedWit, Dependency, MissingPackage, Request, WitFile, complete, inputs,
};
pub use embedded::{matching as built_in_version, versions as built_in_versions};
pub use errand::Refused;
pub(crate) use errand::{CompleteErrand, ImportsErrand, async_functions};
pub use location::Location;
pub use resolve::{InvalidWit, ResolvedWit, resolve};
pub use source::SourceError;
#[cfg(test)]
pub(crate) use tree::file;
pub(crate) use tree::files;
pub use world::{WorldError, select_world};
