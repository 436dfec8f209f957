//! Builds the project again and again, and puts what was built into service.
//!
//! One thread does all of it: [`Workshop`] waits for changes, opens the project, plans, builds, and replaces what is in service.

mod commands;
mod data;
mod load;
mod opened;
mod recorder;
mod round;
mod workshop;

pub(crate) use commands::Commands;
pub(crate) use load::Loader;
pub(crate) use workshop::{Parts, Workshop};
