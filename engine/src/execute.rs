//! Running one action: from digests to digests.
//!
//! An executor stages the inputs, has the work done, collects the outputs into the store and writes
//! the result into the action cache, in this order: a result is never visible before its blobs are.
//! It knows nothing of other actions. A failed action leaves nothing behind but its report.

mod builtin;
mod collect;
mod process;
mod stage;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use cache::{Digest, DiskStore, ScratchDir, StoreError};
use sandbox::{Cancel, Isolation, Sandbox, Unsupported};

use crate::failure::{Failure, FailureKind};
use crate::key::Keyed;
use crate::success::Success;
use crate::{Action, Anew, Artifact, Build, Events, Messages, Report, Usage, Work};

/// Runs actions. Cheap to clone; the clones share their sandboxes, which are started when the first
/// command needs them.
#[derive(Clone)]
pub(crate) struct Executor {
    store: DiskStore,
    events: Arc<dyn Events>,
    cancel: Cancel,
    keep_sandbox: bool,
    anew: Option<Arc<Anew>>,
    sandboxes: Arc<Sandboxes>,
}

/// The sandboxes of a build, by [`Isolation`].
type Sandboxes = [OnceLock<Workplace>; Isolation::ALL.len()];

/// A sandbox that runs, and the folder that it may use.
struct Workplace {
    sandbox: Sandbox,
    _folder: ScratchDir,
}

/// One action to be run.
pub(crate) struct Job {
    pub(crate) action: Arc<Action>,
    /// The content of each of the action's inputs.
    pub(crate) inputs: Vec<Artifact>,
    pub(crate) keyed: Keyed,
}

/// An action that succeeded. Its result is in the action cache.
pub(crate) struct Kept {
    pub(crate) keyed: Keyed,
    pub(crate) success: Success,
    pub(crate) messages: Messages,
    pub(crate) usage: Usage,
    /// See [`Outcome::missing`](crate::Outcome::missing).
    pub(crate) missing: Vec<PathBuf>,
}

/// Why an action did not succeed.
pub(crate) enum Stop {
    /// It failed.
    Failed(Box<Failure>),
    /// The store lacks `digest`, and more or less of these inputs.
    Missing { inputs: Vec<usize>, digest: Digest },
    /// It was stopped.
    Cancelled,
    /// There is no sandbox for it on this machine.
    Unsupported(Unsupported),
    /// The system gives no more threads.
    Threads(io::Error),
}

/// What the work itself gave, before it is kept.
struct Done {
    outputs: Vec<(String, Artifact)>,
    messages: Messages,
    usage: Usage,
    missing: Vec<PathBuf>,
}

impl Executor {
    pub(crate) fn new(build: &Build<'_>) -> Self {
        Self {
            store: build.store.clone(),
            events: Arc::clone(&build.events),
            cancel: build.cancel.clone(),
            keep_sandbox: build.options.keep_sandbox,
            anew: build.options.anew.clone(),
            sandboxes: Arc::default(),
        }
    }

    /// Runs an action to its end. Blocks; every process of it is dead on return.
    pub(crate) fn execute(&self, job: Job) -> Result<Kept, Stop> {
        let begin = Instant::now();
        let mut done = match &job.action.work {
            Work::Process(process) => self.process(&job, process)?,
            Work::Builtin(builtin) => self.builtin(&job, builtin.as_ref())?,
        };
        done.usage.wall = begin.elapsed();
        self.keep(job, done)
    }

    /// What an action wrote, as far as the store still has it: messages that got lost are not worth
    /// a new run.
    pub(crate) fn messages(&self, success: &Success) -> Messages {
        let read = |digest: &Option<Digest>| {
            let bytes = digest.and_then(|digest| self.store.get(&digest).ok().flatten());
            bytes.unwrap_or_default()
        };
        Messages { stdout: read(&success.stdout), stderr: read(&success.stderr) }
    }

    /// Checks a result against the pin and writes it into the action cache.
    fn keep(&self, job: Job, done: Done) -> Result<Kept, Stop> {
        let Done { outputs, messages, usage, missing } = done;
        if let (Some(expected), [(_, artifact)]) = (job.action.pinned, outputs.as_slice())
            && *artifact != Artifact::Tree(expected)
        {
            let actual = *artifact.digest();
            return Err(failed(&job.action, FailureKind::PinMismatch { expected, actual }));
        }
        let keep = || {
            let success = Success {
                outputs,
                stdout: self.put(&messages.stdout)?,
                stderr: self.put(&messages.stderr)?,
            };
            for (_, message) in &job.keyed.messages {
                self.store.put(message)?;
            }
            if self.anew.is_some() && !job.action.work.needs_network() {
                return Ok(success);
            }
            let result = success.to_result(&self.store, usage.wall, job.action.work.worker())?;
            self.store.put_action_result(&job.keyed.key.0, &result)?;
            Ok(success)
        };
        let success = keep().map_err(|error: StoreError| infrastructure(&job.action, &error))?;
        Ok(Kept { keyed: job.keyed, success, messages, usage, missing })
    }

    /// Stores what was written, if anything was.
    fn put(&self, bytes: &[u8]) -> Result<Option<Digest>, StoreError> {
        if bytes.is_empty() { Ok(None) } else { self.store.put(bytes).map(Some) }
    }

    /// The end of an action that found `digest` missing: of which inputs the store lacks something.
    fn missing(&self, job: &Job, digest: Digest) -> Stop {
        let incomplete = |input: &Artifact| !is_complete(&self.store, input).unwrap_or(false);
        let inputs = (0..job.inputs.len()).filter(|at| incomplete(&job.inputs[*at])).collect();
        Stop::Missing { inputs, digest }
    }
}

fn failed(action: &Action, kind: FailureKind) -> Stop {
    Stop::Failed(Box::new(Failure::new(action.label.clone(), kind)))
}

fn infrastructure(action: &Action, error: &dyn std::error::Error) -> Stop {
    failed(action, FailureKind::Infrastructure(Report::of(error)))
}

/// Whether the store has every blob of an artifact, by a glance at each.
pub(crate) fn is_complete(store: &DiskStore, artifact: &Artifact) -> Result<bool, StoreError> {
    match artifact {
        Artifact::File { digest, .. } => Ok(store.contains(digest)),
        Artifact::Tree(digest) => store.contains_tree(digest),
    }
}
