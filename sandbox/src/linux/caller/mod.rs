//! Runs in the process that asks for commands.
//!
//! [`sandbox`] is the handle that callers have. It starts the spawner ([`spawner_handle`]), lays
//! the mounts of a specification out ([`layout`]), turns it into a plan ([`plan`]), and has the
//! spawner run that ([`run`]).

pub(super) mod cancel;
mod capture;
mod diagnosis;
pub(super) mod folders;
mod groups;
mod identity;
mod layout;
mod plan;
mod root;
mod run;
pub(super) mod sandbox;
mod spawner_handle;
mod trees;
mod walk;
