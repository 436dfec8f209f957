//! A client of caches beyond this machine: Bazel's protocol over HTTP, and the Remote Execution API over gRPC.
//!
//! A [`Client`] asks for results, fetches blobs into a store, uploads results with all that belongs to them, and has a cluster
//! execute actions. It can be called from many threads at once, which share its connections and its batches.
//!
//! **Nothing here makes a build fail.** A server that is dead, slow, full, odd or hostile costs a bounded time. Every call
//! has a deadline, is tried again only if that may help, and is not made at all while a circuit breaker is open. What
//! went wrong is kept as [`Trouble`] until the caller asks for it.
//!
//! **Nothing wrong gets into the store.** A blob becomes visible only if its bytes have the digest that was asked for,
//! and a result is returned only if its signature is as [`Trust`] demands.
//!
//! This crate prints nothing and reads no environment, files or configuration. It knows the store and its digests, and no
//! graph, scheduler or sandbox.

mod address;
mod breaker;
mod client;
mod execute;
mod failure;
mod feed;
mod fetch;
mod flights;
mod grpc;
mod http;
mod inputs;
mod job;
mod keep;
mod line;
mod operation;
mod outputs;
mod pace;
mod progress;
mod protocol;
mod random;
mod settings;
mod sign;
mod sink;
mod tls;
mod traffic;
mod transfer;
mod trouble;

pub use address::{Address, AddressError, Protocol};
pub use client::{Cancelled, Client};
pub use execute::{Execution, NotExecuted};
pub use fetch::Content;
pub use keep::Kept;
pub use operation::Stage;
pub use settings::{ClientCertificate, Header, HeaderError, Proxies, Settings, Tls, Trust};
pub use sign::{KeyError, PublicKey, SigningKey};
pub use tls::SetupError;
pub use traffic::Traffic;
pub use trouble::Trouble;

#[cfg(test)]
mod tests;
