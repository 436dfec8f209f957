//! The error for a text that is not a valid value of its type.
//!
//! It does not know where the text stands: the reader of `run.toml` adds that and makes a finding of it.

use super::suggest;

/// A text that is not a valid value of some type of the manifest.
///
/// The message is a lower-case fragment. The reader of `run.toml` adds the place, and shows `expected` after
/// the caret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// The error message, which names the text.
    pub message: String,
    /// A description of what would be valid.
    pub expected: String,
    /// Suggestions how to fix it, each shown on its own line.
    pub help: Vec<String>,
}

impl Invalid {
    /// Makes an error of what is wrong and what would be right.
    pub(super) fn new(message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { message: message.into(), expected: expected.into(), help: Vec::new() }
    }

    /// Makes an error about an empty text where a name is needed.
    pub(super) fn empty(what: &str) -> Self {
        Self::new(format!("{what} is empty"), "expected some text")
    }

    /// Makes an error about a word that is not one of a fixed set.
    pub(super) fn unknown(what: &str, word: &str, choices: &[&str]) -> Self {
        let expected = format!("expected {}", suggest::one_of(choices.iter().copied()));
        Self::new(format!("unknown {what} `{word}`"), expected)
            .maybe_help(suggest::did_you_mean(word, choices.iter().copied()))
    }

    /// Adds a suggestion how to fix it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds a suggestion how to fix it, if there is one.
    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help.extend(help);
        self
    }
}
