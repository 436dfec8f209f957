//! Tests the clients of registries: a hostile checkout can't misuse them, none outlives a build, and there is
//! advice if one fails.

mod advice;
mod hostile;
mod registry;
mod stopped;
