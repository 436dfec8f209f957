//! Clients of registries of WebAssembly packages: they find versions, fetch packages and publish them.
//!
//! A registry is an OCI registry, a server with plain HTTP and JSON, or a folder ([`Address`]).
//! [`Registries`] knows which of them a package comes from, tries mirrors, logs in, checks what came, and
//! keeps it ([`Kept`]). It can be used from many threads at once. The protocols are described in
//! `docs/registry.md`.
//!
//! **Nothing wrong gets out of here.** Bytes are returned, kept or written only if they have the digest that
//! was asked for and that the registry itself announces. Every answer is bounded in size and in time.
//!
//! **Credentials stay with their host.** They are sent to the host that they are for and to the server of
//! tokens that this host names. No redirect carries them on, and no error, `Debug` output or URL shows them.
//!
//! This crate prints nothing and reads no environment, home folder or clock: everything is in [`Settings`].
//! It knows no other crate of the workspace, and nothing of manifests, locks or components.

mod address;
mod artifact;
mod credentials;
mod digest;
mod directory;
mod discover;
mod failure;
mod http;
mod kept;
mod mirror;
mod oci;
mod package;
mod plain;
mod registries;
mod registry;
mod secret;
mod session;
mod settings;
mod text;
mod wkg;

pub use address::{Address, AddressError};
pub use artifact::{Artifact, Facts, Fetched, Found, Interfaces, Published, Release, annotation};
pub use credentials::{
    CredentialsError, Helpers, Host, HostError, Login, Token, Used, login, logins, logout,
};
pub use digest::{DigestError, Sha256};
pub use failure::{Error, Tried, Wanted};
pub use http::{HttpError, Transient, client as http_client, retry_after};
pub use kept::{Kept, KeptError};
pub use package::{PackageError, PackageId};
pub use registries::Registries;
pub use secret::Secret;
pub use settings::{Cancelled, Event, Network, Proxy, Settings, Source, Watch};
pub use wkg::{WkgError, WkgSettings};

#[cfg(test)]
mod tests;
