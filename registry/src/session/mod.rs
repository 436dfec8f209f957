//! Requests to registries with credentials: which are sent, and what is done when a registry asks for some.
//!
//! A token of the user's own is sent at once. Everything else is sent only after the registry has asked for it
//! (RFC 9110, section 11): a name and a password as they are, or for a token of a server that the registry names
//! (the token flow of the distribution specification), without credentials if none are known.

mod challenge;
mod requests;
mod token;

pub(crate) use requests::{Scope, Session};
