//! Prints what a component says that `run exec` runs.

use std::io::{self, IsTerminal, Write as _};

use runtime::{Denial, Level, Log, Stream};
use tokio::sync::Notify;

use super::{Printer, mask};

/// Passes on the output of a program as it is, and says what it was refused.
pub(crate) struct ProgramLog {
    printer: Printer,
    /// The place of run.toml that grants more; `None` if flags do.
    place: Option<String>,
    /// Is told when nobody reads standard output any more.
    left: Notify,
}

impl ProgramLog {
    pub(crate) fn new(printer: Printer, place: Option<String>) -> Self {
        Self { printer, place, left: Notify::new() }
    }

    /// Waits until nobody reads standard output any more.
    pub(crate) async fn reader_left(&self) {
        self.left.notified().await;
    }
}

impl Log for ProgramLog {
    fn output(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        match stream {
            Stream::Stdout => {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
                if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
                    self.left.notify_one();
                }
                written
            }
            Stream::Stderr => io::stderr().lock().write_all(bytes),
        }
    }

    fn entry(&self, level: Level, context: &str, message: &str) {
        let context = if context.is_empty() { String::new() } else { format!("{context}: ") };
        self.printer.line(&mask::output(&format!("{level}: {context}{message}")));
    }

    fn denied(&self, denial: &Denial) {
        let capability = &denial.capability;
        let how = match &self.place {
            Some(place) => format!("add \"{capability}\" to its `capabilities` ({place})"),
            None => format!("`--grant {capability}` allows it"),
        };
        self.printer.warning(&mask::output(&format!(
            "the program may not {} (`{}`): {how}",
            denial.attempt, denial.import
        )));
    }

    fn is_terminal(&self, stream: Stream) -> bool {
        match stream {
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        }
    }
}
