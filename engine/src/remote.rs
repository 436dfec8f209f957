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

    /// Downloads files, and trees with everything in them, into `store`. Returns `true` if all of it is there now.
    fn fetch(&self, artifacts: &[Artifact], store: &DiskStore, cancel: &Cancel) -> bool;

    /// Tells if its results may be used for every project of this machine. If not, they are used for the project that is
    /// being built, and are not written into the action cache of this machine.
    fn is_trusted(&self) -> bool;

    /// Tells if it takes results. If not, [`Remote::keep`] is never called.
    fn takes_results(&self) -> bool;

    /// Takes a result that this machine has, unless the remote has it already. Its blobs, and the messages that the key is
    /// the digest of, are in `store`, unless the result came from the remote or they have been removed since.
    fn keep(
        &self,
        key: &ActionKey,
        result: &reapi::ActionResult,
        store: &DiskStore,
        cancel: &Cancel,
    );
}

/// The blobs of a remote's results that a build downloads, besides those that its actions need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Download {
    /// All outputs of all results.
    All,
    /// Those of targets and exports.
    #[default]
    Toplevel,
    /// None. An export whose blob is in the remote only is not written.
    Minimal,
}

/// Returns the remote if results of the action may leave this machine or come to it. Every use of a remote passes
/// through this function. A command in a weaker sandbox than namespaces may have seen the machine, so its result stays
/// here, and so does that of a builtin that [says so](crate::Builtin::stays_here).
pub(crate) fn of<'a>(
    remote: Option<&'a Arc<dyn Remote>>,
    action: &Action,
) -> Option<&'a Arc<dyn Remote>> {
    remote.filter(|_| match &action.work {
        Work::Process(process) => process.isolation == Isolation::Namespaces,
        Work::Builtin(builtin) => !builtin.stays_here(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builtin, BuiltinContext, BuiltinError, Label};

    struct Nowhere;

    impl Remote for Nowhere {
        fn result(&self, _: &ActionKey, _: &Cancel) -> Option<reapi::ActionResult> {
            None
        }

        fn fetch(&self, _: &[Artifact], _: &DiskStore, _: &Cancel) -> bool {
            false
        }

        fn is_trusted(&self) -> bool {
            true
        }

        fn takes_results(&self) -> bool {
            true
        }

        fn keep(&self, _: &ActionKey, _: &reapi::ActionResult, _: &DiskStore, _: &Cancel) {}
    }

    struct Work {
        stays_here: bool,
    }

    impl Builtin for Work {
        fn name(&self) -> &'static str {
            "work"
        }

        fn version(&self) -> &'static str {
            "1"
        }

        fn arguments(&self) -> Vec<String> {
            Vec::new()
        }

        fn stays_here(&self) -> bool {
            self.stays_here
        }

        fn run(&self, _: &BuiltinContext) -> Result<(), BuiltinError> {
            Ok(())
        }
    }

    #[test]
    fn what_stays_here_has_no_remote() {
        let remote: Arc<dyn Remote> = Arc::new(Nowhere);
        let has_remote = |stays_here| {
            let action = Action::builtin(Label::new("c", "a"), Work { stays_here });
            of(Some(&remote), &action).is_some()
        };
        assert!(has_remote(false));
        assert!(!has_remote(true));
    }
}
