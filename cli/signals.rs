//! Ctrl-C: the first one ends the build in order, the second one at once.
//!
//! The order has a second: what can't be interrupted by then (a disk that does not answer, a long file
//! that is being hashed) is cut off. Whatever is written appears by one rename, and every process that
//! was started dies with this one, so nothing but time is lost.

use std::sync::mpsc::channel;
use std::time::Duration;

use sandbox::Cancel;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command_error::CommandError;
use crate::ui::Printer;

/// What can be cancelled when the user wants it to stop.
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

/// Ends this process if it has not ended by then.
fn cut_off_later() {
    let wait = || {
        std::thread::sleep(GRACE);
        // Said by a thread that nobody waits for: whoever should read it may have stopped reading, and then
        // another thread waits with standard error in its hand.
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

/// How long a command may take to end in order.
const GRACE: Duration = Duration::from_millis(900);

/// How long it may take to say so.
const SAYING: Duration = Duration::from_millis(50);

/// The exit code of an interrupted command.
const INTERRUPTED: i32 = 8;
