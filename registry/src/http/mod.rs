//! HTTP for all protocols: requests that are tried again, bounded answers, and redirects that carry no
//! credentials on.
//!
//! Nothing here knows registries. Who may be sent which credentials is decided by [`crate::session`].

mod client;
mod failure;
mod join;
mod redirect;
mod request;
mod shown;

pub(crate) use client::Http;
pub use client::{client, retry_after};
pub use failure::{HttpError, Transient};
pub(crate) use join::join;
pub(crate) use redirect::location;
pub(crate) use request::{Answer, Request};
pub(crate) use shown::{said, shown};
