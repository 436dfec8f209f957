//! Releases that can be proved: what a release holds, who vouches for it, and whether that is enough.
//!
//! - [`keys`] signs and checks signatures; [`dsse`] and [`bundle`] are the formats in which signatures travel.
//! - [`statement`] is what is signed: an in-toto Statement with SLSA provenance. A [`Build`] is what the caller
//!   knows about a build, and becomes such a statement.
//! - [`sbom`] writes bills of materials, [`archive`] the file of a release, [`referrer`] what a registry keeps
//!   beside a component.
//! - [`verify`] checks a release against [`trust`]ed keys and a [`policy`], and [`explain`](explain()) says to
//!   people what was claimed, by whom, and what was checked.
//!
//! **Everything that is read may be hostile.** Each format is bounded, an object of JSON has each key once, and
//! a text of somebody else is shown without control characters.
//!
//! **The same release is always the same bytes.** No clock, no random number and no order of a hash map gets
//! into a statement, a bill of materials or an archive; signatures of Ed25519 are a function of key and message.
//!
//! This crate knows no other crate of the workspace. It opens no file, reads no clock and prints nothing; keys,
//! the day and the bytes are given to it. The format is described in `docs/releases.md`.

pub mod archive;
mod build;
pub mod bundle;
mod digest;
pub mod dsse;
mod explain;
mod json;
pub mod keys;
pub mod policy;
mod purl;
pub mod referrer;
pub mod sbom;
pub mod statement;
mod text;
pub mod trust;
pub mod verify;

pub use build::{Build, BuildError, Package, Source};
pub use digest::{Algorithm, DigestError, Digests, Sha256};
pub use explain::explain;
pub use json::JsonError;
pub use purl::{Purl, PurlError};
