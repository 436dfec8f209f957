//! Tests releases from outside: a valid one is accepted, and hundreds of changed ones are refused for the right reason.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accepted;
mod explained;
mod mutants;
mod sample;
mod tools;
