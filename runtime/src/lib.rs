//! Runs components in wasmtime: commands, functions of custom interfaces, HTTP handlers.
//!
//! The only crate that depends on wasmtime. It knows bytes of components and nothing of how they
//! were built. A component gets arguments, environment and standard input as they are given to it,
//! clocks and random numbers of the host, and neither files nor a network. What it logs through
//! `wasi:logging` goes to its standard error; who answers its HTTP requests is told by the caller.
//!
//! Everything is async and wants a tokio runtime; a component that computes without end yields
//! every few milliseconds, so dropping a future stops it.

mod call;
mod capture;
mod command;
mod host;
mod logging;
mod requests;
mod serve;
mod state;

#[cfg(test)]
mod fixture;

pub use call::CallError;
pub use command::{Command, CommandError, CommandOutput, Exit};
pub use host::{LoadError, Loaded, Runtime, StartError};
pub use requests::{Answer, Asked};
pub use serve::{ServeError, Server};
