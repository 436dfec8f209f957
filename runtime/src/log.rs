//! The log of an instance: it takes output, log entries, and denials by the host.

use std::{fmt, io};

/// Takes what an instance says. It is called while the instance waits, so it should be quick.
pub trait Log: Send + Sync + 'static {
    /// Takes bytes that the component wrote to a standard stream. They may end in the middle of a line or a character. An
    /// error is what the component gets, too; it closes the stream.
    fn output(&self, stream: Stream, bytes: &[u8]) -> io::Result<()>;

    /// Takes an entry of `wasi:logging`.
    fn entry(&self, level: Level, context: &str, message: &str);

    /// Is told once for each kind that an instance was refused something.
    fn denied(&self, denial: &Denial);

    /// Tells if a standard stream ends at a terminal, so that a component may use colours.
    fn is_terminal(&self, stream: Stream) -> bool {
        let _ = stream;
        false
    }
}

/// A standard stream to which a component writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The severity of a log entry, from the least to the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of `wasi:logging`")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

impl Level {
    /// Returns the name in `wasi:logging`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that a component was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The import that was called, such as `wasi:http/outgoing-handler`.
    pub import: &'static str,
    /// The thing that the component wanted to do, such as `send a request to http://example.com/`.
    pub attempt: String,
    /// The capability that would have allowed it, such as `http-client:example.com`.
    pub capability: String,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { import, attempt, capability } = self;
        write!(
            f,
            "it may not {attempt} (`{import}`), because it has no capability \"{capability}\""
        )
    }
}

/// The log of an instance whose words nobody wants.
pub(crate) struct Silence;

impl Log for Silence {
    fn output(&self, _: Stream, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn entry(&self, _: Level, _: &str, _: &str) {}
    fn denied(&self, _: &Denial) {}
}
