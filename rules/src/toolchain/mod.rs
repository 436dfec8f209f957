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
mod add;
mod added;
mod built_in;
mod catalogue;
mod events;
pub(crate) mod fetch;
mod image;
mod install;
mod inventory;
mod lock;
mod needs;
mod placeholder;
mod platform;
mod purl;
mod registries;
mod resolution;
mod review;
pub(crate) mod source;
mod sync;
pub(crate) mod unpack;
mod upgrade;
mod verify;

pub use action::{IMAGE, Images, NoImage, image_action};
pub use add::{Add, AddError, AddFrom};
pub use built_in::BuiltIn;
pub use catalogue::{
    Catalogue, CatalogueError, CratePackage, DebianPackages, Layer, LocalPath, NpmPackages, Origin,
    Recipe, RustComponents, Toolchain, UrlArchive, Wheel,
};
pub use events::{Event, Events};
pub use fetch::{ClientError, HttpError, Transient};
pub use image::ImageError;
pub use install::{Install, InstallError};
pub use inventory::{Pinned, Presence};
pub use lock::{
    Algorithm, Change, Checksum, ChecksumError, Image, Lock, LockError, NotLocked, Package, Pin,
    SourceKind, Stale,
};
pub use needs::Toolchains;
pub use platform::{Platform, UnknownPlatform, UnsupportedHost, host_platform};
pub use purl::{Purl, PurlError};
pub use registries::{Clients, Mirrors, Network, Proxy, Registries};
pub use review::Idle;
pub use source::{DebianError, NpmError, RustupError, SourceError};
pub use sync::{Sync, SyncError};
pub use unpack::{Excess, UnpackError};
pub use upgrade::{Upgrade, UpgradeError};
pub use verify::{Damage, ImageHealth, Verified, Verify, VerifyError};

/// The toolchain that compiles Rust to components.
pub const RUST: &str = "rust";

/// The toolchain that compiles Go.
pub const GO: &str = "go";

/// The sources of the tool that compiles Rust packages with `[package.metadata.component]`.
pub const CARGO_COMPONENT: &str = "cargo-component";

/// The toolchain that makes components of Python modules.
pub const COMPONENTIZE_PY: &str = "componentize-py";

/// The toolchain that makes components of JavaScript modules.
pub const JCO: &str = "jco";

/// The toolchain that bundles JavaScript and TypeScript modules.
pub const ESBUILD: &str = "esbuild";

/// The toolchain that checks the types of TypeScript.
pub const TYPESCRIPT: &str = "typescript";

/// The toolchain that compiles Zig, C and C++.
pub const ZIG: &str = "zig";

#[cfg(test)]
mod tests;
