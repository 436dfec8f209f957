//! Decides which shared cache a build uses, and which cluster executes its actions, and makes the clients for them.
//!
//! Flags count more than variables of the environment, these more than the user's configuration, and that more than
//! run.toml. A checkout may be hostile. So nothing secret goes to a cache that only run.toml names, and its results are used
//! for this project alone.

mod choose;
mod cluster;
mod connect;
mod execution;
mod headers;
mod layer;

use choose::Choice;
pub(crate) use choose::address;
pub(crate) use cluster::connect;
pub(crate) use connect::{Trial, forget, required, try_it};
pub(crate) use execution::{ExecutionConfig, ExecutionLayers};
pub(crate) use layer::{CacheConfig, Layers};
