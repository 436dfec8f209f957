//! Notes the time that each action of a build took, and computes the figures of the build.

use std::collections::BTreeSet;
use std::time::Duration;

use super::nodes::{Nodes, Phase};
use crate::{ActionId, Graph, Label, Summary};

/// The time that each action took, by id; hits have no time.
pub(super) struct Ledger {
    ran: Vec<Option<Duration>>,
    /// The actions whose result the remote gave.
    remote: BTreeSet<ActionId>,
    /// The actions that a cluster has executed, so that their outputs may be with the remote only.
    cluster: BTreeSet<ActionId>,
}

impl Ledger {
    pub(super) fn new(actions: usize) -> Self {
        Self { ran: vec![None; actions], remote: BTreeSet::new(), cluster: BTreeSet::new() }
    }

    /// Notes that an action ran and succeeded, here or on a cluster.
    pub(super) fn ran(&mut self, id: ActionId, wall: Duration, on_cluster: bool) {
        if on_cluster {
            self.cluster.insert(id);
        } else {
            self.cluster.remove(&id);
        }
        *self.ran[id.index()].get_or_insert_default() += wall;
    }

    /// Notes that the remote gave the result of an action.
    pub(super) fn found_remotely(&mut self, id: ActionId) {
        self.remote.insert(id);
    }

    /// Tells if the result of an action was made elsewhere: the remote or a cluster gave it, and it did not run here since.
    pub(super) fn is_remote(&self, id: ActionId) -> bool {
        self.cluster.contains(&id) || self.is_remote_hit(id)
    }

    fn is_remote_hit(&self, id: ActionId) -> bool {
        self.remote.contains(&id) && self.ran[id.index()].is_none()
    }

    /// Lists the actions whose result was made elsewhere.
    pub(super) fn remote(&self) -> impl Iterator<Item = ActionId> {
        self.remote.union(&self.cluster).copied().filter(|id| self.is_remote(*id))
    }

    /// Computes the figures of the build.
    pub(super) fn sum(&self, graph: &Graph, nodes: &Nodes<'_>, wall: Duration) -> Summary {
        let done = graph.actions().filter(|(id, _)| nodes.phase(*id) == Phase::Done);
        let ran = done.filter(|(id, _)| self.ran[id.index()].is_some()).count();
        let is_done = |id: &&ActionId| nodes.phase(**id) == Phase::Done;
        let hits = self.remote.iter().filter(|id| self.is_remote_hit(**id));
        Summary {
            actions: nodes.wanted(),
            hits: nodes.count(Phase::Done) - ran,
            remote_hits: hits.filter(is_done).count(),
            ran,
            ran_on_cluster: self.cluster.iter().filter(is_done).count(),
            failed: nodes.count(Phase::Failed),
            skipped: nodes.count(Phase::Skipped),
            cancelled: nodes.count(Phase::Cancelled),
            wall,
            critical_path: self.critical_path(graph),
        }
    }

    /// Finds the chain of actions, each of which needs the one before it, that took the longest time in total.
    fn critical_path(&self, graph: &Graph) -> Vec<(Label, Duration)> {
        let mut chains: Vec<(Duration, Option<ActionId>)> = Vec::with_capacity(graph.len());
        for (id, _) in graph.actions() {
            let needs = graph.dependencies(id);
            let before = needs.into_iter().max_by_key(|need| chains[need.index()].0);
            let until = before.map_or(Duration::ZERO, |need| chains[need.index()].0);
            chains.push((until + self.ran[id.index()].unwrap_or_default(), before));
        }
        let ids = graph.actions().map(|(id, _)| id);
        let last = ids.max_by_key(|id| chains[id.index()].0);
        let back = std::iter::successors(last, |id| chains[id.index()].1);
        let ran =
            back.filter_map(|id| Some((graph.action(id).label.clone(), self.ran[id.index()]?)));
        let mut path: Vec<_> = ran.collect();
        path.reverse();
        path
    }
}
