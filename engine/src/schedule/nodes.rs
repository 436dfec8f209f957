//! Tracks the phase of each action of a build. This is a state machine that does no work itself.
//!
//! The documentation of each phase says what holds while an action is in it. Only [`Nodes::set`]
//! changes the phase of an action. Ids are in topological order, so walks over the graph go up or down the ids and
//! need no recursion.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::success::Success;
use crate::{ActionId, Graph, cluster};

/// The number of times that one action runs again because the store has lost its result.
const REMAKES: u32 = 3;

/// The phase of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// No target needs the action, as far as it is known.
    Idle,
    /// The action is wanted. An action that it needs has no result yet, or is being made again.
    Waiting,
    /// All actions that it needs have results, so its key can be computed. This machine's caches were not asked yet.
    Ready,
    /// The cache beyond this machine is being asked for its result.
    Asked,
    /// No cache has its key. It waits for a free place to run.
    Queued,
    /// It is running.
    Running,
    /// It has a result whose blobs the store lacks. They are being fetched from beyond this machine.
    Fetching,
    /// It has a result. The blobs of the result may be in the store or not.
    Done,
    /// It ran and failed, or could not be started. This phase is final.
    Failed,
    /// An action that it needs failed. This phase is final.
    Skipped,
    /// The build ended before the action did. This phase is final.
    Cancelled,
}

impl Phase {
    /// Tells if the action will never have a result.
    const fn is_dead(self) -> bool {
        matches!(self, Self::Failed | Self::Skipped | Self::Cancelled)
    }
}

/// The place that a queued action waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueueKind {
    /// A processor of this machine.
    Here,
    /// A place among the actions that use the network.
    Network,
    /// A processor of this machine or a cluster.
    Anywhere,
}

#[derive(Debug)]
struct ActionNode {
    phase: Phase,
    /// The latest result. It stays while the action is made again.
    success: Option<Arc<Success>>,
    /// The actions that a waiting action needs. `waits_at` is the index of one among them that has no result yet.
    needs: Rc<[ActionId]>,
    waits_at: usize,
    /// A cluster may execute it. That ends when a cluster has refused to.
    may_leave: bool,
    /// Caches must not be asked, because the store has lost the result that they know.
    forced: bool,
    /// The action is pinned and its blobs are not needed, so the actions that it needs are not wanted either.
    cut: bool,
    /// One of its inputs has changed while it runs, so its result belongs to another key.
    stale: bool,
    remakes: u32,
    /// The number of times that blobs of its result were fetched. `is_unfetchable` is set when fetching did not help.
    fetches: u32,
    is_unfetchable: bool,
    /// The times at which it last got a result and was last started, by the clock of [`Nodes`].
    done_at: u64,
    started_at: u64,
    /// The failed action for which it is skipped.
    because: Option<ActionId>,
}

/// The answer to the request to fetch blobs of an action's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refetch {
    /// The caller has to start fetching now.
    Needed,
    /// The blobs are being fetched already, or the action is being made again.
    Coming,
    /// Fetching does not help, so the action has to be made again.
    Useless,
}

/// The phases of all actions of a build.
pub(super) struct Nodes<'g> {
    graph: &'g Graph,
    nodes: Vec<ActionNode>,
    ready: BTreeSet<ActionId>,
    /// The queued actions that may be started, by [`QueueKind`].
    queued: [BTreeSet<ActionId>; 3],
    /// The queued actions that wait for the end of an action with the same key.
    parked: BTreeSet<ActionId>,
    counts: BTreeMap<Phase, usize>,
    notices: Vec<Notice>,
    /// A counter of results and starts, which tells which of them came first.
    clock: u64,
}

/// A change of an action that was neither looked up nor started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The action is pinned, and its result counts as known.
    Pinned(ActionId),
    /// The action `id` is skipped because the action `because` failed.
    Skipped { id: ActionId, because: ActionId },
    /// The action is cancelled.
    Cancelled(ActionId),
}

/// The answer to the request to make an action again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remake {
    /// The action is being made again, or was made again since its blobs were found missing.
    Coming,
    /// The action failed or was skipped, so it can't be made.
    Dead,
    /// The action was made again too often: the store keeps losing its result.
    Exhausted,
}

impl<'g> Nodes<'g> {
    /// Makes the nodes of a graph. `cluster` tells if there is a cluster.
    pub(super) fn new(graph: &'g Graph, cluster: bool) -> Self {
        let node = |(_, action): (ActionId, &Arc<crate::Action>)| ActionNode {
            phase: Phase::Idle,
            success: None,
            needs: Rc::default(),
            waits_at: 0,
            may_leave: cluster && cluster::may_leave(action),
            forced: false,
            cut: action.pinned.is_some(),
            stale: false,
            remakes: 0,
            fetches: 0,
            is_unfetchable: false,
            done_at: 0,
            started_at: 0,
            because: None,
        };
        let nodes: Vec<_> = graph.actions().map(node).collect();
        let counts = BTreeMap::from([(Phase::Idle, nodes.len())]);
        Self {
            graph,
            nodes,
            ready: BTreeSet::new(),
            queued: Default::default(),
            parked: BTreeSet::new(),
            counts,
            notices: Vec::new(),
            clock: 0,
        }
    }

    pub(super) fn phase(&self, id: ActionId) -> Phase {
        self.nodes[id.index()].phase
    }

    pub(super) fn count(&self, phase: Phase) -> usize {
        self.counts.get(&phase).copied().unwrap_or_default()
    }

    /// Returns the number of actions that are wanted.
    pub(super) fn wanted(&self) -> usize {
        self.nodes.len() - self.count(Phase::Idle)
    }

    pub(super) fn success(&self, id: ActionId) -> Option<&Arc<Success>> {
        self.nodes[id.index()].success.as_ref()
    }

    /// Tells if the action has to run although a cache may know its result.
    pub(super) fn is_forced(&self, id: ActionId) -> bool {
        self.nodes[id.index()].forced
    }

    /// Returns the first ready action.
    pub(super) fn first_ready(&self) -> Option<ActionId> {
        self.ready.first().copied()
    }

    /// Lists the ready actions in order.
    pub(super) fn ready(&self) -> impl ExactSizeIterator<Item = ActionId> {
        self.ready.iter().copied()
    }

    /// Returns the first queued action of a kind.
    pub(super) fn first_queued(&self, kind: QueueKind) -> Option<ActionId> {
        self.queued[kind as usize].first().copied()
    }

    /// Tells what kind of place an action waits for when it is queued.
    pub(super) fn kind(&self, id: ActionId) -> QueueKind {
        match self.nodes[id.index()].may_leave {
            true => QueueKind::Anywhere,
            false if self.graph.action(id).work.needs_network() => QueueKind::Network,
            false => QueueKind::Here,
        }
    }

    /// Has an action run on this machine, and sends it back to the phase in which it begins again.
    pub(super) fn stay(&mut self, id: ActionId) {
        self.nodes[id.index()].may_leave = false;
        self.settle(id);
    }

    /// Parks a queued action until the end of an action with the same key. It is passed over until then, so that
    /// thousands of equal actions are not looked at each time that an action may be started.
    pub(super) fn park(&mut self, id: ActionId) {
        for lane in &mut self.queued {
            lane.remove(&id);
        }
        self.parked.insert(id);
    }

    /// Puts a parked action back into the queue.
    pub(super) fn unpark(&mut self, id: ActionId) {
        if self.parked.remove(&id) {
            self.queued[self.kind(id) as usize].insert(id);
        }
    }

    /// Puts all parked actions back into the queue. Returns `false` if there were none.
    pub(super) fn unpark_all(&mut self) -> bool {
        let parked: Vec<ActionId> = self.parked.iter().copied().collect();
        parked.iter().for_each(|id| self.unpark(*id));
        !parked.is_empty()
    }

    /// Marks actions, and all actions that they need, as wanted.
    pub(super) fn want(&mut self, ids: impl IntoIterator<Item = ActionId>) {
        let mut open: BTreeSet<ActionId> = ids.into_iter().collect();
        let mut fresh = Vec::new();
        while let Some(id) = open.pop_last() {
            if self.phase(id) != Phase::Idle {
                continue;
            }
            fresh.push(id);
            if !self.nodes[id.index()].cut {
                open.extend(self.graph.dependencies(id));
            }
        }
        // The ids go from the first to the last, so that the needs of an action are settled before the action.
        for id in fresh.into_iter().rev() {
            self.settle(id);
            if self.nodes[id.index()].cut {
                self.notices.push(Notice::Pinned(id));
            }
        }
    }

    /// Notes that no cache has the result of an action, which now waits to run.
    pub(super) fn queue(&mut self, id: ActionId) {
        self.set(id, Phase::Queued);
    }

    /// Notes that the remote is asked for the result of a ready action.
    pub(super) fn ask(&mut self, id: ActionId) {
        self.nodes[id.index()].stale = false;
        self.set(id, Phase::Asked);
    }

    /// Notes that a queued action runs now.
    pub(super) fn start(&mut self, id: ActionId) {
        self.clock += 1;
        let clock = self.clock;
        let node = &mut self.nodes[id.index()];
        (node.started_at, node.stale) = (clock, false);
        self.set(id, Phase::Running);
    }

    /// Asks for fetching blobs of an action's result that the store lacks. `since` is the started action that found them
    /// missing, if one did: a result that was made after its start has not been found missing.
    pub(super) fn refetch(&mut self, id: ActionId, since: Option<ActionId>) -> Refetch {
        let since = since.map(|id| self.nodes[id.index()].started_at);
        let node = &mut self.nodes[id.index()];
        match node.phase {
            Phase::Done if since.is_some_and(|since| node.done_at > since) => Refetch::Coming,
            Phase::Done if node.is_unfetchable || node.fetches == REMAKES => Refetch::Useless,
            Phase::Done => {
                node.fetches += 1;
                node.stale = false;
                self.set(id, Phase::Fetching);
                Refetch::Needed
            }
            phase if phase.is_dead() => Refetch::Useless,
            _ => Refetch::Coming,
        }
    }

    /// Notes that fetching has ended. `is_whole` tells if the store has the blobs now.
    pub(super) fn fetched(&mut self, id: ActionId, is_whole: bool) {
        let node = &mut self.nodes[id.index()];
        node.is_unfetchable |= !is_whole;
        match node.success.clone() {
            Some(success) if !node.stale => self.done(id, success),
            // One of its inputs has changed in the meantime, so its result may be another one.
            _ => self.settle(id),
        }
    }

    /// Tells if an input of an action has changed since it was started.
    pub(super) fn is_stale(&self, id: ActionId) -> bool {
        self.nodes[id.index()].stale
    }

    /// Notes a result, and updates the actions that need it.
    pub(super) fn done(&mut self, id: ActionId, success: Arc<Success>) {
        self.clock += 1;
        let clock = self.clock;
        let node = &mut self.nodes[id.index()];
        let changed = node.success.as_ref().is_some_and(|old| old.outputs != success.outputs);
        (node.success, node.forced, node.done_at) = (Some(success), false, clock);
        self.set(id, Phase::Done);
        for dependent in self.graph.dependents(id) {
            match self.phase(dependent) {
                Phase::Waiting => self.advance(dependent, id),
                Phase::Ready | Phase::Queued | Phase::Done if changed => self.settle(dependent),
                Phase::Asked | Phase::Running | Phase::Fetching if changed => {
                    self.nodes[dependent.index()].stale = true;
                }
                _ => {}
            }
        }
    }

    /// Notes that an action failed, and skips the actions that wait for it.
    pub(super) fn failed(&mut self, id: ActionId) {
        self.set(id, Phase::Failed);
        self.skip_dependents(id);
    }

    /// Returns the notices since the last call, in the order of the changes.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Ends all actions that have not ended: skips them if an action has `failed`, and cancels them if not.
    pub(super) fn end(&mut self, failed: Option<ActionId>) {
        for (id, _) in self.graph.actions() {
            if matches!(self.phase(id), Phase::Waiting | Phase::Ready | Phase::Queued) {
                self.nodes[id.index()].because = failed;
                self.set(id, if failed.is_some() { Phase::Skipped } else { Phase::Cancelled });
            }
        }
    }

    /// Sends an action back to the phase in which it begins again: it becomes ready, or waits for its needs.
    pub(super) fn again(&mut self, id: ActionId) {
        self.settle(id);
    }

    /// Asks for making an action again because the store lacks blobs of its result. `since` is the started action that found
    /// them missing, if one did: a result that was made after its start has not been found missing.
    pub(super) fn remake(&mut self, id: ActionId, since: Option<ActionId>) -> Remake {
        let since = since.map(|id| self.nodes[id.index()].started_at);
        let node = &mut self.nodes[id.index()];
        match node.phase {
            Phase::Done if since.is_some_and(|since| node.done_at > since) => Remake::Coming,
            Phase::Done if node.remakes == REMAKES => Remake::Exhausted,
            Phase::Done => {
                node.remakes += 1;
                (node.forced, node.cut) = (true, false);
                self.want(self.graph.dependencies(id));
                self.settle(id);
                Remake::Coming
            }
            phase if phase.is_dead() => Remake::Dead,
            _ => Remake::Coming,
        }
    }

    /// Puts an action into the phase that the phases of its needs allow.
    fn settle(&mut self, id: ActionId) {
        self.place(id);
        if self.phase(id) == Phase::Skipped {
            self.skip_dependents(id);
        }
    }

    /// Updates a waiting action when `done`, which it needs, has a result.
    ///
    /// This matters only if `done` is the need at `waits_at`. The search for the next need without a result goes on from
    /// there, so the needs of an action with thousands of them are not all searched each time that one has ended.
    fn advance(&mut self, id: ActionId, done: ActionId) {
        let needs = Rc::clone(&self.nodes[id.index()].needs);
        let from = self.nodes[id.index()].waits_at;
        if needs[from] != done {
            return;
        }
        let onwards = (from..needs.len()).chain(0..from);
        match onwards.into_iter().find(|at| self.phase(needs[*at]) != Phase::Done) {
            Some(at) => self.nodes[id.index()].waits_at = at,
            None => self.set(id, Phase::Ready),
        }
    }

    fn place(&mut self, id: ActionId) {
        let node = &mut self.nodes[id.index()];
        if node.cut {
            let action = self.graph.action(id);
            node.success = action.pinned.map(|pin| Arc::new(Success::pinned(action, pin)));
            return self.set(id, Phase::Done);
        }
        let needs = self.graph.dependencies(id);
        if let Some(dead) = needs.iter().copied().find(|need| self.phase(*need).is_dead()) {
            self.nodes[id.index()].because = self.nodes[dead.index()].because.or(Some(dead));
            return self.set(id, Phase::Skipped);
        }
        match needs.iter().position(|need| self.phase(*need) != Phase::Done) {
            Some(at) => {
                let node = &mut self.nodes[id.index()];
                (node.needs, node.waits_at) = (needs.into(), at);
                self.set(id, Phase::Waiting);
            }
            None => self.set(id, Phase::Ready),
        }
    }

    /// Skips the actions that wait for an action without a result, and the actions that wait for those.
    fn skip_dependents(&mut self, id: ActionId) {
        let mut open: BTreeSet<ActionId> = self.graph.dependents(id).into_iter().collect();
        while let Some(dependent) = open.pop_first() {
            if self.phase(dependent) == Phase::Waiting {
                self.place(dependent);
                open.extend(self.graph.dependents(dependent));
            }
        }
    }

    /// Changes the phase of an action. No other function does.
    fn set(&mut self, id: ActionId, phase: Phase) {
        let node = &mut self.nodes[id.index()];
        assert!(!node.phase.is_dead(), "BUG: {:?} is final, not {phase:?}", node.phase);
        let old = std::mem::replace(&mut node.phase, phase);
        *self.counts.entry(old).or_default() -= 1;
        *self.counts.entry(phase).or_default() += 1;
        self.ready.remove(&id);
        self.parked.remove(&id);
        for lane in &mut self.queued {
            lane.remove(&id);
        }
        match phase {
            Phase::Ready => _ = self.ready.insert(id),
            Phase::Queued => _ = self.queued[self.kind(id) as usize].insert(id),
            Phase::Skipped => {
                let because = self.nodes[id.index()].because;
                let because = because.expect("set when an action is skipped");
                self.notices.push(Notice::Skipped { id, because });
            }
            Phase::Cancelled => self.notices.push(Notice::Cancelled(id)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
