//! In which phase each action of a build is: a state machine without any work in it.
//!
//! The phases' docs say what holds while an action is in them; [`Nodes::set`] is the only place
//! where one is left for another. Ids are a topological order, so walks go up or down the ids and
//! need no recursion.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::success::Success;
use crate::{ActionId, Graph};

/// How often one action is made again because the store lost what it made.
const REMAKES: u32 = 3;

/// Where an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Nothing that is wanted needs it, as far as is known.
    Idle,
    /// It is wanted, and something it needs has no result yet or is being made again.
    Waiting,
    /// Everything it needs has a result, so its key can be computed. Nobody has looked for it yet.
    Ready,
    /// No cache has its key. It waits for a free place to run.
    Queued,
    /// It runs.
    Running,
    /// It has a result. The blobs of it may be in the store or not.
    Done,
    /// It ran and failed, or could not be tried. Final.
    Failed,
    /// Something it needs failed. Final.
    Skipped,
    /// The build ended before it did. Final.
    Cancelled,
}

impl Phase {
    /// Whether nothing will come of it any more.
    const fn is_dead(self) -> bool {
        matches!(self, Self::Failed | Self::Skipped | Self::Cancelled)
    }
}

#[derive(Debug)]
struct Node {
    phase: Phase,
    /// The latest result; survives while the action is made again.
    success: Option<Success>,
    /// Of an action that waits: what it needs, and the place in there of one that has no result yet.
    needs: Rc<[ActionId]>,
    waits_at: usize,
    /// Caches must not be asked: what they know of is lost.
    forced: bool,
    /// Pinned, and its blobs were never asked for: what it needs is not wanted either.
    cut: bool,
    /// What it needs has changed while it runs: its result is that of another key.
    stale: bool,
    remakes: u32,
    /// When it last got a result, and when it was last started, on the clock of [`Nodes`].
    done_at: u64,
    started_at: u64,
    /// The failed action because of which it is skipped.
    because: Option<ActionId>,
}

/// The actions of a build.
pub(super) struct Nodes<'g> {
    graph: &'g Graph,
    nodes: Vec<Node>,
    ready: BTreeSet<ActionId>,
    /// The queued actions that may be started: those that need no network, and those that do.
    queued: [BTreeSet<ActionId>; 2],
    /// The queued actions that wait for the end of an equal one.
    parked: BTreeSet<ActionId>,
    counts: BTreeMap<Phase, usize>,
    notices: Vec<Notice>,
    /// Counts results and starts, to tell which came first.
    clock: u64,
}

/// What happened to an action without anything being done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// It is pinned, and its result counts as known.
    Pinned(ActionId),
    /// It is skipped because another one failed.
    Skipped { id: ActionId, because: ActionId },
    /// It is cancelled.
    Cancelled(ActionId),
}

/// What came of asking for an action's blobs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remake {
    /// It is on its way, or has been made since the question arose.
    Coming,
    /// It failed or was skipped: it can't be made.
    Dead,
    /// It was made often enough: the store does not hold on to it.
    Exhausted,
}

impl<'g> Nodes<'g> {
    pub(super) fn new(graph: &'g Graph) -> Self {
        let node = |(_, action): (ActionId, &std::sync::Arc<crate::Action>)| Node {
            phase: Phase::Idle,
            success: None,
            needs: Rc::default(),
            waits_at: 0,
            forced: false,
            cut: action.pinned.is_some(),
            stale: false,
            remakes: 0,
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

    /// How many actions are wanted.
    pub(super) fn wanted(&self) -> usize {
        self.nodes.len() - self.count(Phase::Idle)
    }

    pub(super) fn success(&self, id: ActionId) -> Option<&Success> {
        self.nodes[id.index()].success.as_ref()
    }

    /// Whether caches must not be asked for the action's result.
    pub(super) fn is_forced(&self, id: ActionId) -> bool {
        self.nodes[id.index()].forced
    }

    /// The first ready action.
    pub(super) fn first_ready(&self) -> Option<ActionId> {
        self.ready.first().copied()
    }

    /// The first queued action of those that need the network, or of those that don't.
    pub(super) fn first_queued(&self, network: bool) -> Option<ActionId> {
        self.queued[usize::from(network)].first().copied()
    }

    /// Lets a queued action wait for the end of an equal one. It is passed over until then, so that
    /// thousands of equal actions are not looked at each time that one may be started.
    pub(super) fn park(&mut self, id: ActionId) {
        for lane in &mut self.queued {
            lane.remove(&id);
        }
        self.parked.insert(id);
    }

    /// Has a parked action queue again.
    pub(super) fn unpark(&mut self, id: ActionId) {
        if self.parked.remove(&id) {
            self.queued[self.lane(id)].insert(id);
        }
    }

    /// Has all parked actions queue again. Returns whether there were any.
    pub(super) fn unpark_all(&mut self) -> bool {
        let parked: Vec<ActionId> = self.parked.iter().copied().collect();
        parked.iter().for_each(|id| self.unpark(*id));
        !parked.is_empty()
    }

    fn lane(&self, id: ActionId) -> usize {
        usize::from(self.graph.action(id).work.needs_network())
    }

    /// Wants actions and all that they need.
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
        // From the first to the last: what an action needs is settled before the action is.
        for id in fresh.into_iter().rev() {
            self.settle(id);
            if self.nodes[id.index()].cut {
                self.notices.push(Notice::Pinned(id));
            }
        }
    }

    /// Notes that the caches don't know a ready action.
    pub(super) fn queue(&mut self, id: ActionId) {
        self.set(id, Phase::Queued);
    }

    /// Notes that a queued action runs now.
    pub(super) fn start(&mut self, id: ActionId) {
        self.clock += 1;
        let clock = self.clock;
        let node = &mut self.nodes[id.index()];
        (node.started_at, node.stale) = (clock, false);
        self.set(id, Phase::Running);
    }

    /// Whether what an action was started with still holds.
    pub(super) fn is_stale(&self, id: ActionId) -> bool {
        self.nodes[id.index()].stale
    }

    /// Notes a result, and what it means for the actions that need it.
    pub(super) fn done(&mut self, id: ActionId, success: Success) {
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
                Phase::Running if changed => self.nodes[dependent.index()].stale = true,
                _ => {}
            }
        }
    }

    /// Notes that an action failed; what waits for it is skipped.
    pub(super) fn failed(&mut self, id: ActionId) {
        self.set(id, Phase::Failed);
        self.skip_dependents(id);
    }

    /// What has happened since this was last asked, in that order.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Ends what has not ended: skips it because of `failed`, or cancels it.
    pub(super) fn end(&mut self, failed: Option<ActionId>) {
        for (id, _) in self.graph.actions() {
            if matches!(self.phase(id), Phase::Waiting | Phase::Ready | Phase::Queued) {
                self.nodes[id.index()].because = failed;
                self.set(id, if failed.is_some() { Phase::Skipped } else { Phase::Cancelled });
            }
        }
    }

    /// Sends an action back to where it has to begin again, after what it needs was looked after.
    pub(super) fn again(&mut self, id: ActionId) {
        self.settle(id);
    }

    /// Has an action made again whose blobs the store lacks. `since` is who found out, if that is a
    /// started action: what was made after its start is not at fault.
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

    /// Puts an action into the phase that what it needs allows.
    fn settle(&mut self, id: ActionId) {
        self.place(id);
        if self.phase(id) == Phase::Skipped {
            self.skip_dependents(id);
        }
    }

    /// Takes note that `done`, which a waiting action needs, has a result.
    ///
    /// Only the need that it waits for is of interest, and the search for the next one goes on from
    /// there. So an action with thousands of needs is not looked through at the end of each.
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
            node.success = action.pinned.map(|pin| Success::pinned(action, pin));
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

    /// Skips what waits for a dead action, and what waits for that.
    fn skip_dependents(&mut self, id: ActionId) {
        let mut open: BTreeSet<ActionId> = self.graph.dependents(id).into_iter().collect();
        while let Some(dependent) = open.pop_first() {
            if self.phase(dependent) == Phase::Waiting {
                self.place(dependent);
                open.extend(self.graph.dependents(dependent));
            }
        }
    }

    /// The one way from phase to phase.
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
            Phase::Queued => _ = self.queued[self.lane(id)].insert(id),
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
