//! Toolchains as pinned images: which ones exist, where their packages come from, what the lock pins, and how
//! images get into the store.
//!
//! A toolchain is a set of packages that are unpacked in a fixed order into one tree. The digest of this tree
//! stands in `run.lock.toml`. Only [`Sync`] resolves versions. A build only installs what the lock pins
//! ([`Install`], or [`image_action`] in an action graph), and refuses other bytes. Which toolchains exist is
//! data, in `catalogue/*.toml`.
//!
//! Nothing here knows a language: a language asks for a toolchain by its name ([`Toolchains::need`]). Nothing
//! here reads the environment or prints: settings come in as values
//! ([`Registries`](crate::package::Registries)), and progress goes out as [`Events`](crate::package::Events).
//!
//! **Invariant:** no package script is ever run, and no registry host is written down here.

mod action;
mod add;
mod added;
mod built_in;
mod catalogue;
mod check;
mod elf;
mod image;
mod install;
mod inventory;
mod lock;
mod names;
mod needs;
mod origin;
mod placeholder;
mod recipe;
mod resolution;
mod review;
pub(crate) mod source;
mod sync;
mod upgrade;
mod verify;

pub use action::{IMAGE, Images, NoImage, image_action};
pub use add::{Add, AddError, AddFrom};
pub use built_in::BuiltIn;
pub use catalogue::{Catalogue, CatalogueError, Toolchain};
pub use image::ImageError;
pub use install::{Install, InstallError};
pub use inventory::{Pinned, Presence};
pub use lock::{
    Algorithm, Change, Checksum, ChecksumError, DependencyChange, Image, Lock, LockError,
    LockedDependency, NotLocked, Package, Pin, SourceKind, Stale,
};
pub use names::{
    CARGO_COMPONENT, COMPONENTIZE_PY, ESBUILD, GO, JCO, RUST, TINYGO, TINYGO_GO, TYPESCRIPT, ZIG,
};
pub use needs::Toolchains;
pub use origin::{
    CratePackage, DebianPackages, LocalPath, NpmPackages, Origin, RustComponents, UrlArchive, Wheel,
};
pub use recipe::{Layer, Recipe};
pub use review::Idle;
pub use source::{DebianError, RustupError, SourceError};
pub use sync::{Sync, SyncError};
pub use upgrade::{Upgrade, UpgradeError};
pub use verify::{Damage, ImageHealth, Verified, Verify, VerifyError};

#[cfg(test)]
mod tests;
