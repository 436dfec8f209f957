//! The threads that hash and list in parallel, shared by everything in this process.
//!
//! They start by themselves when they are first needed, and if the system gives none then, that is a
//! panic. A program that wants to say so in order starts them beforehand.

use std::error::Error as _;
use std::io;
use std::sync::OnceLock;

/// Starts the threads, if they are not there yet.
///
/// # Errors
/// If the system does not give as many: the user's processes or the control group's are at their limit.
pub fn start_threads() -> io::Result<()> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let start = || match rayon::ThreadPoolBuilder::new().build_global() {
        Ok(()) => Ok(()),
        // An error without a cause says that somebody has needed them before.
        Err(error) => error.source().map_or(Ok(()), |cause| Err(cause.to_string())),
    };
    STARTED.get_or_init(start).clone().map_err(io::Error::other)
}
