//! The ways in which one try of a call fails, and what each means for the next try.

use std::error::Error;
use std::time::Duration;

use cache::{Digest, StoreError};

use crate::trouble::Trouble;

/// The way in which one try failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There was no connection, or it broke.
    Unreachable(String),
    /// Nothing came within this time, or next to nothing.
    Silent(Duration),
    /// The server is overloaded or broken. It may have said how long to wait.
    Failing { status: String, wait: Option<Duration> },
    /// The credentials don't suffice.
    Refused(String),
    /// The server takes the request for wrong.
    Rejected(String),
    /// The server sent other bytes than the digest's.
    Wrong(Digest),
    /// The store lacks a blob that should be sent, or it is damaged.
    Lacking(Digest),
    /// The store can't be read or written.
    Store(String),
}

impl Failure {
    /// Tells if the same call may succeed a moment later.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Silent(_) | Self::Failing { .. })
    }

    /// Tells if the failure says something about the server, and not only about one blob or about this machine.
    pub(crate) const fn is_the_servers(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Silent(_)
                | Self::Failing { .. }
                | Self::Refused(_)
                | Self::Rejected(_)
        )
    }

    /// Returns the reason alone, without the server and what was asked of it.
    pub(crate) fn reason(self) -> String {
        match self {
            Self::Unreachable(text)
            | Self::Failing { status: text, .. }
            | Self::Refused(text)
            | Self::Rejected(text)
            | Self::Store(text) => text,
            Self::Silent(time) => format!("there was no answer within {} s", time.as_secs_f64()),
            Self::Wrong(digest) => format!("it sent wrong bytes for {digest}"),
            Self::Lacking(digest) => format!("{digest} is lacking"),
        }
    }

    /// Returns what to tell the user.
    pub(crate) fn trouble(self, host: &str, doing: &'static str) -> Trouble {
        let host = host.to_owned();
        match self {
            Self::Unreachable(reason) => Trouble::Unreachable { host, reason },
            Self::Silent(_) => Trouble::Unreachable { host, reason: self.reason() },
            Self::Failing { status, .. } => Trouble::Failing { host, doing, status },
            Self::Refused(status) => Trouble::Refused { host, doing, status },
            Self::Rejected(status) => Trouble::Rejected { host, doing, status },
            Self::Wrong(digest) => Trouble::WrongBytes { host, digest },
            Self::Lacking(digest) => Trouble::Lacking { digest },
            Self::Store(reason) => Trouble::Store { host, reason },
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(with_causes(&error))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Store(error.to_string())
    }
}

/// Returns the messages of an error and of all its causes.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Returns the first line of what a server says, short and without control characters, because it is shown on a terminal.
pub(crate) fn plain(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().take(200).map(|c| if c.is_control() { '?' } else { c }).collect()
}
