//! The events that a build reports while it goes on. They are plain data, which the command line prints or serialises.

use std::time::Duration;

use crate::{Failure, Label};

/// Receives the events of a build, from several threads at once.
///
/// The build waits for each call, so an implementation should pass the event on and return at once.
pub trait Events: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}

/// An event of a build.
#[derive(Clone, Debug)]
pub enum Event {
    /// The build begins.
    BuildStarted {
        /// The number of actions that the targets need, as far as it is known now.
        actions: usize,
    },
    /// More actions are needed than was known, because a pinned result has to be made.
    MoreActions {
        /// The new total.
        actions: usize,
    },
    /// No cache has the action's result, so it runs now. A hit gives no such event. An action that
    /// finds an input lost starts again after the input was restored.
    Started {
        /// The label of the action.
        label: Label,
        /// The name of the cluster that it was sent to; `None` if it runs on this machine.
        cluster: Option<String>,
    },
    /// Outputs of an action are downloaded from the cache beyond this machine, because something needs them.
    Fetching {
        /// The label of the action.
        label: Label,
    },
    /// Such a download has ended.
    Fetched {
        /// The label of the action.
        label: Label,
        /// True if everything is there now. If not, the action runs again.
        is_whole: bool,
    },
    /// Everything else is done, and results are still being uploaded.
    Uploading {
        /// The number of results whose upload is not done.
        left: usize,
    },
    /// A running action reports its progress.
    Progress {
        /// The label of the action.
        label: Label,
        /// The progress.
        progress: Progress,
    },
    /// An action has ended. An action whose blobs the store has lost may run, and end, more than once.
    Finished {
        /// The label of the action.
        label: Label,
        /// The way in which the action ended.
        finish: ActionEnd,
        /// The text that the action wrote to stdout and stderr. A hit repeats it, so that a compiler's warnings
        /// stay visible. It is empty if the action failed; the failure has the text then.
        messages: Messages,
    },
    /// The build is over.
    BuildFinished(Summary),
}

/// The progress of a running action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The progress in bytes.
    Bytes {
        /// The number of bytes so far.
        done: u64,
        /// The total number of bytes, if it is known.
        total: Option<u64>,
    },
    /// A text that says what is being done now.
    Text(String),
}

/// The way in which an action ended.
#[derive(Clone, Debug)]
pub enum ActionEnd {
    /// The result was known, so the action did not run.
    Hit(Hit),
    /// It ran and succeeded.
    Ran(Usage),
    /// It failed. The same report is in the build's outcome.
    Failed(Box<Failure>),
    /// It was not started because an action that it needs failed.
    Skipped {
        /// The action that failed.
        because: Label,
    },
    /// It was stopped, or not started, because the build was cancelled.
    Cancelled,
}

/// The place where a known result was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// The result was in the project's incremental state: nothing has changed since the last build.
    State,
    /// The result was in the local action cache.
    Local,
    /// The result was in the cache beyond this machine.
    Remote,
    /// The result is pinned, and its blobs were not needed.
    Pinned,
}

/// The resources that an action used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time from start to end, staging and collecting included.
    pub wall: Duration,
    /// Processor time of the command. Zero for builtins.
    pub cpu: Duration,
    /// The largest resident set of the command, in bytes. Zero for builtins.
    pub max_rss: u64,
}

/// The text that an action wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Messages {
    /// Tells if both texts are empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stdout.is_empty() && self.stderr.is_empty()
    }
}

/// The figures of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The number of actions that the targets needed.
    pub actions: usize,
    /// The number of these actions whose result was known.
    pub hits: usize,
    /// The number of these hits that came from the cache beyond this machine.
    pub remote_hits: usize,
    /// The number of these actions that ran and succeeded.
    pub ran: usize,
    /// The number of these actions that a cluster executed.
    pub ran_on_cluster: usize,
    /// The number of these actions that failed.
    pub failed: usize,
    /// The number of these actions that were not started because of a failure.
    pub skipped: usize,
    /// The number of these actions that were stopped, or not started, because the build was cancelled.
    pub cancelled: usize,
    /// Time from start to end.
    pub wall: Duration,
    /// The chain of dependent actions that took the longest in this build. More jobs could not have made the build
    /// faster than this.
    pub critical_path: Vec<(Label, Duration)>,
}
