//! What a build tells while it goes on. Plain data: the command line draws or serialises it.

use std::time::Duration;

use crate::{Failure, Label};

/// Receives the events of a build, from several threads at once.
///
/// Called on the way of the build: an implementation that draws hands the event on and returns.
pub trait Events: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The build begins.
    BuildStarted {
        /// How many actions the targets need, as far as is known now.
        actions: usize,
    },
    /// More actions are needed than was known: a pinned result has to be made after all.
    MoreActions {
        /// The new total.
        actions: usize,
    },
    /// An action was missed by every cache and runs now. Hits give no such event. An action that
    /// finds an input lost starts again once that is back.
    Started {
        /// Which.
        label: Label,
    },
    /// A running action tells how far it is.
    Progress {
        /// Which.
        label: Label,
        /// How far.
        progress: Progress,
    },
    /// An action has come to its end. An action whose blobs got lost may end more than once.
    Finished {
        /// Which.
        label: Label,
        /// How.
        finish: Finish,
        /// What it wrote to stdout and stderr; replayed on a hit, so that a compiler's warnings
        /// stay visible. Empty if the action did not end well: the failure has it then.
        messages: Messages,
    },
    /// The build is over.
    BuildFinished(Summary),
}

/// How far an action is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// In bytes.
    Bytes {
        /// So far.
        done: u64,
        /// In all, if that is known.
        total: Option<u64>,
    },
    /// In words: what is being done now.
    Text(String),
}

/// How an action ended.
#[derive(Clone, Debug)]
pub enum Finish {
    /// The result was known.
    Hit(Hit),
    /// It ran and succeeded.
    Ran(Usage),
    /// It failed. The same report is in the build's outcome.
    Failed(Box<Failure>),
    /// It was not started because something it needs failed.
    Skipped {
        /// The action that failed.
        because: Label,
    },
    /// It was stopped, or not started, because the build was cancelled.
    Cancelled,
}

/// Where a known result was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// In the project's incremental state: nothing has changed since the last build.
    State,
    /// In the local action cache.
    Local,
    /// Pinned in advance, and not needed itself.
    Pinned,
}

/// What an action used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time from start to end, staging and collecting included.
    pub wall: Duration,
    /// Processor time of the command. Zero for builtins.
    pub cpu: Duration,
    /// The largest resident set of the command, in bytes. Zero for builtins.
    pub max_rss: u64,
}

/// What an action wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Messages {
    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stdout.is_empty() && self.stderr.is_empty()
    }
}

/// The build in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Actions that the targets needed.
    pub actions: usize,
    /// Of these: the result was known.
    pub hits: usize,
    /// Of these: ran and succeeded.
    pub ran: usize,
    /// Of these: failed.
    pub failed: usize,
    /// Of these: not started because of a failure.
    pub skipped: usize,
    /// Of these: stopped or not started because of a cancellation.
    pub cancelled: usize,
    /// Time from start to end.
    pub wall: Duration,
    /// The chain of actions that ran and took the longest: no number of jobs makes the build
    /// faster than this.
    pub critical_path: Vec<(Label, Duration)>,
}
