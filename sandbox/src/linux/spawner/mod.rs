//! Runs in the spawner, a small process that clones itself for each command.
//!
//! [`serve`] is its loop, [`stage`] its file trees, and [`launch`] starts one command.

mod launch;
pub(super) mod serve;
mod stage;
