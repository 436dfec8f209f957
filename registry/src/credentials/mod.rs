//! Credentials: where they are kept, and which of them is for a host.
//!
//! They come from the token of the settings, the file of `run login`, wkg's configuration, and docker's
//! configuration with its credential helpers, in this order. Over plain http only those are used that were stored
//! for it, unless the host is this machine ([`lookup`]).

mod credential;
mod docker;
mod failure;
mod helper;
mod host;
mod login_file;
mod lookup;
mod used;

pub(crate) use credential::{Credential, Known};
pub(crate) use docker::pair;
pub use failure::CredentialsError;
pub use helper::Helpers;
pub use host::{Host, HostError};
pub use login_file::{Login, login, logins, logout};
pub(crate) use lookup::Credentials;
pub use lookup::Token;
pub use used::Used;
