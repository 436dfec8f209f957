//! What the rest of the program knows of a language: its names, and what its module does.

use std::error::Error;
use std::fmt;
use std::path::Path;

use engine::CommandReport;

use super::{Compiled, Request};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};

/// A language, as one constant of its module. [`LANGUAGES`](super::LANGUAGES) lists them.
pub(crate) struct Rule {
    /// What run.toml calls it.
    pub(crate) name: &'static str,
    /// The endings of file names that imply it.
    pub(crate) endings: &'static [&'static str],
    /// What people write instead of the name, in lower case.
    pub(crate) nicknames: &'static [&'static str],
    /// Languages whose sources it can be told to compile as well.
    pub(crate) also_reads: &'static [&'static str],
    /// Whether a check stands beside the build, which a component can switch off.
    pub(crate) has_check: bool,
    /// The toolchains that a component of a project needs, by its `source`.
    pub(crate) toolchains: fn(&Path, &ProjectPath) -> Vec<&'static str>,
    /// Adds the actions that compile a component.
    pub(crate) compile: fn(&mut Planner<'_>, &Request<'_>) -> Result<Compiled, PlanError>,
    /// What a person can do about a failed action, by what its tools wrote. Asked whatever the
    /// language of the component is.
    pub(crate) hints: fn(&mut ToolOutput<'_>) -> Vec<String>,
}

/// What the tools of a failed action wrote.
pub(crate) struct ToolOutput<'a> {
    /// Standard error, then standard output, without colours. A language whose tools call the action's files
    /// otherwise may put it right.
    pub(crate) text: String,
    /// The command, if the action was one.
    pub(crate) command: Option<&'a CommandReport>,
}

/// What is wrong with a component before any action runs, in the words of its language.
pub(crate) trait LanguageError: Error + Send + Sync + 'static {
    /// What the user can do about it.
    fn hint(&self) -> Option<String>;

    /// Whether the component's WIT is what is wrong, and not its source.
    fn is_about_wit(&self) -> bool {
        false
    }
}

/// A [`LanguageError`] of any language.
#[derive(Debug)]
pub struct Complaint(Box<dyn LanguageError>);

impl Complaint {
    pub(super) fn hint(&self) -> Option<String> {
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

impl ToolOutput<'_> {
    /// Whether one of the signs is in it.
    pub(crate) fn has(&self, signs: &[&str]) -> bool {
        signs.iter().any(|sign| self.text.contains(sign))
    }
}
