//! Makes the system call filter of a command.
//!
//! Namespaces isolate the command, and the filter forbids what they don't cover: sockets that
//! ignore network namespaces, kernel interfaces with a history of security holes, and calls that
//! need a privilege that nobody has in the sandbox. Everything else is allowed, so that all
//! compilers, debuggers and sanitizers run. The filter is assembled by hand, because it returns
//! several different errors and has to recognise the x32 table, which the crates for this can't do.
//! [`rules`] holds what depends on the arguments of a call.

mod bpf;
mod filter;
pub(super) mod rules;

pub(super) use filter::TRANSLATED_MARK;
pub(in crate::linux) use filter::{FilterInput, filter};
