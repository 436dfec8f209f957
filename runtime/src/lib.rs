//! Runs components in wasmtime: commands, functions of custom interfaces, HTTP handlers.
//!
//! This is the only crate that depends on wasmtime. It knows the bytes of components and nothing of how they
//! were built. A component may do what its [`Grants`] say, and nothing else: without them it has no files, no
//! variables, no network and no output, its clock is a virtual one, and its random numbers are always the same. What it
//! says, and what it was refused, goes to a [`Log`]. Components of WASI 0.2 and 0.3 are run alike.
//!
//! Everything is async and needs a tokio runtime. A component that computes without end yields
//! every few milliseconds, so dropping a future stops it.

mod call;
mod clock;
mod command;
mod config;
mod failure;
mod grants;
mod handler;
mod host;
mod keyvalue;
mod limits;
mod log;
mod logging;
mod network;
mod outgoing;
mod output;
mod patient;
mod policy;
mod random;
mod returned;
mod server;
mod state;
mod tail;
mod tasks;
mod voice;

#[cfg(test)]
mod fixture;

pub use call::{CallError, InvalidCall, Invocation};
pub use command::{CommandInput, CommandOutput, Exit, NotACommand, Stdin};
pub use failure::{Failure, FailureKind};
pub use grants::{Access, Clock, Grants, HostRule, Preopen, Random, VIRTUAL_START};
pub use handler::{Answer, Handler, NotAHandler, ResponseBody};
pub use host::{LoadError, Loaded, Runtime, StartError};
pub use keyvalue::Buckets;
pub use limits::Limits;
pub use log::{Denial, Level, Log, Stream};
pub use network::Network;
pub use outgoing::{OutgoingRequest, OutgoingResponse};
pub use patient::Patient;
pub use returned::{Comparison, NotComparable, Returned};
pub use server::{ServeError, Server};
pub use state::PreopenError;
pub use tasks::Tasks;
