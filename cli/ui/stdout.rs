//! Standard output, and whether what was written to it got there.
//!
//! A result that is lost must not look like success: somebody who writes to a file on a full disk has
//! to hear of it. A reader that goes away, as `head` does, has what it wanted.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

/// The first error, since nobody can be told in the middle of a result.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes to standard output, at once and whole.
pub(crate) fn write(text: &str) {
    let mut stdout = io::stdout().lock();
    note(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// Keeps in mind that something could not be written.
pub(super) fn note(written: io::Result<()>) {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
        }
        _ => {}
    }
}

/// The first error of this process, if there was one.
pub(crate) fn take_error() -> Option<io::Error> {
    FAILED.lock().unwrap_or_else(PoisonError::into_inner).take()
}
