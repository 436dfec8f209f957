//! OCI registries: packages in the form of the CNCF's "Wasm OCI Artifact", spoken over the OCI Distribution
//! Specification 1.1.
//!
//! The client is our own, over reqwest. The crate `oci-client` 0.18 was considered; with it
//! - bodies are read into memory without a limit, so a hostile registry could fill it,
//! - the redirects are those of reqwest, which follow from https to http,
//! - nothing is tried again, and `Retry-After` is not seen,
//! - a token of the user's own and a helper with a time limit would need code of ours anyway,
//! - chrono, regex, oci-spec and 30 more crates would be linked for what are six requests here.
//!
//! The format stays that of wkg, and the tests read with other clients what is published here, and the other way
//! round.

mod config;
mod list;
mod manifest;
mod pull;
mod push;
mod repository;

pub(crate) use pull::Pulled;
pub(crate) use repository::Oci;
