//! The voice of an instance: it passes on output, log entries and denials.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use crate::log::{Denial, Level, Log, Stream};
use crate::tail::Tail;

/// The number of bytes that are kept of an instance's standard error, for the message about its failure.
const TAIL: usize = 64 << 10;

/// The number of denials of one instance that the log is told of.
const DENIALS: usize = 100;

/// The voice of one instance. It passes on what the instance may say, keeps the end of its standard error, and tells
/// of each kind of denial once.
pub(crate) struct Voice {
    log: Arc<dyn Log>,
    may_use_stdio: bool,
    may_log: bool,
    kept: Mutex<Kept>,
}

struct Kept {
    /// The end of standard error.
    tail: Tail,
    /// The denials that the log knows of.
    told: BTreeSet<(&'static str, String)>,
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Voice")
    }
}

impl Voice {
    pub(crate) fn new(log: Arc<dyn Log>, may_use_stdio: bool, may_log: bool) -> Self {
        let kept = Kept { tail: Tail::new(TAIL), told: BTreeSet::new() };
        Self { log, may_use_stdio, may_log, kept: Mutex::new(kept) }
    }

    /// Passes on what was written to a standard stream.
    pub(crate) fn output(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if stream == Stream::Stderr {
            self.kept().tail.push(bytes);
        }
        if self.may_use_stdio {
            return self.log.output(stream, bytes);
        }
        let (import, name) = match stream {
            Stream::Stdout => ("wasi:cli/stdout", "output"),
            Stream::Stderr => ("wasi:cli/stderr", "error"),
        };
        self.deny(Denial {
            import,
            attempt: format!("write to standard {name}"),
            capability: "stdio".to_owned(),
        });
        Ok(())
    }

    /// Passes on a log entry.
    pub(crate) fn entry(&self, level: Level, context: &str, message: &str) {
        if self.may_log {
            self.log.entry(level, context, message);
            return;
        }
        self.deny(Denial {
            import: "wasi:logging/logging",
            attempt: "write log entries".to_owned(),
            capability: "logging".to_owned(),
        });
    }

    /// Tells of a denial, if it is the first of its kind.
    pub(crate) fn deny(&self, denial: Denial) {
        let is_new = {
            let told = &mut self.kept().told;
            told.len() < DENIALS && told.insert((denial.import, denial.capability.clone()))
        };
        if is_new {
            self.log.denied(&denial);
        }
    }

    /// Returns the end of standard error, with replacement characters for what is no UTF-8.
    pub(crate) fn tail(&self) -> String {
        String::from_utf8_lossy(self.kept().tail.bytes()).into_owned()
    }

    pub(crate) fn is_terminal(&self, stream: Stream) -> bool {
        self.may_use_stdio && self.log.is_terminal(stream)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Silence;

    #[test]
    fn the_end_of_standard_error_is_kept() {
        let voice = Voice::new(Arc::new(Silence), false, false);
        for _ in 0..5 {
            voice.output(Stream::Stderr, &vec![b'x'; TAIL / 2]).unwrap();
        }
        voice.output(Stream::Stderr, b"the end").unwrap();
        let tail = voice.tail();
        assert_eq!(tail.len(), TAIL);
        assert!(tail.ends_with("xthe end"));
    }

    #[test]
    fn a_denial_is_told_once() {
        #[derive(Default)]
        struct Told(Mutex<Vec<String>>);
        impl Log for Told {
            fn output(&self, _: Stream, _: &[u8]) -> io::Result<()> {
                Ok(())
            }
            fn entry(&self, _: Level, _: &str, _: &str) {}
            fn denied(&self, denial: &Denial) {
                self.0.lock().unwrap().push(denial.to_string());
            }
        }
        let told = Arc::new(Told::default());
        let voice = Voice::new(told.clone(), false, false);
        for _ in 0..3 {
            voice.output(Stream::Stdout, b"hello").unwrap();
            voice.entry(Level::Info, "", "hello");
        }
        let told = told.0.lock().unwrap();
        assert_eq!(
            *told,
            [
                "it may not write to standard output (`wasi:cli/stdout`), because it has no \
                 capability \"stdio\"",
                "it may not write log entries (`wasi:logging/logging`), because it has no \
                 capability \"logging\"",
            ]
        );
    }
}
