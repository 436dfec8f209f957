//! Hears what the instances of a component say, and passes it on line by line.
//!
//! Instances that run at the same time share the streams of their component. Their output may be mixed, but a line is passed on
//! as a whole, unless it is longer than [`LONGEST`] or its instance has ended in the middle of it.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rules::manifest::{self, LogLevel};
use runtime::{Denial, Level, Log, Stream};

use crate::board::Board;
use crate::front::{Complaint, Front, Message};
use crate::knobs::Knobs;

/// The length in bytes at which a line is broken.
const LONGEST: usize = 16 << 10;

/// The log of a component.
pub(crate) struct ComponentLog {
    component: String,
    front: Arc<dyn Front>,
    board: Arc<Board>,
    knobs: Arc<Knobs>,
    stdout: Mutex<Lines>,
    stderr: Mutex<Lines>,
    /// The line of run.toml at which the component begins.
    line: AtomicUsize,
}

impl ComponentLog {
    pub(crate) fn new(
        component: &str,
        front: Arc<dyn Front>,
        board: Arc<Board>,
        knobs: Arc<Knobs>,
    ) -> Self {
        let (stdout, stderr) = (Mutex::default(), Mutex::default());
        let line = AtomicUsize::new(0);
        Self { component: component.to_owned(), front, board, knobs, stdout, stderr, line }
    }

    /// Takes note of the line of run.toml at which the component begins. It may move while the server runs.
    pub(crate) fn stands_at(&self, line: usize) {
        self.line.store(line, Ordering::Relaxed);
    }

    /// Passes on the lines that have no end. An instance has ended.
    pub(crate) fn flush(&self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = self.lines(stream).lock().unwrap_or_else(PoisonError::into_inner).rest();
            rest.into_iter().for_each(|line| self.tell(stream, &line));
        }
    }

    fn lines(&self, stream: Stream) -> &Mutex<Lines> {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    fn tell(&self, stream: Stream, line: &str) {
        self.front.tell(&Message::Output { component: &self.component, stream, line });
    }
}

impl Log for ComponentLog {
    fn output(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let lines = self.lines(stream).lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        lines.iter().for_each(|line| self.tell(stream, line));
        Ok(())
    }

    fn entry(&self, level: Level, context: &str, message: &str) {
        if is_shown(level, self.knobs.level()) {
            self.front.tell(&Message::Entry {
                component: &self.component,
                level,
                context,
                message,
            });
        }
    }

    fn denied(&self, denial: &Denial) {
        let Denial { capability, .. } = denial;
        let place = format!("{}:{}", manifest::FILE_NAME, self.line.load(Ordering::Relaxed));
        let text =
            format!("{denial}; to grant it, add \"{capability}\" to `capabilities` at {place}");
        let title = format!("{capability} was denied");
        let component = Some(self.component.clone());
        let complaint = Complaint { component, title, text: text.clone() };
        self.board.change(|news| news.add_error(complaint));
        self.front.tell(&Message::Denied { component: &self.component, text });
    }
}

/// Tells if an entry is shown at a level of run.toml.
pub(crate) fn is_shown(level: Level, most: LogLevel) -> bool {
    let needed = match level {
        Level::Critical | Level::Error => LogLevel::Error,
        Level::Warn => LogLevel::Warn,
        Level::Info => LogLevel::Info,
        Level::Debug => LogLevel::Debug,
        Level::Trace => LogLevel::Trace,
    };
    needed <= most
}

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// Takes bytes, and returns the lines that they complete.
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.0.extend_from_slice(piece);
            if self.0.ends_with(b"\n") || self.0.len() >= LONGEST {
                lines.extend(self.rest());
            }
        }
        lines
    }

    /// Returns what is there of a line.
    fn rest(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.0);
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(line).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"a"), [""; 0]);
        assert_eq!(lines.push(b"b\n\nc\r\nd"), ["ab", "", "c"]);
        assert_eq!(lines.rest().as_deref(), Some("d"));
        assert_eq!(lines.rest(), None);
        assert_eq!(lines.push(&[b'x'; LONGEST]).len(), 1);
        assert_eq!(lines.push(b"\xff\n"), ["\u{fffd}"]);
    }

    #[test]
    fn levels_filter() {
        assert!(
            is_shown(Level::Critical, LogLevel::Error) && !is_shown(Level::Warn, LogLevel::Error)
        );
        assert!(is_shown(Level::Info, LogLevel::Info) && !is_shown(Level::Debug, LogLevel::Info));
        assert!(is_shown(Level::Trace, LogLevel::Trace));
    }
}
