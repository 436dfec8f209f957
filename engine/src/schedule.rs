//! The scheduler: one loop that owns the state of a build.
//!
//! The loop looks up ready actions in the caches, starts queued ones, and handles the end of running ones, one by
//! one. [`nodes`] decides what each of these means for the other actions, and [`workers`] runs the actions. Only
//! an action that is started costs much time: a build with nothing to do starts no worker and
//! opens no blob.
//!
//! The loop never waits for a cache beyond this machine. Threads ask such a [`Remote`](crate::Remote) for the results of all ready
//! actions at once, so that round trips overlap, and upload results while the build goes on.
//!
//! Results are digests, so a result can be known while its blobs are missing: evicted, damaged, or
//! never made because the result is pinned. This is found out when an action needs the blobs. Then their
//! producer runs again in the same build, and so do the actions that make its own inputs, if those are missing too. If
//! it gives another result this time, the keys of its dependents are computed again.

mod deliver;
mod lanes;
mod ledger;
mod lookup;
mod nodes;
mod recover;
mod upload;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use sandbox::Cancel;

use crate::build::{BuildError, BuildRequest, Exported, Outcome, Status};
use crate::event::{ActionEnd, Event, Hit, Messages, Summary};
use crate::execute::{ClusterPlace, Executed, Executor, Job, Unfinished};
use crate::failure::{Failure, FailureKind};
use crate::key::{self, Keyed};
use crate::success::Success;
use crate::{Action, ActionId, ActionKey, Artifact, Input, Report, StateError};
use ledger::Ledger;
use nodes::{Nodes, Notice, Phase};
use workers::{Lane, TaskEnd, Workers};

pub(crate) fn run(build: BuildRequest<'_>) -> Result<Outcome, BuildError> {
    let begin = Instant::now();
    let mut scheduler = Scheduler::new(build);
    let ended = scheduler.run();
    scheduler.finish();
    let graph = scheduler.build.graph;
    let summary = scheduler.ledger.sum(graph, &scheduler.nodes, begin.elapsed());
    scheduler.tell(Event::BuildFinished(summary.clone()));
    let saved = scheduler.build.state.save();
    ended?;
    scheduler.outcome(summary, saved.err())
}

struct Scheduler<'a> {
    build: BuildRequest<'a>,
    nodes: Nodes<'a>,
    executor: Executor,
    workers: Workers,
    /// The keys of actions that the remote is asked for, and of queued actions, by id.
    pending: Vec<Option<ActionKey>>,
    /// The keys of the actions that have a result, by id.
    keys: Vec<Option<ActionKey>>,
    /// The keys of running actions.
    running: BTreeMap<ActionId, ActionKey>,
    /// The running actions that were sent to a cluster.
    on_cluster: BTreeSet<ActionId>,
    /// The keys of running actions as a set. No two of them have the same key.
    running_keys: BTreeSet<ActionKey>,
    /// The actions that were queued, by their keys. Some may have left the queue since.
    alike: BTreeMap<ActionKey, BTreeSet<ActionId>>,
    /// The number of times that lost sources were taken from the checkout again for an action, by id.
    repairs: Vec<u32>,
    ledger: Ledger,
    failures: Vec<(ActionId, Failure)>,
    skipped: Vec<(ActionId, ActionId)>,
    /// See [`Outcome::missing`].
    missing: Vec<(ActionId, Vec<PathBuf>)>,
    /// The fate of each export, in the order of [`BuildRequest::exports`].
    exported: Vec<Option<Exported>>,
    /// The handle by which uploads are given up. They go on when the build has failed, so it is not the build's own.
    uploads: Cancel,
    /// The pinned actions whose results were offered to the remote.
    offered_pins: BTreeSet<ActionId>,
    /// The number of uploads that were given up.
    unfinished_uploads: usize,
    /// The number of actions that the events have announced.
    announced: usize,
    /// The error for which the build can't go on although no action is at fault.
    fatal: Option<BuildError>,
}

impl<'a> Scheduler<'a> {
    fn new(build: BuildRequest<'a>) -> Self {
        let actions = build.graph.len();
        let executor = Executor::new(&build);
        Self {
            nodes: Nodes::new(build.graph, lanes::has_cluster(&build)),
            executor,
            workers: lanes::workers(&build.options),
            pending: vec![None; actions],
            keys: vec![None; actions],
            running: BTreeMap::new(),
            on_cluster: BTreeSet::new(),
            running_keys: BTreeSet::new(),
            alike: BTreeMap::new(),
            repairs: vec![0; actions],
            ledger: Ledger::new(actions),
            failures: Vec::new(),
            skipped: Vec::new(),
            missing: Vec::new(),
            exported: vec![None; build.exports.len()],
            uploads: Cancel::new(),
            offered_pins: BTreeSet::new(),
            unfinished_uploads: 0,
            announced: 0,
            fatal: None,
            build,
        }
    }

    fn run(&mut self) -> Result<(), BuildError> {
        self.check_exports()?;
        let targets = self.build.targets.iter().map(|target| target.action);
        let exports = self.build.exports.iter().map(|export| export.action);
        self.nodes.want(targets.chain(exports));
        self.announced = self.nodes.wanted();
        self.tell(Event::BuildStarted { actions: self.announced });
        loop {
            self.tell_notices();
            self.look_up_ready();
            self.start_queued();
            if self.goes_on() && self.nodes.first_ready().is_some() {
                // An action that was to start lacked an input, and the action that makes it is ready.
                continue;
            }
            match self.workers.next() {
                Some((id, end)) => self.take(id, end),
                None if self.goes_on() && self.nodes.unpark_all() => {}
                None if !self.is_stopped() && self.deliver()? => {}
                None => return Ok(()),
            }
        }
    }

    /// Tells if the build has to end now, because of a fatal error or because it was cancelled.
    fn is_stopped(&self) -> bool {
        self.fatal.is_some() || self.build.cancel.is_cancelled()
    }

    /// Tells if actions may still be looked up and started.
    fn goes_on(&self) -> bool {
        !self.is_stopped() && (self.failures.is_empty() || self.build.options.keep_going)
    }

    fn queue(&mut self, id: ActionId, key: ActionKey) {
        self.alike.entry(key).or_default().insert(id);
        self.nodes.queue(id);
    }

    /// Handles the end of a task.
    fn take(&mut self, id: ActionId, end: TaskEnd) {
        match end {
            TaskEnd::Executed(end) => self.ended(id, *end),
            TaskEnd::Answered(answer) => self.answered(id, answer),
            TaskEnd::Fetched(is_whole) => self.fetched(id, is_whole),
            TaskEnd::Uploaded => {}
        }
    }

    /// Starts queued actions as long as there are free places.
    fn start_queued(&mut self) {
        while self.goes_on()
            && let Some(id) = self.next_to_start()
        {
            self.start(id);
        }
    }

    /// Returns the first queued action for which there is a free place. An action with the same key as a running one is
    /// passed over, because it can use the result of that one.
    fn next_to_start(&mut self) -> Option<ActionId> {
        loop {
            let id = self.first_with_place()?;
            if self.pending_key(id).is_none_or(|key| !self.running_keys.contains(&key)) {
                return Some(id);
            }
            self.nodes.park(id);
        }
    }

    /// Returns the key of an action that the remote is asked for, or that is queued.
    fn pending_key(&self, id: ActionId) -> Option<ActionKey> {
        self.pending[id.index()]
    }

    fn start(&mut self, id: ActionId) {
        let (action, inputs) = (self.action(id), self.inputs(id));
        self.pending[id.index()] = None;
        let lane = self.lane_for(id);
        let anew = self.nodes.is_forced(id);
        self.nodes.start(id);
        if action.work.needs_network() && self.build.options.offline {
            self.fail(id, FailureKind::Offline);
            return;
        }
        // A cluster may have what this machine lacks.
        let lost = if lane == Lane::Cluster { Vec::new() } else { self.absent(&inputs) };
        if let Some(first) = lost.first() {
            self.lost(id, &lost, *inputs[*first].digest());
            return;
        }
        // The messages of the key are made again, because thousands of queued actions would need much memory for them.
        let keyed = match self.keyed(&action, &inputs) {
            Ok(keyed) => keyed,
            Err(kind) => return self.fail(id, kind),
        };
        let cluster = self.build.cluster.clone().filter(|_| lane == Lane::Cluster);
        let name = cluster.as_ref().map(|cluster| cluster.name().to_owned());
        self.tell(Event::Started { label: action.label.clone(), cluster: name });
        let key = keyed.key;
        self.running.insert(id, key);
        self.running_keys.insert(key);
        let (executor, job) = (self.executor.clone(), Job { action, inputs, keyed });
        let run = move || {
            let place = cluster.map(|cluster| ClusterPlace { cluster, anew });
            TaskEnd::Executed(Box::new(executor.execute(job, place.as_ref())))
        };
        if lane == Lane::Cluster {
            self.on_cluster.insert(id);
        }
        if let Err(error) = self.workers.start(id, lane, run) {
            // The actions that run already end before the build does.
            self.running.remove(&id);
            self.on_cluster.remove(&id);
            self.running_keys.remove(&key);
            self.fatal.get_or_insert(BuildError::Threads(error));
            self.nodes.again(id);
        }
    }

    /// Returns the inputs whose first blob is not in the store. With this quick check, an action is not started only to
    /// find that out.
    fn absent(&self, inputs: &[Artifact]) -> Vec<usize> {
        let store = self.build.store;
        (0..inputs.len()).filter(|at| !store.contains(inputs[*at].digest())).collect()
    }

    /// Handles the end of a running action.
    fn ended(&mut self, id: ActionId, end: Result<Executed, Unfinished>) {
        let key = self.running.remove(&id).expect("a running action has a key");
        self.running_keys.remove(&key);
        let on_cluster = self.on_cluster.remove(&id);
        if self.nodes.is_stale(id) {
            self.nodes.again(id);
            return self.wake_equal(key);
        }
        match end {
            Ok(Executed { keyed, success, messages, usage, missing, result, for_once }) => {
                if !missing.is_empty() {
                    self.missing.push((id, missing));
                }
                self.ledger.ran(id, usage.wall, on_cluster);
                let success = Arc::new(success);
                if for_once {
                    self.done(id, keyed.key, success);
                } else {
                    self.succeed(id, keyed.key, success, None);
                }
                if let Some(result) = result {
                    self.offer(id, keyed.key, result);
                }
                self.tell_finished(id, ActionEnd::Ran(usage), messages);
                return self.look_up_equals(key);
            }
            Err(Unfinished::MadeElsewhere(made)) => {
                let (keyed, success) = *made;
                self.hit(id, keyed.key, Arc::new(success), Hit::Local);
                return self.look_up_equals(key);
            }
            Err(Unfinished::Failed(failure)) => self.failed(id, failure),
            Err(Unfinished::Missing { inputs, digest }) => self.lost(id, &inputs, digest),
            Err(Unfinished::TurnedAway(report)) => self.stays_here(id, &report),
            Err(Unfinished::Cancelled) if self.build.cancel.is_cancelled() => self.nodes.again(id),
            Err(Unfinished::Cancelled) => {
                let report = Report::text(
                    "stopped as if it were cancelled, but the build was not cancelled",
                );
                self.fail(id, FailureKind::Builtin(report));
            }
            Err(Unfinished::Unsupported(unsupported)) => {
                self.fatal.get_or_insert(BuildError::Unsupported(unsupported));
                self.nodes.again(id);
            }
            Err(Unfinished::Threads(error)) => {
                self.fatal.get_or_insert(BuildError::Threads(error));
                self.nodes.again(id);
            }
        }
        self.wake_equal(key);
    }

    /// Lets the first action with this key start, because the equal action that it waited for gave no result.
    fn wake_equal(&mut self, key: ActionKey) {
        while let Some(id) = self.alike.get(&key).and_then(|alike| alike.first().copied()) {
            if self.is_queued_with(id, key) {
                return self.nodes.unpark(id);
            }
            self.alike.get_mut(&key).map(|alike| alike.remove(&id));
        }
    }

    fn is_queued_with(&self, id: ActionId, key: ActionKey) -> bool {
        self.nodes.phase(id) == Phase::Queued && self.pending_key(id) == Some(key)
    }

    /// Notes the result of an action, which ran, or whose result was found.
    fn succeed(&mut self, id: ActionId, key: ActionKey, success: Arc<Success>, found: Option<Hit>) {
        // The state has recorded what was found in it.
        if found != Some(Hit::State) {
            let label = &self.build.graph.action(id).label;
            self.build.state.record(label, key, &success);
        }
        self.done(id, key, success);
    }

    /// Notes a result for the rest of this build.
    fn done(&mut self, id: ActionId, key: ActionKey, success: Arc<Success>) {
        self.keys[id.index()] = Some(key);
        self.nodes.done(id, success);
    }

    fn fail(&mut self, id: ActionId, kind: FailureKind) {
        let label = self.action(id).label.clone();
        self.failed(id, Box::new(Failure::new(label, kind)));
    }

    fn failed(&mut self, id: ActionId, mut failure: Box<Failure>) {
        failure.kind = failure.kind.or_no_room(self.build.store);
        self.failures.push((id, Failure::clone(&failure)));
        self.nodes.failed(id);
        self.tell_finished(id, ActionEnd::Failed(failure), Messages::default());
    }

    /// Waits for uploads to the remote, and ends the actions that were not started.
    fn finish(&mut self) {
        self.unfinished_uploads = self.finish_uploads();
        let failed = self.failures.first().map(|(id, _)| *id);
        self.nodes.end(failed.filter(|_| !self.is_stopped()));
        self.tell_notices();
    }

    fn outcome(
        self,
        summary: Summary,
        state_error: Option<StateError>,
    ) -> Result<Outcome, BuildError> {
        let graph = self.build.graph;
        let results = graph.actions().map(|(id, _)| self.result(id).cloned());
        let results = results.collect();
        let status = match () {
            () if self.build.cancel.is_cancelled() => Status::Interrupted,
            () if !self.failures.is_empty() => Status::Failed,
            () => Status::Succeeded,
        };
        if let Some(error) = self.fatal {
            return Err(error);
        }
        let label = |id: ActionId| graph.action(id).label.clone();
        let skipped = self.skipped.iter().map(|(id, because)| (label(*id), label(*because)));
        Ok(Outcome {
            status,
            missing: self.missing.into_iter().map(|(id, paths)| (label(id), paths)).collect(),
            skipped: skipped.collect(),
            failures: self.failures.into_iter().map(|(_, failure)| failure).collect(),
            exports: self.exported,
            unfinished_uploads: self.unfinished_uploads,
            summary,
            state_error,
            results,
            keys: self.keys,
        })
    }

    /// Computes the key of an action whose inputs have this content.
    fn keyed(&self, action: &Action, inputs: &[Artifact]) -> Result<Keyed, FailureKind> {
        key::key(self.build.store.function(), action, inputs)
            .map_err(|error| FailureKind::Inputs(Report::of(&error)))
    }

    fn action(&self, id: ActionId) -> Arc<Action> {
        Arc::clone(self.build.graph.action(id))
    }

    /// Returns the content of an action's inputs, whose producers all have a result.
    fn inputs(&self, id: ActionId) -> Vec<Artifact> {
        let output =
            |id: ActionId, path: &str| self.nodes.success(id).and_then(|it| it.artifact(path));
        let content = |input: &Input| input.from.artifact(output).expect("a need has a result");
        self.build.graph.action(id).inputs.iter().map(content).collect()
    }

    /// Reports what happened to actions that were neither looked up nor started.
    fn tell_notices(&mut self) {
        if self.nodes.wanted() > self.announced {
            self.announced = self.nodes.wanted();
            self.tell(Event::MoreActions { actions: self.announced });
        }
        for notice in self.nodes.take_notices() {
            let (id, finish) = match notice {
                Notice::Pinned(id) => (id, ActionEnd::Hit(Hit::Pinned)),
                Notice::Cancelled(id) => (id, ActionEnd::Cancelled),
                Notice::Skipped { id, because } => {
                    self.skipped.push((id, because));
                    (id, ActionEnd::Skipped { because: self.action(because).label.clone() })
                }
            };
            self.tell_finished(id, finish, Messages::default());
        }
    }

    fn tell_finished(&self, id: ActionId, finish: ActionEnd, messages: Messages) {
        let label = self.action(id).label.clone();
        self.tell(Event::Finished { label, finish, messages });
    }

    fn tell(&self, event: Event) {
        self.build.events.event(event);
    }
}
