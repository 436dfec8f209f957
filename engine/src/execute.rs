//! Runs one action, here or on a cluster: takes the digests of its inputs and returns the digests of its outputs.
//!
//! An executor stages the inputs, does the work, collects the outputs into the store and writes
//! the result into the action cache, in this order, so that a result is never visible before its blobs are.
//! It knows nothing of other actions. A failed action leaves nothing behind but its report.

mod builtin;
mod cluster;
mod collect;
mod process;
mod root;
mod stage;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use cache::{Claim, Digest, DiskStore, ScratchDir, StoreError, reapi};
use sandbox::{Cancel, Isolation, Sandbox, Unsupported};

use crate::failure::{Failure, FailureKind};
use crate::key::Keyed;
use crate::success::Success;
use crate::{
    Action, Artifact, BuildRequest, Cluster, Event, Events, Messages, Progress, Report,
    RerunConditions, Usage, Work,
};
use root::RelativeTrees;

/// Runs actions. Cheap to clone; the clones share their sandboxes, which are started when the first
/// command needs them.
#[derive(Clone)]
pub(crate) struct Executor {
    store: DiskStore,
    events: Arc<dyn Events>,
    cancel: Cancel,
    keep_sandbox: bool,
    anew: Option<Arc<RerunConditions>>,
    says_missing: fn(&str) -> bool,
    sandboxes: Arc<Sandboxes>,
    relative_trees: Arc<RelativeTrees>,
}

/// The sandboxes of a build, one for each [`Isolation`].
type Sandboxes = [OnceLock<RunningSandbox>; Isolation::ALL.len()];

/// A started sandbox and the folder that it may use.
struct RunningSandbox {
    sandbox: Sandbox,
    _folder: ScratchDir,
}

/// An action that is to be run.
pub(crate) struct Job {
    pub(crate) action: Arc<Action>,
    /// The content of each of the action's inputs.
    pub(crate) inputs: Vec<Artifact>,
    pub(crate) keyed: Keyed,
}

/// The result of an action that ran and succeeded. It is in the action cache, if others may use it.
pub(crate) struct Executed {
    pub(crate) keyed: Keyed,
    pub(crate) success: Success,
    pub(crate) messages: Messages,
    pub(crate) usage: Usage,
    /// See [`Outcome::missing`](crate::Outcome::missing).
    pub(crate) missing: Vec<PathBuf>,
    /// The message that went into the action cache, if one did.
    pub(crate) result: Option<reapi::ActionResult>,
    /// True if the result counts for this build only.
    pub(crate) for_once: bool,
}

/// The reason why the execution of an action ended without a result of its own.
pub(crate) enum Unfinished {
    /// The action failed.
    Failed(Box<Failure>),
    /// The action found the blob `digest` missing. `inputs` are the inputs of which the store lacks at least one blob.
    Missing { inputs: Vec<usize>, digest: Digest },
    /// Another process has made the result in the meantime.
    MadeElsewhere(Box<(Keyed, Success)>),
    /// The action was cancelled.
    Cancelled,
    /// A cluster did not execute the action, which can run here.
    TurnedAway(Report),
    /// This machine has no sandbox for the action.
    Unsupported(Unsupported),
    /// The system refuses to start another thread.
    Threads(io::Error),
}

/// The cluster that an action is sent to.
pub(crate) struct ClusterPlace {
    pub(crate) cluster: Arc<dyn Cluster>,
    /// True if a result that the cluster knows already is of no use.
    pub(crate) anew: bool,
}

/// The maker of a result.
struct Maker {
    /// The name that the result says.
    worker: String,
    /// True if the result may be used by other projects.
    is_trusted: bool,
}

/// The outcome of waiting for the claim to a result.
enum ClaimOutcome {
    /// This process has to make the result. It has no claim if the store could not give one, or if none is needed.
    Claimed(Option<Claim>),
    /// Another process has made the result.
    MadeElsewhere(Success),
}

/// The time after which a process that waits for the result of another process looks again.
const PATIENCE: Duration = Duration::from_millis(20);

/// The output of the work, before the result is stored.
struct WorkOutput {
    outputs: Vec<(String, Artifact)>,
    messages: Messages,
    usage: Usage,
    missing: Vec<PathBuf>,
    /// See [`Executed::for_once`].
    for_once: bool,
}

impl Executor {
    pub(crate) fn new(build: &BuildRequest<'_>) -> Self {
        Self {
            store: build.store.clone(),
            events: Arc::clone(&build.events),
            cancel: build.cancel.clone(),
            keep_sandbox: build.options.keep_sandbox,
            anew: build.options.anew.clone(),
            says_missing: build.says_missing,
            sandboxes: Arc::default(),
            relative_trees: Arc::default(),
        }
    }

    /// Runs an action, on a cluster or on this machine, and blocks until it has ended. On return, all its processes on this
    /// machine are dead.
    pub(crate) fn execute(
        &self,
        job: Job,
        place: Option<&ClusterPlace>,
    ) -> Result<Executed, Unfinished> {
        let _claim = match self.claim(&job)? {
            ClaimOutcome::Claimed(claim) => claim,
            ClaimOutcome::MadeElsewhere(success) => {
                return Err(Unfinished::MadeElsewhere(Box::new((job.keyed, success))));
            }
        };
        let begin = Instant::now();
        let mut done = match (place, &job.action.work) {
            (Some(place), _) => self.work_on(place, &job)?,
            (None, Work::Process(process)) => self.process(&job, process)?,
            (None, Work::Builtin(builtin)) => self.builtin(&job, builtin.as_ref())?,
        };
        done.usage.wall = begin.elapsed();
        let maker = match place.map(|place| &place.cluster) {
            Some(cluster) => {
                Maker { worker: cluster.name().to_owned(), is_trusted: cluster.is_trusted() }
            }
            None => Maker { worker: job.action.work.worker().to_owned(), is_trusted: true },
        };
        self.keep(job, done, &maker)
    }

    /// Claims the action's result. If another process makes the same result, waits until that one has ended.
    fn claim(&self, job: &Job) -> Result<ClaimOutcome, Unfinished> {
        if self.anew.is_some() || job.action.runs_again {
            return Ok(ClaimOutcome::Claimed(None));
        }
        let key = &job.keyed.key.0;
        let mut has_waited = false;
        loop {
            match self.store.claim(key) {
                Ok(None) => {}
                Ok(claim) if has_waited => {
                    return Ok(self
                        .known(job)
                        .map_or(ClaimOutcome::Claimed(claim), ClaimOutcome::MadeElsewhere));
                }
                Ok(claim) => return Ok(ClaimOutcome::Claimed(claim)),
                // The work itself reports the store's error, if it needs the part of the store that has it.
                Err(_) => return Ok(ClaimOutcome::Claimed(None)),
            }
            if self.cancel.is_cancelled() {
                return Err(Unfinished::Cancelled);
            }
            if !has_waited {
                has_waited = true;
                let progress =
                    Progress::Text("another build on this machine is making it".to_owned());
                self.events.event(Event::Progress { label: job.action.label.clone(), progress });
            }
            std::thread::sleep(PATIENCE);
        }
    }

    /// Returns the result that the action cache has, if the store has all its blobs.
    fn known(&self, job: &Job) -> Option<Success> {
        let success = Success::cached(&self.store, &job.action, &job.keyed.key.0)?;
        let is_there = |(_, artifact): &(String, Artifact)| {
            is_complete(&self.store, artifact).unwrap_or(false)
        };
        success.outputs.iter().all(is_there).then_some(success)
    }

    /// Returns the text that an action wrote, as far as the store still has it. An action is not run again
    /// for lost messages.
    pub(crate) fn messages(&self, success: &Success) -> Messages {
        let read = |digest: &Option<Digest>| {
            let bytes = digest.and_then(|digest| self.store.get(&digest).ok().flatten());
            bytes.unwrap_or_default()
        };
        Messages { stdout: read(&success.stdout), stderr: read(&success.stderr) }
    }

    /// Checks a result against the pin, and writes it into the action cache if others may use it. Every result that this
    /// machine or a cluster has made passes through here.
    fn keep(&self, job: Job, done: WorkOutput, maker: &Maker) -> Result<Executed, Unfinished> {
        let WorkOutput { outputs, messages, usage, missing, for_once } = done;
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
            let is_private = self.anew.is_some() && !job.action.work.needs_network();
            if is_private || for_once || !maker.is_trusted {
                return Ok((success, None));
            }
            let result = success.to_result(&self.store, usage.wall, &maker.worker)?;
            self.store.put_action_result(&job.keyed.key.0, &result)?;
            Ok((success, Some(result)))
        };
        let (success, result) =
            keep().map_err(|error: StoreError| infrastructure(&job.action, &error))?;
        Ok(Executed { keyed: job.keyed, success, messages, usage, missing, result, for_once })
    }

    /// Stores the text that an action wrote, unless it is empty.
    fn put(&self, bytes: &[u8]) -> Result<Option<Digest>, StoreError> {
        if bytes.is_empty() { Ok(None) } else { self.store.put(bytes).map(Some) }
    }

    /// Finds out of which inputs the store lacks a blob, after the action found `digest` missing.
    fn missing(&self, job: &Job, digest: Digest) -> Unfinished {
        let incomplete = |input: &Artifact| !is_complete(&self.store, input).unwrap_or(false);
        let inputs = (0..job.inputs.len()).filter(|at| incomplete(&job.inputs[*at])).collect();
        Unfinished::Missing { inputs, digest }
    }
}

fn failed(action: &Action, kind: FailureKind) -> Unfinished {
    Unfinished::Failed(Box::new(Failure::new(action.label.clone(), kind)))
}

fn infrastructure(action: &Action, error: &dyn std::error::Error) -> Unfinished {
    failed(action, FailureKind::Infrastructure(Report::of(error)))
}

/// Tells if the store has every blob of an artifact, by a `stat` of each.
pub(crate) fn is_complete(store: &DiskStore, artifact: &Artifact) -> Result<bool, StoreError> {
    match artifact {
        Artifact::File { digest, .. } => Ok(store.contains(digest)),
        Artifact::Tree(digest) => store.contains_tree(digest),
    }
}
