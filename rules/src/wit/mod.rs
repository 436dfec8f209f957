//! Completes and parses WIT: the packages that a component's interface file refers to are put together into
//! one folder that every tool accepts.
//!
//! A project keeps one small file, such as `wit/api.wit`. Tools want a folder whose `deps/` holds every
//! package that the file refers to, directly or not. [`complete()`] makes that folder out of the project's
//! own `deps/`, neighbouring files, dependencies and the built-in `wasi:*` texts. It only reads and
//! scans text, and takes well under a millisecond. Then [`resolve()`] parses the result, and [`select_world`]
//! picks the world to build.
//!
//! This module knows neither languages nor the manifest: it takes paths and texts and returns texts.

mod binary;
mod complete;
mod description;
mod embedded;
mod errand;
mod fetched;
mod listing;
mod location;
mod resolve;
mod rewrite;
mod scan;
mod search;
mod size;
mod source;
mod tree;
mod world;

pub use complete::{
    CompleteError, CompletedWit, Dependency, FetchedPackage, MissingPackage, Request, WitFile,
    complete, inputs,
};
pub use description::{Description, PackageKind};
pub(crate) use embedded::release as built_in_release;
pub use embedded::{
    matching as built_in_version, newest as newest_built_in, versions as built_in_versions,
};
pub(crate) use errand::{
    CompleteErrand, Completed, DescribeErrand, ImportsErrand, async_functions,
};
pub(crate) use fetched::{PACKAGE_FILE, package_files};
pub(crate) use listing::COPY;
pub use location::Location;
pub(crate) use resolve::resolve_all;
pub use resolve::{InvalidWit, ResolvedWit, resolve};
pub use source::SourceError;
pub use tree::Origins;
pub(crate) use tree::files;
pub use world::{WorldError, select_world};
