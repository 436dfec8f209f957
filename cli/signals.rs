//! Ctrl-C: the first one ends the build in order, the second one at once.

use sandbox::Cancel;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command_error::CommandError;

/// What can be cancelled when the user wants it to stop.
///
/// # Errors
/// If the operating system refuses handlers.
pub(crate) fn cancel_on_signal() -> Result<Cancel, CommandError> {
    let cancel = Cancel::new();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|source| {
        CommandError::environment("cannot listen to signals").caused_by(&source)
    })?;
    let cancelled = cancel.clone();
    std::thread::spawn(move || {
        for (count, _) in signals.forever().enumerate() {
            if count > 0 {
                std::process::exit(INTERRUPTED);
            }
            cancelled.cancel();
        }
    });
    Ok(cancel)
}

/// The exit code of an interrupted command.
const INTERRUPTED: i32 = 8;
