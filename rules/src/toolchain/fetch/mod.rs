//! Getting bytes into this process: over HTTP, and through the registries' own clients.
//!
//! Nothing here knows what a package is. Everything that waits asks now and then whether to stop.

mod client;
mod crate_cache;
mod http;
pub(crate) mod pip;
mod redact;

pub use client::ClientError;
pub(crate) use client::{Client, Ended, run};
pub(crate) use crate_cache::{CrateCache, sha256_of};
pub(crate) use http::{Http, Request};
pub use http::{HttpError, Transient};
