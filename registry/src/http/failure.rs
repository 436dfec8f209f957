//! The reasons why a server could not be asked.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The reason why a server could not be asked. URLs are shown without their query, which may hold a signature.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The network is switched off.
    #[error("cannot ask {url}: the network is switched off")]
    Offline {
        /// The URL.
        url: String,
    },
    /// The server answered with a status that is not tried again.
    #[error("{url} answered with status {status}{said}")]
    Status {
        /// The URL.
        url: String,
        /// The status.
        status: u16,
        /// A colon and the first line of the server's message, or empty if there is none.
        said: String,
    },
    /// The server redirects, and the redirect must not be followed.
    #[error("{url} redirects, which is not followed: {reason}")]
    Redirect {
        /// The URL that was asked for.
        url: String,
        /// The reason why it is not followed.
        reason: String,
    },
    /// Every try failed.
    #[error("cannot reach {url} (tried {})", times(*.attempts))]
    Failed {
        /// The URL.
        url: String,
        /// The number of tries.
        attempts: u32,
        /// The last failure.
        #[source]
        source: Transient,
    },
    /// The body is longer than the limit.
    #[error("the answer of {url} is longer than {limit} bytes")]
    TooLong {
        /// The URL.
        url: String,
        /// The largest size that is accepted, in bytes.
        limit: u64,
    },
    /// The proxies or certificates can't be used as they are configured.
    #[error("cannot set up the network")]
    Setup(#[source] reqwest::Error),
    /// The file with certificates can't be read.
    #[error("cannot read the certificates in {}", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// The threads that drive connections can't be started.
    #[error("cannot start the network runtime")]
    Runtime(#[source] io::Error),
    /// The command was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// A failure that may pass, so that the request is made again.
#[derive(Debug, thiserror::Error)]
pub enum Transient {
    /// There was no connection, or it broke.
    #[error("{}", with_causes(.0))]
    Connection(reqwest::Error),
    /// The server answered with a status that says that it is overloaded or has failed.
    #[error("the server answered with status {status}{}", in_words(.wait))]
    Status {
        /// The status.
        status: u16,
        /// The time for which the server asks to wait.
        wait: Option<Duration>,
    },
    /// The body ended before its expected size.
    #[error("the body ended after {got} of {expected} bytes")]
    Cut {
        /// The number of bytes that came.
        got: u64,
        /// The number of bytes that were expected.
        expected: u64,
    },
    /// The server sent nothing for too long, or too little.
    #[error("the server is too slow: {got} bytes came in {} s", .time.as_secs_f32())]
    Slow {
        /// The number of bytes that came.
        got: u64,
        /// The time that it took.
        time: Duration,
    },
}

impl HttpError {
    /// Returns true if the server could not be reached or is overloaded, so that another one may help.
    pub(crate) const fn is_about_reaching(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

/// Returns the messages of a connection's error and of all its causes, because the error itself says little.
fn with_causes(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn times(attempts: u32) -> String {
    if attempts == 1 { "once".to_owned() } else { format!("{attempts} times") }
}

fn in_words(wait: &Option<Duration>) -> String {
    wait.map_or_else(String::new, |wait| format!(" and asks to wait for {} s", wait.as_secs()))
}
