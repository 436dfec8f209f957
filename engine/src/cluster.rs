//! A cluster of machines that execute actions, as the scheduler sees it.
//!
//! A cluster may be slow, like a [`Remote`](crate::Remote), and is called on threads of its own. Unlike a remote it is
//! believed: what it says that a command has written is the command's result. So only a cluster that the user has named has a
//! say in what other projects get.
//!
//! Only commands may go there that the cluster can run as this machine would. Under the determinism layer, a command sees
//! fixed clocks and random numbers, and a cluster can't promise that; an input that may be written to is a mount of the
//! sandbox. A weaker sandbox is chosen on a machine without namespaces, and its results stay there. All of these run
//! here.

use std::collections::BTreeMap;
use std::time::Duration;

use cache::{Digest, DiskStore, reapi};
use sandbox::{Cancel, Isolation};

use crate::{Access, Action, Report, Work};

/// A cluster that executes actions, with the store that it takes their inputs from and leaves their outputs in.
///
/// The outputs are not downloaded. Whoever gives a build a cluster gives it a [`Remote`](crate::Remote), too, that fetches
/// from the cluster's store.
pub trait Cluster: Send + Sync {
    /// Returns the name that results and progress say.
    fn name(&self) -> &str;

    /// Returns the properties that a worker has to have for the actions of this build.
    fn platform(&self) -> &BTreeMap<String, String>;

    /// Tells if its results may be used for every project of this machine, and by others. If not, they are used for the
    /// project that is being built, and are written into no action cache.
    fn is_trusted(&self) -> bool;

    /// Tells if an action that the cluster does not execute runs on this machine.
    fn falls_back(&self) -> bool;

    /// Tells if it makes sense to send it an action now.
    fn is_available(&self) -> bool;

    /// Executes an action and blocks until it has ended. The messages of the action, and as much of its input root as this
    /// machine has, are in `store`.
    ///
    /// On return, the store has the `Directory` messages of all output folders, and the text on standard output and standard
    /// error. Each folder of the result has the digest of its root.
    ///
    /// # Errors
    /// If there is no result; see [`Refusal`].
    fn execute(
        &self,
        execution: &Execution<'_>,
        store: &DiskStore,
        cancel: &Cancel,
    ) -> Result<reapi::ActionResult, Refusal>;

    /// Takes note of a reason for which a worker can't run an action as this machine would. The user is told of it once.
    fn complain(&self, why: &str);
}

/// An action for a cluster.
pub struct Execution<'a> {
    /// The digest of the `Action` message.
    pub action: Digest,
    /// The time that the command may take, as the message says it.
    pub timeout: Option<Duration>,
    /// True if a result that the cluster knows already is of no use.
    pub anew: bool,
    /// Takes what happens to the action.
    pub watch: &'a (dyn Fn(ExecutionStage) + Sync),
}

/// A step of an action on its way through a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionStage {
    /// Its inputs are being uploaded.
    Uploading,
    /// It waits for a worker.
    Queued,
    /// It runs.
    Executing,
}

/// The reason why a cluster gives no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The build was cancelled.
    Cancelled,
    /// The command exceeded its time limit.
    TimedOut,
    /// Neither this machine nor the cluster has this blob of the inputs.
    Missing(Digest),
    /// The cluster can't be reached, is broken, or has no worker for such an action.
    Unavailable(Report),
}

/// Tells if an action may be executed by a cluster.
pub(crate) fn may_leave(action: &Action) -> bool {
    let Work::Process(process) = &action.work else { return false };
    process.isolation == Isolation::Namespaces
        && process.determinism.is_none()
        && action.inputs.iter().all(|input| input.access == Access::ReadOnly)
}
