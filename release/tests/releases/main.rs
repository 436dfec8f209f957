//! Tests releases from outside: a valid one is accepted, and hundreds of changed ones are refused for the right reason.
//!
//! Tools of others read what is written (`tools`, `cosign`). The tests need Python 3 with pip, tar and sha256sum.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accepted;
mod cosign;
mod explained;
mod mutants;
mod sample;
mod tools;
