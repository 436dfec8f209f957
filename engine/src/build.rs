//! Defines a build: the request with its targets and options, and the outcome.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cache::DiskStore;
use sandbox::{Cancel, Determinism, Unsupported, View};

use crate::success::Success;
use crate::{
    ActionId, ActionKey, Artifact, Cluster, Download, Events, Export, ExportError, Failure, Graph,
    Label, Remote, State, StateError, Summary,
};

/// Everything that a build needs. [`BuildRequest::run`] does the build.
pub struct BuildRequest<'a> {
    /// The graph of all actions.
    pub graph: &'a Graph,
    /// The actions whose results are wanted. An action that no target needs does not run.
    pub targets: &'a [Target],
    /// The outputs that are written to the user's folders. Their actions are targets, too.
    pub exports: &'a [Export],
    /// The options of the build.
    pub options: Options,
    /// The store that holds blobs, trees and results.
    pub store: &'a DiskStore,
    /// The incremental state of this project. It is saved when the build ends, also when the build fails.
    pub state: &'a mut State,
    /// A cache beyond this machine. It is asked for results that the store lacks, and gets the results that are made.
    pub remote: Option<Arc<dyn Remote>>,
    /// A cluster that executes commands beside this machine. Its blobs are fetched from the remote.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// The function that tells if a tool's message says that a file is missing. A command that fails with such a
    /// message is run once more, to find out which file that is.
    pub says_missing: fn(&str) -> bool,
    /// The receiver of the build's events.
    pub events: Arc<dyn Events>,
    /// The means to cancel the build; running actions are killed then.
    pub cancel: Cancel,
}

/// An action whose result is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The action.
    pub action: ActionId,
    /// True if the blobs of its outputs have to be in the store at the end. If not, it is enough to know their digests.
    pub present: bool,
}

/// The options of a build. None of them feeds a key.
///
/// With [`Options::anew`], the build takes nothing from the caches but fetched files, whose checksums are pinned. Its
/// results do not go into the caches either; they are in the outcome only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The number of actions that may run at once, at least 1. With 1, actions run one after the other, and always in the
    /// same order.
    pub jobs: usize,
    /// The number of actions that a cluster may execute at once. They don't count as jobs.
    pub cluster_jobs: usize,
    /// The number of builtins that may use the network at once, at least 1. They don't count as jobs.
    pub downloads: usize,
    /// True if a failure does not end the build, which goes on with the actions that do not depend on the failed one.
    pub keep_going: bool,
    /// True if actions that need the network fail instead of running.
    pub offline: bool,
    /// The blobs of a remote's results that are downloaded although no action needs them.
    pub download: Download,
    /// The time that uploads to a remote may still take when everything else is done.
    pub upload_patience: Duration,
    /// True if the sandbox folder of a failed command is kept.
    pub keep_sandbox: bool,
    /// The conditions that commands see in a build that runs all actions again, also those with a known result. `None`
    /// for an ordinary build.
    pub anew: Option<Arc<RerunConditions>>,
}

/// The properties of the machine that commands see in a build that runs [anew](Options::anew). With two different
/// values, the commands of two builds see two different machines. A command whose action has the determinism layer sees
/// none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RerunConditions {
    /// The random numbers, clocks, file times and processors that the commands see.
    pub determinism: Determinism,
    /// The user, the host name and the process numbers that the commands see.
    pub view: View,
    /// Environment variables that are added or replaced.
    pub env: BTreeMap<String, String>,
}

/// The outcome of a build.
#[derive(Debug)]
pub struct Outcome {
    /// The way in which the build ended.
    pub status: Status,
    /// The failures, in the order in which they happened.
    pub failures: Vec<Failure>,
    /// The files that commands looked for and did not find, as absolute paths inside the
    /// sandbox. They are known of commands that ran under the determinism layer, and of all commands in a build that runs
    /// [anew](Options::anew).
    pub missing: Vec<(Label, Vec<PathBuf>)>,
    /// The actions that were not started because another one failed. Each comes with the label of the failed one.
    pub skipped: Vec<(Label, Label)>,
    /// The fate of each of [`BuildRequest::exports`], in the same order. It is `None` if the action of the export has no
    /// result.
    pub exports: Vec<Option<Exported>>,
    /// The figures of the build.
    pub summary: Summary,
    /// The number of results whose upload was given up, because it took longer than [`Options::upload_patience`].
    pub unfinished_uploads: usize,
    /// The error that kept the state from being written. It only makes the next build slower.
    pub state_error: Option<StateError>,
    pub(crate) results: Vec<Option<Arc<Success>>>,
    pub(crate) keys: Vec<Option<ActionKey>>,
}

/// The way in which a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All targets have their results.
    Succeeded,
    /// At least one action failed.
    Failed,
    /// The build was cancelled.
    Interrupted,
}

/// The fate of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exported {
    /// The file was written.
    Written,
    /// The file was already there, unchanged since an earlier build wrote it.
    Untouched,
    /// The file was not written, because its bytes are in the remote only and [`Download::Minimal`] leaves them there.
    NotDownloaded,
}

/// The reason why a build could not be done at all, although no action is at fault.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An action has to run, and this machine has no sandbox for it.
    #[error("this machine can't run actions hermetically")]
    Unsupported(#[source] Unsupported),
    /// An output could not be written to where the user wants it.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The store can't be read.
    #[error("can't use the store")]
    Store(#[from] cache::StoreError),
    /// The journal of exported files can't be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The threads that run actions can't be started.
    #[error("can't start the build's threads")]
    Threads(#[source] std::io::Error),
}

impl Target {
    /// Asks for the digests of the result.
    #[must_use]
    pub const fn known(action: ActionId) -> Self {
        Self { action, present: false }
    }

    /// Asks for the result with its blobs in the store.
    #[must_use]
    pub const fn present(action: ActionId) -> Self {
        Self { action, present: true }
    }
}

impl Outcome {
    /// Returns the key under which the result of `action` was found or made, if it has one. A pinned action that nobody
    /// needed has a result and no key.
    #[must_use]
    pub fn key(&self, action: ActionId) -> Option<ActionKey> {
        self.keys.get(action.index()).copied().flatten()
    }

    /// Returns the declared output `path` of `action`, if the action has a result.
    #[must_use]
    pub fn artifact(&self, action: ActionId, path: &str) -> Option<Artifact> {
        self.results.get(action.index())?.as_ref()?.artifact(path)
    }
}

impl BuildRequest<'_> {
    /// Does the build, and blocks until it is over.
    ///
    /// Failed actions are part of the outcome, not an error.
    ///
    /// # Errors
    /// If the machine can't do what a build takes; see [`BuildError`].
    pub fn run(self) -> Result<Outcome, BuildError> {
        crate::schedule::run(self)
    }
}
