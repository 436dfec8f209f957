//! Describes what went wrong with a cache, for the warnings of a build. Nothing of it makes a build fail.
//!
//! Each kind is reported once, because a dead server would otherwise be reported for each action.

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::sync::Mutex;

use cache::{Digest, DigestFunction};

/// Something that went wrong with a cache.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There was no connection, or it broke, or nothing came in time.
    #[error("the cache at {host} can't be reached: {reason}")]
    Unreachable {
        /// The host, with its port.
        host: String,
        /// The reason.
        reason: String,
    },
    /// The server says that it is overloaded or broken.
    #[error("the cache at {host} failed to {doing}: it answered {status}")]
    Failing {
        /// The host, with its port.
        host: String,
        /// The request in words, such as "upload a blob".
        doing: &'static str,
        /// The status, with the server's words.
        status: String,
    },
    /// The server wants other credentials, or does not allow this at all.
    #[error("the cache at {host} refused to {doing}: it answered {status}")]
    Refused {
        /// The host, with its port.
        host: String,
        /// The request in words, such as "upload a blob".
        doing: &'static str,
        /// The status, with the server's words.
        status: String,
    },
    /// The server takes a request for wrong.
    #[error("the cache at {host} rejected a request to {doing}: it answered {status}")]
    Rejected {
        /// The host, with its port.
        host: String,
        /// The request in words, such as "upload a blob".
        doing: &'static str,
        /// The status, with the server's words.
        status: String,
    },
    /// The server sent bytes that are not those of the digest. They were thrown away.
    #[error("the cache at {host} sent wrong bytes for {digest}")]
    WrongBytes {
        /// The host, with its port.
        host: String,
        /// The digest that was asked for.
        digest: Digest,
    },
    /// The server sent something under this digest that has the right bytes and is still no directory.
    #[error("the cache at {host} has no usable directory under {digest}")]
    NotADirectory {
        /// The host, with its port.
        host: String,
        /// The digest that was asked for.
        digest: Digest,
    },
    /// Results were skipped, because no trusted key has signed what they say.
    #[error(
        "{count} results of the cache at {host} were skipped, because no trusted key has signed them"
    )]
    Untrusted {
        /// The host, with its port.
        host: String,
        /// The number of results since this was last reported.
        count: u64,
    },
    /// A result was not uploaded, because this machine's store lacks something of it.
    #[error("a result was not uploaded, because the store lacks {digest}")]
    Lacking {
        /// The digest of what is lacking.
        digest: Digest,
    },
    /// A result was not uploaded, because it has an output without a usable digest.
    #[error("a result was not uploaded, because its output `{}` has no usable digest", .path.escape_debug())]
    Malformed {
        /// The path of the output.
        path: String,
    },
    /// This machine's store can't be read or written.
    #[error("the store can't be used for the cache at {host}: {reason}")]
    Store {
        /// The host, with its port.
        host: String,
        /// The store's own message.
        reason: String,
    },
    /// The server does not know the digest function that the settings insist on, or none that this program knows.
    #[error("the cache at {host} does not offer the digest function {}", .wanted.map_or("blake3 or sha256", DigestFunction::name))]
    DigestFunction {
        /// The host, with its port.
        host: String,
        /// The function of the settings.
        wanted: Option<DigestFunction>,
    },
    /// A cluster did not execute an action.
    #[error("the cluster at {host} executed nothing: {reason}")]
    NotExecuted {
        /// The host, with its port.
        host: String,
        /// The reason.
        reason: String,
    },
    /// A worker of a cluster can't run an action as this machine would.
    #[error("a worker of the cluster at {host} can't run an action: {reason}")]
    Unfit {
        /// The host, with its port.
        host: String,
        /// The reason.
        reason: String,
    },
    /// The build was cancelled before the server answered.
    #[error("cancelled")]
    Cancelled,
}

/// The troubles of one client.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    fresh: Vec<Trouble>,
    known: Vec<Discriminant<Trouble>>,
    untrusted: BTreeMap<String, u64>,
}

impl Troubles {
    /// Notes a trouble, unless one of its kind was noted before.
    pub(crate) fn note(&self, trouble: Trouble) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kind = discriminant(&trouble);
        if !state.known.contains(&kind) {
            state.known.push(kind);
            state.fresh.push(trouble);
        }
    }

    /// Remembers that the user has heard of a trouble in another way.
    pub(crate) fn told(&self, trouble: &Trouble) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kind = discriminant(trouble);
        if !state.known.contains(&kind) {
            state.known.push(kind);
        }
    }

    /// Counts a result that was skipped.
    pub(crate) fn skipped(&self, host: &str) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *state.untrusted.entry(host.to_owned()).or_default() += 1;
    }

    /// Returns what was noted since the last call.
    pub(crate) fn take(&self) -> Vec<Trouble> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let counts = std::mem::take(&mut state.untrusted);
        let mut taken = std::mem::take(&mut state.fresh);
        taken.extend(counts.into_iter().map(|(host, count)| Trouble::Untrusted { host, count }));
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_once_and_skipped_results_are_counted() {
        let troubles = Troubles::default();
        let unreachable = |reason: &str| Trouble::Unreachable {
            host: "cache:1".to_owned(),
            reason: reason.to_owned(),
        };
        troubles.note(unreachable("first"));
        troubles.note(unreachable("second"));
        troubles.skipped("cache:1");
        troubles.skipped("cache:1");
        let untrusted = |count| Trouble::Untrusted { host: "cache:1".to_owned(), count };
        assert_eq!(troubles.take(), [unreachable("first"), untrusted(2)]);
        troubles.note(unreachable("third"));
        troubles.skipped("cache:1");
        assert_eq!(troubles.take(), [untrusted(1)]);
        assert_eq!(troubles.take(), []);
    }
}
