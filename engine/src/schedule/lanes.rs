//! Decides where the next action runs: on this machine, among the downloads, or on a cluster.
//!
//! An action that may leave this machine takes a place of the cluster if one is free, and a place here otherwise, so both
//! are busy as long as there is work for both. An action that took a moment here when it last ran stays if there is a place
//! for it, because sending it away would take longer.

use std::time::Duration;

use super::Scheduler;
use super::nodes::QueueKind;
use super::workers::{Lane, Workers};
use crate::{ActionId, BuildRequest, Event, Options, Progress, Report};

/// The time up to which running an action here takes less than sending it to a cluster.
const MOMENT: Duration = Duration::from_millis(200);

/// Tells if a build may use a cluster. A build from nothing shows its commands another machine, which a cluster can't.
pub(super) fn has_cluster(build: &BuildRequest<'_>) -> bool {
    build.cluster.is_some()
        && build.options.cluster_jobs > 0
        && build.options.anew.is_none()
        && !build.options.offline
}

/// Makes the threads of a build.
pub(super) fn workers(options: &Options) -> Workers {
    Workers::new(options.jobs, options.cluster_jobs, options.downloads)
}

impl Scheduler<'_> {
    /// Returns the first queued action that has a free place to run.
    pub(super) fn first_with_place(&self) -> Option<ActionId> {
        let (here, away) = (self.workers.has_room(Lane::Job), self.cluster_has_room());
        let kinds = [
            (QueueKind::Here, here),
            (QueueKind::Network, self.workers.has_room(Lane::Download)),
            (QueueKind::Anywhere, here || away),
        ];
        let free = kinds.into_iter().filter(|(_, is_free)| *is_free);
        free.filter_map(|(kind, _)| self.nodes.first_queued(kind)).min()
    }

    /// Returns the lane for a queued action that has a free place.
    pub(super) fn lane_for(&self, id: ActionId) -> Lane {
        match self.nodes.kind(id) {
            QueueKind::Network => Lane::Download,
            QueueKind::Here => Lane::Job,
            QueueKind::Anywhere if !self.cluster_has_room() => Lane::Job,
            QueueKind::Anywhere if self.workers.has_room(Lane::Job) && self.is_quick(id) => {
                Lane::Job
            }
            QueueKind::Anywhere => Lane::Cluster,
        }
    }

    /// Has an action run on this machine, because a cluster did not execute it.
    pub(super) fn stays_here(&mut self, id: ActionId, because: &Report) {
        let progress = Progress::Text(format!("it runs here: {because}"));
        self.tell(Event::Progress { label: self.action(id).label.clone(), progress });
        self.nodes.stay(id);
    }

    fn cluster_has_room(&self) -> bool {
        let is_available = || self.build.cluster.as_ref().is_some_and(|it| it.is_available());
        self.workers.has_room(Lane::Cluster) && is_available()
    }

    /// Tells if an action took a moment when it last ran on this machine.
    fn is_quick(&self, id: ActionId) -> bool {
        let action = self.build.graph.action(id);
        let known = self.build.state.last_key(&action.label);
        let result = known.and_then(|key| self.build.store.action_result(&key.0));
        let metadata = result.and_then(|result| result.execution_metadata);
        let here = metadata.filter(|metadata| metadata.worker == action.work.worker());
        let took = here.and_then(|metadata| metadata.virtual_execution_duration);
        took.is_some_and(|took| {
            let seconds = u64::try_from(took.seconds).unwrap_or(u64::MAX);
            let nanos = u32::try_from(took.nanos).unwrap_or(0);
            Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into())) < MOMENT
        })
    }
}
