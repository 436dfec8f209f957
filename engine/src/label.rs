//! The label of an action, which consists of its owner and its step.
//!
//! Labels are used in messages and in the incremental state. They never feed a key, so
//! two components with the same sources and the same command share one cached result.

use std::fmt::{self, Write as _};
use std::sync::Arc;

/// The unique name of an action in a graph, such as `api:compile`.
///
/// Labels are cheap to clone, and ordered by owner, then by step.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    owner: Arc<str>,
    step: Arc<str>,
}

impl Label {
    /// Makes the label of a `step` of `owner`'s work: `Label::new("api", "compile")`.
    pub fn new(owner: impl Into<Arc<str>>, step: impl Into<Arc<str>>) -> Self {
        Self { owner: owner.into(), step: step.into() }
    }

    /// Returns the owner: a component, a toolchain, or a dependency.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Returns the step, which is a part of the owner's work: `fetch`, `compile`, `finish`.
    #[must_use]
    pub fn step(&self) -> &str {
        &self.step
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name of a file may contain line breaks, and control sequences of terminals.
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
