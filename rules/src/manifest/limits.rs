//! The limits of the commands that build a component.
//!
//! Only values are read here. The planner puts them into the actions, and the sandbox enforces them.

use std::time::Duration;

use super::measure::{Size, Time};
use super::span::Spanned;
use super::table::Reader;

/// The limits of each command, and of each worker, that builds a component. A command without limits of its
/// own may run for one hour; its memory and CPUs are not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The time after which the command is killed.
    pub timeout: Option<Spanned<Duration>>,
    /// The memory, in bytes, that all processes of the command may use together.
    pub memory: Option<Spanned<u64>>,
    /// The number of CPUs that the command sees and may run on.
    pub cpu: Option<Spanned<u16>>,
}

impl Limits {
    pub(super) const KEYS: [&'static str; 3] = ["timeout", "memory", "cpu"];

    pub(super) fn read(reader: &mut Reader<'_, '_>) -> Self {
        Self {
            timeout: reader.parse::<Time>("timeout").map(|time| time.map(|Time(time)| time)),
            memory: reader.parse::<Size>("memory").map(|size| size.map(|Size(size)| size)),
            cpu: reader.number("cpu", "number of CPUs", 1024),
        }
    }
}
