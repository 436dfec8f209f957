//! Notes the time that each action of a build took, and computes the figures of the build.

use std::time::Duration;

use super::nodes::{Nodes, Phase};
use crate::{ActionId, Graph, Label, Summary};

/// The time that each action took, by id; hits have no time.
pub(super) struct Ledger {
    ran: Vec<Option<Duration>>,
}

impl Ledger {
    pub(super) fn new(actions: usize) -> Self {
        Self { ran: vec![None; actions] }
    }

    /// Notes that an action ran and succeeded.
    pub(super) fn ran(&mut self, id: ActionId, wall: Duration) {
        *self.ran[id.index()].get_or_insert_default() += wall;
    }

    /// Computes the figures of the build.
    pub(super) fn sum(&self, graph: &Graph, nodes: &Nodes<'_>, wall: Duration) -> Summary {
        let done = graph.actions().filter(|(id, _)| nodes.phase(*id) == Phase::Done);
        let ran = done.filter(|(id, _)| self.ran[id.index()].is_some()).count();
        Summary {
            actions: nodes.wanted(),
            hits: nodes.count(Phase::Done) - ran,
            ran,
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
