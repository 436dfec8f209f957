//! One build: what is asked for, under which conditions, and what came of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use cache::DiskStore;
use sandbox::{Cancel, Determinism, Unsupported, View};

use crate::{
    ActionId, Artifact, Events, Export, ExportError, Failure, Graph, Label, State, StateError,
    Summary,
};

/// Everything a build needs. [`Build::run`] does it.
pub struct Build<'a> {
    /// The actions.
    pub graph: &'a Graph,
    /// Which of them are asked for. What they don't need is left alone.
    pub targets: &'a [Target],
    /// Outputs to be written to where the user looks for them. Their actions are targets, too.
    pub exports: &'a [Export],
    /// The conditions.
    pub options: Options,
    /// Where blobs, trees and results lie.
    pub store: &'a DiskStore,
    /// What is remembered of this project. Saved when the build ends, however it ends.
    pub state: &'a mut State,
    /// Receives what happens.
    pub events: Arc<dyn Events>,
    /// Stops the build when cancelled: running actions are killed.
    pub cancel: Cancel,
}

/// An action that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which.
    pub action: ActionId,
    /// Whether its outputs have to be in the store at the end. If not, it is enough that they are
    /// known by digest.
    pub present: bool,
}

/// The conditions of a build. None of them feeds a key.
///
/// With [`Options::anew`], nothing is taken from the caches but what was fetched, as that is pinned, and
/// no result goes into them: it is known to the outcome alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many actions run at once, at least 1. With 1, nothing runs beside anything else, and the
    /// order of everything is the same in every build.
    pub jobs: usize,
    /// How many builtins that need the network run at once, at least 1. They don't count as jobs.
    pub downloads: usize,
    /// Whether to go on with what does not depend on a failed action.
    pub keep_going: bool,
    /// Whether actions that need the network fail instead of running.
    pub offline: bool,
    /// Whether to keep the sandbox folder of a failed command.
    pub keep_sandbox: bool,
    /// Whether to run again what has a result, and under which other conditions.
    pub anew: Option<Arc<Anew>>,
}

/// What commands see of the machine in a build that runs [anew](Options::anew): two builds with two of
/// these see two different machines. A command whose action has a determinism layer sees none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anew {
    /// Chance, clocks, files and processors.
    pub determinism: Determinism,
    /// User, host and process numbers.
    pub view: View,
    /// Variables that are added to the environment or have another value.
    pub env: BTreeMap<String, String>,
}

/// What came of a build.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// The failures, in the order in which they happened.
    pub failures: Vec<Failure>,
    /// Of commands that ran under the determinism layer, and of all in a build that runs
    /// [anew](Options::anew): what they looked for and did not find, as absolute paths inside the
    /// sandbox.
    pub missing: Vec<(Label, Vec<PathBuf>)>,
    /// What was not started because of a failure, and because of which.
    pub skipped: Vec<(Label, Label)>,
    /// What became of each of [`Build::exports`], in that order. `None`: its action gave nothing.
    pub exports: Vec<Option<Exported>>,
    /// The build in figures.
    pub summary: Summary,
    /// The state could not be written; the next build is slower for it, nothing else.
    pub state_error: Option<StateError>,
    pub(crate) artifacts: Vec<Option<Vec<(String, Artifact)>>>,
}

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All targets are there.
    Succeeded,
    /// At least one action failed.
    Failed,
    /// It was cancelled.
    Interrupted,
}

/// What became of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exported {
    /// It was written.
    Written,
    /// It was already there, untouched since an earlier build wrote it.
    Untouched,
}

/// Why a build could not be done at all. No action is to blame.
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
    /// What is going to be exported can't be noted.
    #[error(transparent)]
    State(#[from] StateError),
    /// The threads that run actions can't be started.
    #[error("can't start the build's threads")]
    Threads(#[source] std::io::Error),
}

impl Target {
    /// Asks for the result by digest.
    #[must_use]
    pub const fn known(action: ActionId) -> Self {
        Self { action, present: false }
    }

    /// Asks for the result, and that its blobs are in the store.
    #[must_use]
    pub const fn present(action: ActionId) -> Self {
        Self { action, present: true }
    }
}

impl Outcome {
    /// The declared output `path` of `action`, if the action has a result.
    #[must_use]
    pub fn artifact(&self, action: ActionId, path: &str) -> Option<Artifact> {
        let outputs = self.artifacts.get(action.index())?.as_ref()?;
        outputs.iter().find(|(name, _)| name == path).map(|(_, artifact)| *artifact)
    }
}

impl Build<'_> {
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
