//! The pages of this server: the status page, the list of components, and the page in place of one that can't be served yet.
//!
//! They are made by hand and need nothing from elsewhere. Without a script they can be read; with one they keep themselves up
//! to date.

mod escape;
mod json;
mod plain;
mod status;

pub(crate) use escape::colours;
pub(crate) use json::status as status_json;
pub(crate) use plain::{failed, index, no_route, unavailable};
pub(crate) use status::{main as status_main, page as status, title as status_title};

/// The style of all pages.
pub(crate) const STYLE: &str = include_str!("page.css");

/// The script of the status page.
pub(crate) const STATUS_SCRIPT: &str = include_str!("status.js");

/// The script that is added to the pages of components.
pub(crate) const CLIENT_SCRIPT: &str = include_str!("client.js");
