//! Tests of registries: real ones, test servers that ask for credentials, hostile ones, and other clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clients;
mod directory;
mod harness;
mod hostile;
mod kept;
mod logins;
mod mirrors;
mod oci;
mod plain;
mod secure;
mod server;
mod tokens;
mod wkg;
