//! Starts the threads that hash and list files in parallel. All of this process shares them.
//!
//! They would start by themselves when they are first needed, but then a system that refuses more threads causes a
//! panic. A program that wants to report this as an error starts them beforehand.

use std::error::Error as _;
use std::io;
use std::sync::OnceLock;

/// Starts the threads, unless they run already.
///
/// # Errors
/// If the system refuses to start that many, because the user or the control group has reached a limit of processes.
pub fn start_threads() -> io::Result<()> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let start = || match rayon::ThreadPoolBuilder::new().build_global() {
        Ok(()) => Ok(()),
        // An error without a cause means that the threads run already.
        Err(error) => error.source().map_or(Ok(()), |cause| Err(cause.to_string())),
    };
    STARTED.get_or_init(start).clone().map_err(io::Error::other)
}
