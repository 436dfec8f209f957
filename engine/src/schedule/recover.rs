//! What to do when the store lacks something that a result promises.
//!
//! A result names blobs by digest, and a store may have lost them or never had them. What an action
//! made is made again; what came from the checkout is taken again, if it is still the same. Both
//! are tried a few times only: a store that keeps losing things is an error and no endless loop.

use cache::Digest;

use super::Scheduler;
use super::nodes::Remake;
use crate::{ActionId, FailureKind, Report, Source, SourceError};

/// How often the sources of one action are taken again.
const REPAIRS: u32 = 3;

impl Scheduler<'_> {
    /// Brings back the `inputs` of a started action of which the store lacks something, `digest`
    /// among it, and has the action tried again.
    pub(super) fn lost(&mut self, id: ActionId, inputs: &[usize], digest: Digest) {
        // Nothing is missing any more: somebody else has seen to it, or the store is going mad.
        let mut brought_back = match inputs {
            [] => self.count_repair(id, digest),
            _ => Ok(()),
        };
        for input in inputs {
            brought_back = brought_back.and_then(|()| self.bring_back(id, *input));
        }
        match brought_back {
            Ok(()) => self.nodes.again(id),
            Err(kind) => self.fail(id, kind),
        }
    }

    fn bring_back(&mut self, id: ActionId, input: usize) -> Result<(), FailureKind> {
        let action = self.action(id);
        match &action.inputs[input].from {
            Source::Output { action, .. } => self.remake(*action, Some(id)),
            Source::Tree(digest) | Source::File { digest, .. } => {
                self.count_repair(id, *digest)?;
                self.repair(digest)
            }
        }
    }

    /// Has an action made again of which the store lacks something. `since` is the started action
    /// that found out, if one did.
    pub(super) fn remake(
        &mut self,
        id: ActionId,
        since: Option<ActionId>,
    ) -> Result<(), FailureKind> {
        match self.nodes.remake(id, since) {
            Remake::Coming | Remake::Dead => Ok(()),
            Remake::Exhausted => Err(FailureKind::Vanishing(self.action(id).label.clone())),
        }
    }

    fn repair(&mut self, digest: &Digest) -> Result<(), FailureKind> {
        match self.build.state.sources().repair(digest) {
            Ok(true) => Ok(()),
            Ok(false) => Err(FailureKind::Lost(*digest)),
            Err(SourceError::Changed(path)) => Err(FailureKind::SourceChanged(path)),
            Err(error) => Err(FailureKind::Infrastructure(Report::of(&error))),
        }
    }

    fn count_repair(&mut self, id: ActionId, digest: Digest) -> Result<(), FailureKind> {
        let repairs = &mut self.repairs[id.index()];
        *repairs += 1;
        if *repairs > REPAIRS { Err(FailureKind::Lost(digest)) } else { Ok(()) }
    }
}
