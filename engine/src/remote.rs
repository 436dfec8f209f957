//! A cache beyond this machine, as the scheduler sees it.
//!
//! An implementation of [`Remote`] may be slow: it is called on threads of its own, by many of them at once, while the
//! build goes on. A build never depends on it. A remote that fails, lies or is slow costs time and nothing else: the
//! build uses a blob only after this machine's store has it, and the store checks every byte.

use std::sync::Arc;

use cache::{DiskStore, reapi};
use sandbox::{Cancel, Isolation};

use crate::{Action, ActionKey, Artifact, Work};

/// A cache of results and blobs that other machines share.
pub trait Remote: Send + Sync {
    /// Returns the result of the action with this key, if the remote has one. None of its blobs need be in this machine's
    /// store.
    fn result(&self, key: &ActionKey, cancel: &Cancel) -> Option<reapi::ActionResult>;

    /// Downloads a file, or a tree with everything in it, into `store`. Returns `true` if all of it is there now.
    fn fetch(&self, artifact: &Artifact, store: &DiskStore, cancel: &Cancel) -> bool;

    /// Takes a result that this machine has made. Its blobs, and the messages that the key is the digest of, are
    /// in `store`.
    fn keep(
        &self,
        key: &ActionKey,
        result: &reapi::ActionResult,
        store: &DiskStore,
        cancel: &Cancel,
    );
}

/// Returns the remote if results of the action may leave this machine or come to it. Every use of a remote passes
/// through this function. A command in a weaker sandbox than namespaces may have seen the machine, so its result stays
/// here.
pub(crate) fn of<'a>(
    remote: Option<&'a Arc<dyn Remote>>,
    action: &Action,
) -> Option<&'a Arc<dyn Remote>> {
    remote.filter(|_| match &action.work {
        Work::Process(process) => process.isolation == Isolation::Namespaces,
        Work::Builtin(_) => true,
    })
}
