//! Defines what the caller, the spawner and process 1 of a command send each other.
//!
//! The caller sends a [`plan`] to the spawner and hears of the command by [`report`]s, both over a
//! [`channel`]. A report that something failed names the [`step`].

pub(super) mod channel;
mod encoding;
pub(super) mod greeting;
pub(super) mod plan;
pub(super) mod report;
pub(super) mod step;
