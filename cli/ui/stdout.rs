//! Writes to standard output, and remembers if that failed.
//!
//! A lost result must not look like success: a user who writes to a file on a full disk has to be told. If a
//! reader closes the pipe, as `head` does, that is no error, because it has what it wanted.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

/// The first error. It is reported at the end of the process and not in the middle of a result.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes a text to standard output and flushes it.
pub(crate) fn write(text: &str) {
    let mut stdout = io::stdout().lock();
    note(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// Remembers the error if something could not be written.
pub(super) fn note(written: io::Result<()>) {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
        }
        _ => {}
    }
}

/// Returns the first error of this process, if there was one.
pub(crate) fn take_error() -> Option<io::Error> {
    FAILED.lock().unwrap_or_else(PoisonError::into_inner).take()
}
