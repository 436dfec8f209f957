//! Runs components in wasmtime: commands, functions of custom interfaces, HTTP handlers.
//!
//! This is the only crate that depends on wasmtime. It knows the bytes of components and nothing of how they
//! were built. A component gets the arguments, environment and standard input that the caller gives it,
//! clocks and random numbers of the host, and neither files nor a network. Its messages through
//! `wasi:logging` go to its standard error. A function of the caller answers its HTTP requests.
//!
//! Everything is async and needs a tokio runtime. A component that computes without end yields
//! every few milliseconds, so dropping a future stops it.

mod call;
mod command;
mod host;
mod logging;
mod output_tail;
mod requests;
mod serve;
mod state;

#[cfg(test)]
mod fixture;

pub use call::CallError;
pub use command::{CommandInput, CommandOutput, Exit, NotACommand};
pub use host::{LoadError, Loaded, Runtime, StartError};
pub use requests::{OutgoingRequest, OutgoingResponse};
pub use serve::{ServeError, Server};
