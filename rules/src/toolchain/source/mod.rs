//! The sources of packages, one file each: how they look up versions, and how they fetch locked packages
//! again.
//!
//! A source does two things. It *resolves* what a layer of a recipe asks for to packages that a lock can
//! hold, which only a sync does. And it *fetches* a locked package. [`Session`] treats what was fetched in
//! the same way for all sources: the store is asked before the registry, bytes that are not the pinned ones
//! are dropped, and good ones are kept in the store under their SHA-256.

mod contents;
mod crates;
mod debian;
mod error;
pub(crate) mod npm;
mod path;
mod pypi;
mod resolved;
mod rustup;
mod session;
mod url;

use std::collections::BTreeSet;

pub use error::{DebianError, RustupError, SourceError};
pub(crate) use resolved::Resolved;
pub(crate) use rustup::keys as rustup_keys;
pub(crate) use session::Session;

use super::origin::Origin;
use super::recipe::{Layer, Recipe};

/// Finds the packages of a layer that are not locked yet. `missing` has the names by which the layer lists
/// them.
///
/// A source may find more packages than were asked for.
pub(crate) fn resolve(
    session: &Session<'_>,
    layer: &Layer,
    recipe: &Recipe,
    missing: &BTreeSet<&str>,
) -> Result<Vec<Resolved>, SourceError> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    match &layer.from {
        Origin::Crates(from) => Ok(vec![crates::resolve(session, from)?]),
        Origin::Debian(from) => Ok(debian::resolve(session, from, missing, recipe.platform)?),
        Origin::Npm(from) => npm::resolve(session, from, layer, recipe),
        Origin::Pypi(from) => Ok(vec![pypi::resolve(session, from, recipe.platform)?]),
        Origin::Rustup(from) => rustup::resolve(session, from, layer, recipe),
        Origin::Url(from) => Ok(vec![url::resolve(session, from, recipe)?]),
        Origin::Path(from) => Ok(vec![path::resolve(session, from, layer, recipe)?]),
    }
}
