//! The credentials that a request was sent with, as errors name them.

/// The credentials that a request was sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Used {
    /// None are known for the host.
    None,
    /// Those of a place that a user knows, such as `RUN_AUTH_TOKEN` or a file.
    From(String),
    /// There are some from this place, but they are not sent without encryption.
    Withheld(String),
}

impl Used {
    /// Returns the end of a sentence that begins with the refusal of a host: with which credentials, and what to do.
    pub(crate) fn advice(&self, host: &str) -> String {
        match self {
            Self::None => format!(
                "without credentials: `run login {host}` stores some (it may also be that it has no such package)"
            ),
            Self::From(place) => format!(
                "with the credentials of {place}: check that they are right and allow this, or store others with \
                 `run login {host}`"
            ),
            Self::Withheld(place) => format!(
                "without credentials, because those of {place} are not sent unencrypted: use https, or allow it with \
                 `run login http://{host}`"
            ),
        }
    }
}
