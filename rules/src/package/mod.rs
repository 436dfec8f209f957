//! Packages of registries: how they are fetched, unpacked and kept, for toolchains and languages alike.
//!
//! Registries are reached through the user's own clients, or over HTTP with the same settings
//! ([`Registries`]). What came is checked by checksums, and the [`Shelf`] keeps what was unpacked. Nothing
//! here knows toolchains, languages or manifests.

pub(crate) mod download;
pub(crate) mod environment;
mod events;
pub(crate) mod fetch;
pub(crate) mod git;
pub(crate) mod npm;
mod parallel;
mod purl;
mod registries;
mod shelf;
pub(crate) mod unpack;

pub use events::{Event, Events};
pub use fetch::{ClientError, HttpError, Transient};
pub use npm::NpmError;
pub(crate) use parallel::parallel;
pub use purl::{Purl, PurlError};
pub use registries::{Mirrors, Network, Programs, Proxy, Registries};
pub(crate) use shelf::{Shelf, Sorted};
pub use unpack::{Excess, UnpackError};
