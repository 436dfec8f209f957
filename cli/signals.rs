//! Handles Ctrl-C: the first one ends the build in order, the second one at once.
//!
//! An orderly end may take one second. Then whatever can't be interrupted (a disk that does not answer, a
//! long file that is being hashed) is cut off. Files become visible by one rename, and all child processes
//! die with this one, so nothing is lost except time.

use std::sync::mpsc::channel;
use std::time::Duration;

use sandbox::Cancel;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command_error::CommandError;
use crate::ui::Printer;

/// Returns a handle that is cancelled when the user stops the command by a signal.
///
/// # Errors
/// If the operating system refuses handlers, or a thread to wait in.
pub(crate) fn cancel_on_signal() -> Result<Cancel, CommandError> {
    let cancel = Cancel::new();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|source| {
        CommandError::environment("cannot listen to signals").caused_by(&source)
    })?;
    let cancelled = cancel.clone();
    let listen = move || {
        for (count, _) in signals.forever().enumerate() {
            if count > 0 {
                std::process::exit(INTERRUPTED);
            }
            cancelled.cancel();
            cut_off_later();
        }
    };
    let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(listen);
    thread.map_err(|source| CommandError::threads(&source))?;
    Ok(cancel)
}

/// Does something on another thread when the user has stopped the command.
///
/// # Errors
/// If the operating system refuses a thread.
pub(crate) fn on_cancel(
    cancel: &Cancel,
    act: impl FnOnce() + Send + 'static,
) -> Result<(), CommandError> {
    let cancel = cancel.clone();
    let wait = move || {
        while !cancel.is_cancelled() {
            std::thread::sleep(POLL);
        }
        act();
    };
    let thread = std::thread::Builder::new().name("stop".to_owned()).spawn(wait);
    thread.map(drop).map_err(|source| CommandError::threads(&source))
}

/// Ends this process after the grace period, if it still runs.
fn cut_off_later() {
    let wait = || {
        std::thread::sleep(GRACE);
        // A separate thread prints this, and nobody waits for it for long: the reader of standard error may
        // have stopped reading, and another thread may hold the lock on standard error while it waits for
        // that reader.
        let (said, is_said) = channel();
        let say = move || {
            Printer::plain().bad_status("Interrupted", "what was still at work is cut off");
            let _ = said.send(());
        };
        if std::thread::Builder::new().spawn(say).is_ok() {
            let _ = is_said.recv_timeout(SAYING);
        }
        std::process::exit(INTERRUPTED);
    };
    if std::thread::Builder::new().spawn(wait).is_err() {
        std::process::exit(INTERRUPTED);
    }
}

/// The time that a command has to end in order.
const GRACE: Duration = Duration::from_millis(900);

/// The time between two looks at whether the command was stopped.
const POLL: Duration = Duration::from_millis(20);

/// The time that printing the message may take.
const SAYING: Duration = Duration::from_millis(50);

/// The exit code of an interrupted command.
const INTERRUPTED: i32 = 8;
