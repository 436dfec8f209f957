//! Toolchains as pinned images: what exists, where it comes from, what the lock pins, how it gets into the store.
//!
//! A toolchain is a set of packages, unpacked in a fixed order into one tree whose digest stands in
//! `run.lock.toml`. [`Sync`] is the only thing that resolves versions; a build only ever installs
//! what the lock says ([`Install`], or [`image_action`] in an action graph) and refuses other bytes.
//! Which toolchains exist is data, in `catalogue/*.toml`.
//!
//! Knows no language: a language asks for a toolchain by its name ([`Toolchains::need`]). Reads no
//! environment and prints nothing; both come in as values ([`Registries`], [`Events`]).
//!
//! **Invariant:** no package script is ever run, and no registry host is written down here.

mod action;
mod catalogue;
mod events;
pub(crate) mod fetch;
mod image;
mod install;
mod lock;
mod needs;
mod platform;
mod purl;
mod registries;
mod source;
mod sync;
pub(crate) mod unpack;

pub use action::{IMAGE, Images, NoImage, image_action};
pub use catalogue::{
    Catalogue, CatalogueError, CratePackage, DebianPackages, Layer, LocalPath, Origin, Recipe,
    RustComponents, Toolchain, UrlArchive, Wheel,
};
pub use events::{Event, Events};
pub use fetch::{ClientError, HttpError, Transient};
pub use image::ImageError;
pub use install::{Install, InstallError};
pub use lock::{
    Algorithm, Checksum, ChecksumError, Image, Lock, LockError, Package, Pin, SourceKind, Stale,
};
pub use needs::Toolchains;
pub use platform::{Platform, UnknownPlatform, UnsupportedHost, host_platform};
pub use purl::{Purl, PurlError};
pub use registries::{Clients, Mirrors, Network, Proxy, Registries};
pub use source::{DebianError, RustupError, SourceError};
pub use sync::{Sync, SyncError};
pub use unpack::{Excess, UnpackError};

/// The toolchain that compiles Rust to components.
pub const RUST: &str = "rust";

/// The sources of the tool that compiles Rust packages with `[package.metadata.component]`.
pub const CARGO_COMPONENT: &str = "cargo-component";

/// The toolchain that makes components of Python modules.
pub const COMPONENTIZE_PY: &str = "componentize-py";

#[cfg(test)]
mod tests;
