//! Unpacking.
mod placement;
pub(crate) use placement::Placement;
