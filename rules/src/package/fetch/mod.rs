//! Gets bytes into this process, over HTTP and through the registries' own clients.
//!
//! Nothing here knows what a package contains. Everything that waits checks regularly whether to stop.

mod client;
mod crate_cache;
mod file;
mod http;
pub(crate) mod pip;
#[cfg(test)]
pub(crate) mod testing;

pub use client::ClientError;
pub(crate) use client::{Client, Ended, run};
pub(crate) use crate_cache::{CrateCache, sha256_of};
pub(crate) use file::read_file;
pub(crate) use http::{Http, Login, Request};
pub use http::{HttpError, Transient};
