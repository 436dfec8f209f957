//! The clients of registries: what a hostile checkout can't have them do, and that none outlives a build.

mod hostile;
mod registry;
mod stopped;
