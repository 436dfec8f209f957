//! Why a text is not a valid value of its type, before it is known where it stands.

use super::suggest;

/// A text that is not a valid value of some type of the manifest.
///
/// Reads as a lower-case fragment; the reader of `run.toml` adds the place, and shows `expected`
/// behind the caret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// What is wrong, naming the text.
    pub message: String,
    /// What would be valid.
    pub expected: String,
    /// Ways out, one a line.
    pub help: Vec<String>,
}

impl Invalid {
    /// Starts with what is wrong and what would be right.
    pub(super) fn new(message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { message: message.into(), expected: expected.into(), help: Vec::new() }
    }

    /// An empty text where something has to be named.
    pub(super) fn empty(what: &str) -> Self {
        Self::new(format!("{what} is empty"), "expected some text")
    }

    /// A word that is not one of a fixed set.
    pub(super) fn unknown(what: &str, word: &str, choices: &[&str]) -> Self {
        let expected = format!("expected {}", suggest::one_of(choices.iter().copied()));
        Self::new(format!("unknown {what} `{word}`"), expected)
            .maybe_help(suggest::did_you_mean(word, choices.iter().copied()))
    }

    /// Adds a way out.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds a way out if there is one.
    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help.extend(help);
        self
    }
}
