//! Tests of the server through real connections, with the clients that programs use.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod actions;
mod batches;
mod harness;
mod life;
mod pages;
mod plain;
mod streams;
mod trees;
