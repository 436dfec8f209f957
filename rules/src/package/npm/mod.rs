//! Packages of npm registries, which are fetched by the user's npm. Registries, proxies and credentials are
//! those that npm is configured with.
//!
//! What a lockfile of npm asks for ([`PackageLock`]) is downloaded with one call and compared with the
//! lockfile's `integrity`. No script of a package is ever run.

mod closure;
mod integrity;
mod npmrc;
mod places;
mod tarballs;

pub(crate) use closure::{Dependencies, PackageLock, Placed};
pub(crate) use integrity::Integrity;
pub(crate) use npmrc::Npmrc;
pub use tarballs::NpmError;
pub(crate) use tarballs::{Npm, Spec, Tarballs};
