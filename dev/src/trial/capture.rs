//! Captures what a component says during a test.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use runtime::{Denial, Level, Log, Stream};
use tokio::sync::Notify;

/// The number of bytes of one stream after which a test is ended. Nobody expects or reads more.
pub(super) const FLOOD: usize = 4 << 20;

/// The number of bytes of a stream that a verdict keeps.
const KEPT: usize = 64 << 10;

/// Takes what one component says.
#[derive(Default)]
pub(super) struct Capture {
    said: Mutex<Said>,
    flooded: Notify,
}

#[derive(Default)]
struct Said {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    denials: Vec<String>,
}

impl Capture {
    /// Waits until the component has written too much.
    pub(super) async fn flooded(&self) {
        self.flooded.notified().await;
    }

    /// Returns the whole standard output.
    pub(super) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.said().stdout).into_owned()
    }

    /// Returns the whole standard error.
    pub(super) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.said().stderr).into_owned()
    }

    /// Returns what a verdict keeps of standard output and standard error.
    pub(super) fn kept(&self) -> (String, String) {
        let said = self.said();
        (shortened(&said.stdout), shortened(&said.stderr))
    }

    /// Takes what is known otherwise of standard error, if the component could write nothing to it.
    pub(super) fn or_stderr(&self, stderr: &str) {
        let said = &mut *self.said();
        if said.stderr.is_empty() {
            said.stderr.extend_from_slice(stderr.as_bytes());
        }
    }

    pub(super) fn denials(&self) -> Vec<String> {
        self.said().denials.clone()
    }

    fn push(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let is_full = {
            let said = &mut *self.said();
            let text = match stream {
                Stream::Stdout => &mut said.stdout,
                Stream::Stderr => &mut said.stderr,
            };
            let room = FLOOD.saturating_sub(text.len());
            text.extend_from_slice(&bytes[..bytes.len().min(room)]);
            bytes.len() > room
        };
        if is_full {
            self.flooded.notify_one();
            return Err(io::Error::other("too much output"));
        }
        Ok(())
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shortened(bytes: &[u8]) -> String {
    match bytes.len().checked_sub(KEPT) {
        None | Some(0) => String::from_utf8_lossy(bytes).into_owned(),
        Some(more) => {
            format!("{}\n[{more} bytes more]\n", String::from_utf8_lossy(&bytes[..KEPT]))
        }
    }
}

impl Log for Capture {
    fn output(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        self.push(stream, bytes)
    }

    fn entry(&self, level: Level, context: &str, message: &str) {
        let context = if context.is_empty() { String::new() } else { format!("{context}: ") };
        // If that is too much, the test is ended.
        _ = self.push(Stream::Stderr, format!("{level}: {context}{message}\n").as_bytes());
    }

    fn denied(&self, denial: &Denial) {
        self.said().denials.push(denial.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_is_noticed_and_bounded() {
        let capture = Capture::default();
        capture.output(Stream::Stdout, &vec![b'x'; FLOOD]).unwrap();
        let wait = std::time::Duration::from_millis(1);
        assert!(tokio::time::timeout(wait, capture.flooded()).await.is_err());
        assert!(capture.output(Stream::Stdout, b"y").is_err());
        capture.flooded().await;
        assert_eq!(capture.stdout().len(), FLOOD);
        let (kept, _) = capture.kept();
        assert!(kept.len() < KEPT + 100 && kept.ends_with("bytes more]\n"), "{}", kept.len());
    }

    #[test]
    fn log_entries_are_lines() {
        let capture = Capture::default();
        capture.entry(Level::Warn, "shop", "no apples");
        capture.entry(Level::Info, "", "hello");
        assert_eq!(capture.stderr(), "warn: shop: no apples\ninfo: hello\n");
    }
}
