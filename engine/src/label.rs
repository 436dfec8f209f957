//! The name of an action: who owns it and which step of the owner's work it is.
//!
//! Labels are for people, for messages and for the incremental state. They never feed a key:
//! two components with the same sources and the same command share one cached result.

use std::fmt::{self, Write as _};
use std::sync::Arc;

/// A unique name of one action in a graph, such as `api:compile`.
///
/// Cheap to clone. Ordered by owner, then by step.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    owner: Arc<str>,
    step: Arc<str>,
}

impl Label {
    /// Names the `step` of `owner`'s work: `Label::new("api", "compile")`.
    pub fn new(owner: impl Into<Arc<str>>, step: impl Into<Arc<str>>) -> Self {
        Self { owner: owner.into(), step: step.into() }
    }

    /// Whose work it is: a component, a toolchain, a dependency.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Which part of the owner's work it is: `fetch`, `compile`, `finish`.
    #[must_use]
    pub fn step(&self) -> &str {
        &self.step
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A file's name may hold line breaks, and what a terminal takes for a command.
        for part in [&*self.owner, ":", &*self.step] {
            for char in part.chars() {
                match char.is_control() {
                    true => write!(f, "{}", char.escape_default())?,
                    false => f.write_char(char)?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
