//! Why this machine can't isolate a command, and what to do about it.

use std::io;

use thiserror::Error;

/// This machine can't isolate commands. [`Unsupported::remedy`] says how to enable it.
#[derive(Debug, Error)]
#[error("commands can't be isolated on this machine: {cause}")]
pub struct Unsupported {
    /// What is missing.
    #[source]
    pub cause: Cause,
}

/// What is missing for isolation.
#[derive(Debug, Error)]
pub enum Cause {
    /// Not Linux.
    #[error("{0} has no namespaces")]
    OperatingSystem(&'static str),
    /// A step of the set-up failed for another reason.
    #[error("{step} failed")]
    Step {
        /// What was being done.
        step: &'static str,
        /// Why that failed.
        source: io::Error,
    },
}

impl Unsupported {
    /// What the user can do, in one line.
    pub fn remedy(&self) -> String {
        String::new()
    }
}
