//! The errors of language modules while a component is planned.
//!
//! The planner does not know the error types of the languages, so an error is wrapped in a [`Complaint`],
//! which shows its message and hint.

use std::error::Error;
use std::fmt;

use super::source_tree::SourceTreeError;

/// An error of a language about a component, found before any action runs.
pub(crate) trait LanguageError: Error + Send + Sync + 'static {
    /// Returns a hint on what the user can do about it.
    fn hint(&self) -> Option<String>;

    /// Returns whether the component's WIT is wrong, and not its source.
    fn is_about_wit(&self) -> bool {
        false
    }
}

/// An error of any language.
#[derive(Debug)]
pub struct Complaint(Box<dyn LanguageError>);

impl Complaint {
    fn hint(&self) -> Option<String> {
        self.0.hint()
    }

    pub(crate) fn is_about_wit(&self) -> bool {
        self.0.is_about_wit()
    }
}

impl<E: LanguageError> From<E> for Complaint {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Complaint {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// The reason why a component's actions can't be planned.
#[derive(Debug, thiserror::Error)]
pub enum LangError {
    /// The language module reports an error.
    #[error(transparent)]
    Language(Complaint),
    /// The source files can't be listed or taken into the store.
    #[error(transparent)]
    Sources(#[from] SourceTreeError),
    /// The language makes bindings from WIT, and the component has none.
    #[error("a {language} component needs `wit`: its bindings are made from it")]
    NeedsWit {
        /// The name of the language.
        language: &'static str,
    },
}

impl LangError {
    /// Returns a hint on what the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Language(complaint) => complaint.hint(),
            Self::NeedsWit { .. } => Some(
                "add `wit = \"wit\"` to the component, or a world that is built in, such as \
                 `world = \"wasi:cli/command@0.2.4\"`"
                    .to_owned(),
            ),
            Self::Sources(error) => error.hint(),
        }
    }
}

impl<E: LanguageError> From<E> for LangError {
    fn from(error: E) -> Self {
        Self::Language(error.into())
    }
}
