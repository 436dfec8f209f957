//! Restores blobs that a result names and the store lacks.
//!
//! A result names blobs by digest, and the store may have lost them or never had them. The output of an action
//! is fetched from the cache beyond this machine, or made again. A source file is taken from the checkout again, if
//! it is still the same. Each of these is tried only a few times, so that a store that keeps losing blobs causes an error
//! and no endless loop.

use std::sync::Arc;

use cache::Digest;

use super::Scheduler;
use super::nodes::{Refetch, Remake};
use super::workers::{Lane, TaskEnd};
use crate::event::Event;
use crate::execute::is_complete;
use crate::{ActionId, Artifact, FailureKind, Remote, Report, Source, SourceError};

/// The number of times that the sources of one action are taken from the checkout again.
const REPAIRS: u32 = 3;

impl Scheduler<'_> {
    /// Restores the `inputs` of a started action that found the blob `digest` missing, and sends the action back to begin
    /// again.
    pub(super) fn lost(&mut self, id: ActionId, inputs: &[usize], digest: Digest) {
        // If nothing is missing any more, another process has restored it, or the store is unreliable.
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
            Source::Output { action, .. } => {
                let content = self.inputs(id)[input];
                self.recover(*action, &[content], Some(id))
            }
            Source::Tree(digest) | Source::File { digest, .. } => {
                self.count_repair(id, *digest)?;
                self.repair(digest)
            }
        }
    }

    /// Restores the artifacts `lost` of an action's result: fetches them, or has the action made again. `since`
    /// is the started action that found them missing, if one did.
    pub(super) fn recover(
        &mut self,
        id: ActionId,
        lost: &[Artifact],
        since: Option<ActionId>,
    ) -> Result<(), FailureKind> {
        if let Some(remote) = self.remote(id) {
            match self.nodes.refetch(id, since) {
                Refetch::Needed => {
                    self.fetch(id, remote, lost.to_vec());
                    return Ok(());
                }
                Refetch::Coming => return Ok(()),
                Refetch::Useless => {}
            }
        }
        match self.nodes.remake(id, since) {
            Remake::Coming | Remake::Dead => Ok(()),
            Remake::Exhausted => Err(FailureKind::Vanishing(self.action(id).label.clone())),
        }
    }

    /// Lets a thread fetch artifacts of an action's result.
    fn fetch(&mut self, id: ActionId, remote: Arc<dyn Remote>, lost: Vec<Artifact>) {
        let (store, cancel) = (self.build.store.clone(), self.build.cancel.clone());
        let fetch = move || {
            let is_there = |artifact: &Artifact| is_complete(&store, artifact).unwrap_or(false);
            let fetched = remote.fetch(&lost, &store, &cancel);
            TaskEnd::Fetched(fetched && lost.iter().all(is_there))
        };
        self.tell(Event::Fetching { label: self.action(id).label.clone() });
        if self.workers.start(id, Lane::Fetch, fetch).is_err() {
            self.fetched(id, false);
        }
    }

    /// Handles the end of a download. `is_whole` is true if everything that was wanted is there now.
    pub(super) fn fetched(&mut self, id: ActionId, is_whole: bool) {
        self.tell(Event::Fetched { label: self.action(id).label.clone(), is_whole });
        self.nodes.fetched(id, is_whole);
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
