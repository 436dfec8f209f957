//! The scheduler: one loop that owns the state of a build.
//!
//! The loop looks ready actions up, starts queued ones, and takes the ends of running ones one by
//! one; [`nodes`] says what each of these means for the other actions, [`workers`] runs them. Only
//! a started action costs more than arithmetic: a build with nothing to do starts no thread and
//! opens no blob.
//!
//! Results are digests, so a result can be known while its blobs are gone: evicted, damaged, or
//! never made as they were pinned. That is found out when something needs the blobs. Then their
//! producer is run again in the same build, and what it needs if that is gone, too; dependents are
//! keyed again if it gives something else this time.

mod deliver;
mod ledger;
mod nodes;
mod recover;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::build::{Build, BuildError, Exported, Outcome, Status};
use crate::event::{Event, Finish, Hit, Messages, Summary};
use crate::execute::{Executor, Job, Kept, Stop};
use crate::failure::{Failure, FailureKind};
use crate::key::{self, Keyed};
use crate::success::Success;
use crate::{Action, ActionId, ActionKey, Artifact, Input, Report, Source, StateError};
use ledger::Ledger;
use nodes::{Nodes, Notice, Phase};
use workers::{End, Workers};

pub(crate) fn run(build: Build<'_>) -> Result<Outcome, BuildError> {
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
    build: Build<'a>,
    nodes: Nodes<'a>,
    executor: Executor,
    workers: Workers,
    /// The keys of queued actions, by id.
    keyed: Vec<Option<Keyed>>,
    /// The keys of running actions.
    running: BTreeMap<ActionId, ActionKey>,
    /// The same keys. No two running actions have the same.
    running_keys: BTreeSet<ActionKey>,
    /// Actions that were queued, by their keys; some may have left the queue.
    alike: BTreeMap<ActionKey, BTreeSet<ActionId>>,
    /// How often something was taken again for an action, by id.
    repairs: Vec<u32>,
    ledger: Ledger,
    failures: Vec<(ActionId, Failure)>,
    skipped: Vec<(ActionId, ActionId)>,
    /// See [`Outcome::missing`].
    missing: Vec<(ActionId, Vec<PathBuf>)>,
    /// By place in [`Build::exports`].
    exported: Vec<Option<Exported>>,
    /// How many actions the events have spoken of.
    announced: usize,
    /// Why the build can't go on although no action is to blame.
    fatal: Option<BuildError>,
}

impl<'a> Scheduler<'a> {
    fn new(build: Build<'a>) -> Self {
        let actions = build.graph.len();
        let executor = Executor::new(&build);
        Self {
            nodes: Nodes::new(build.graph),
            executor,
            workers: Workers::new(build.options.jobs, build.options.downloads),
            keyed: vec![None; actions],
            running: BTreeMap::new(),
            running_keys: BTreeSet::new(),
            alike: BTreeMap::new(),
            repairs: vec![0; actions],
            ledger: Ledger::new(actions),
            failures: Vec::new(),
            skipped: Vec::new(),
            missing: Vec::new(),
            exported: vec![None; build.exports.len()],
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
                // What was to start lacked something that can be made at once.
                continue;
            }
            match self.workers.next() {
                Some((id, end)) => self.ended(id, end),
                None if self.goes_on() && self.nodes.unpark_all() => {}
                None if !self.is_stopped() && self.deliver()? => {}
                None => return Ok(()),
            }
        }
    }

    /// Whether the build as a whole has come to an end that nothing can change.
    fn is_stopped(&self) -> bool {
        self.fatal.is_some() || self.build.cancel.is_cancelled()
    }

    /// Whether actions may be looked up and started.
    fn goes_on(&self) -> bool {
        !self.is_stopped() && (self.failures.is_empty() || self.build.options.keep_going)
    }

    fn look_up_ready(&mut self) {
        while let Some(id) = self.nodes.first_ready().filter(|_| self.goes_on()) {
            self.look_up(id);
        }
    }

    /// Computes the key of a ready action and asks the caches for its result.
    fn look_up(&mut self, id: ActionId) {
        let action = self.action(id);
        let keyed = match key::key(self.build.store.function(), &action, &self.inputs(id)) {
            Ok(keyed) => keyed,
            Err(error) => {
                return self.fail(id, FailureKind::Inputs(Report::of(&error)));
            }
        };
        let known = if self.nodes.is_forced(id) { None } else { self.known(&action, &keyed) };
        if let Some((success, hit)) = known {
            let messages = self.executor.messages(&success);
            self.succeed(id, &keyed, success);
            self.tell_finished(id, Finish::Hit(hit), messages);
        } else {
            self.alike.entry(keyed.key).or_default().insert(id);
            self.keyed[id.index()] = Some(keyed);
            self.nodes.queue(id);
        }
    }

    /// What the caches know of a key.
    fn known(&mut self, action: &Action, keyed: &Keyed) -> Option<(Success, Hit)> {
        if self.build.options.anew.is_some() && !action.work.needs_network() {
            return None;
        }
        if let Some(success) = self.build.state.result(&action.label, keyed.key) {
            return Some((success.clone(), Hit::State));
        }
        let store = self.build.store;
        let result = store.action_result(&keyed.key.0)?;
        Some((Success::from_result(store.function(), action, &result)?, Hit::Local))
    }

    /// Starts queued actions as long as there is room.
    fn start_queued(&mut self) {
        while self.goes_on()
            && let Some(id) = self.next_to_start()
        {
            self.start(id);
        }
    }

    /// The first queued action that there is room for. One that is equal to a running action is
    /// passed over: that one's result is worth waiting for.
    fn next_to_start(&mut self) -> Option<ActionId> {
        loop {
            let lanes = [false, true].into_iter();
            let free = lanes.filter(|network| self.workers.has_room(*network));
            let id = free.filter_map(|network| self.nodes.first_queued(network)).min()?;
            if self.key(id).is_none_or(|key| !self.running_keys.contains(&key)) {
                return Some(id);
            }
            self.nodes.park(id);
        }
    }

    /// The key of a queued action.
    fn key(&self, id: ActionId) -> Option<ActionKey> {
        self.keyed[id.index()].as_ref().map(|keyed| keyed.key)
    }

    fn start(&mut self, id: ActionId) {
        let (action, inputs) = (self.action(id), self.inputs(id));
        let keyed = self.keyed[id.index()].take().expect("set before an action is queued");
        let network = action.work.needs_network();
        self.nodes.start(id);
        if network && self.build.options.offline {
            self.fail(id, FailureKind::Offline);
            return;
        }
        let lost = self.absent(&inputs);
        if let Some(first) = lost.first() {
            self.lost(id, &lost, *inputs[*first].digest());
            return;
        }
        self.tell(Event::Started { label: action.label.clone() });
        let key = keyed.key;
        self.running.insert(id, key);
        self.running_keys.insert(key);
        let (executor, job) = (self.executor.clone(), Job { action, inputs, keyed });
        if let Err(error) = self.workers.start(id, network, move || executor.execute(job)) {
            // What runs already comes to its end first.
            self.running.remove(&id);
            self.running_keys.remove(&key);
            self.fatal.get_or_insert(BuildError::Threads(error));
            self.nodes.again(id);
        }
    }

    /// The inputs that are not in the store, by a glance at their first blobs: spares starting what
    /// would find out at once.
    fn absent(&self, inputs: &[Artifact]) -> Vec<usize> {
        let store = self.build.store;
        (0..inputs.len()).filter(|at| !store.contains(inputs[*at].digest())).collect()
    }

    /// Takes the end of a running action.
    fn ended(&mut self, id: ActionId, end: End) {
        let key = self.running.remove(&id).expect("a running action has a key");
        self.running_keys.remove(&key);
        if self.nodes.is_stale(id) {
            self.nodes.again(id);
            return self.wake_equal(key);
        }
        match end {
            Ok(Kept { keyed, success, messages, usage, missing }) => {
                if !missing.is_empty() {
                    self.missing.push((id, missing));
                }
                self.ledger.ran(id, usage.wall);
                self.succeed(id, &keyed, success);
                self.tell_finished(id, Finish::Ran(usage), messages);
                return self.look_up_equals(key);
            }
            Err(Stop::Failed(failure)) => self.failed(id, failure),
            Err(Stop::Missing { inputs, digest }) => self.lost(id, &inputs, digest),
            Err(Stop::Cancelled) if self.build.cancel.is_cancelled() => self.nodes.again(id),
            Err(Stop::Cancelled) => {
                let report = Report::text("stopped although nobody asked for it");
                self.fail(id, FailureKind::Builtin(report));
            }
            Err(Stop::Unsupported(unsupported)) => {
                self.fatal.get_or_insert(BuildError::Unsupported(unsupported));
                self.nodes.again(id);
            }
            Err(Stop::Threads(error)) => {
                self.fatal.get_or_insert(BuildError::Threads(error));
                self.nodes.again(id);
            }
        }
        self.wake_equal(key);
    }

    /// Has queued actions looked up again whose result is known by now.
    fn look_up_equals(&mut self, key: ActionKey) {
        for id in self.alike.remove(&key).into_iter().flatten() {
            if self.is_queued_with(id, key) {
                self.nodes.again(id);
            }
        }
    }

    /// Lets the first action start that waited for the end of an equal one, which gave no result.
    fn wake_equal(&mut self, key: ActionKey) {
        while let Some(id) = self.alike.get(&key).and_then(|alike| alike.first().copied()) {
            if self.is_queued_with(id, key) {
                return self.nodes.unpark(id);
            }
            self.alike.get_mut(&key).map(|alike| alike.remove(&id));
        }
    }

    fn is_queued_with(&self, id: ActionId, key: ActionKey) -> bool {
        self.nodes.phase(id) == Phase::Queued && self.key(id) == Some(key)
    }

    fn succeed(&mut self, id: ActionId, keyed: &Keyed, success: Success) {
        let label = &self.build.graph.action(id).label;
        self.build.state.record(label, keyed.key, &success);
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
        self.tell_finished(id, Finish::Failed(failure), Messages::default());
    }

    /// Accounts for everything that was not started.
    fn finish(&mut self) {
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
        let artifacts = graph.actions().map(|(id, _)| Some(self.result(id)?.outputs.clone()));
        let artifacts = artifacts.collect();
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
            summary,
            state_error,
            artifacts,
        })
    }

    fn action(&self, id: ActionId) -> Arc<Action> {
        Arc::clone(self.build.graph.action(id))
    }

    /// The content of an action's inputs, all of whose producers have a result.
    fn inputs(&self, id: ActionId) -> Vec<Artifact> {
        let content = |input: &Input| match &input.from {
            Source::Tree(digest) => Artifact::Tree(*digest),
            Source::File { digest, executable } => {
                Artifact::File { digest: *digest, executable: *executable }
            }
            Source::Output { action, path } => {
                let result = self.nodes.success(*action);
                result.and_then(|result| result.artifact(path)).expect("a need has a result")
            }
        };
        self.build.graph.action(id).inputs.iter().map(content).collect()
    }

    /// Passes on what happened to actions that nothing was done to.
    fn tell_notices(&mut self) {
        if self.nodes.wanted() > self.announced {
            self.announced = self.nodes.wanted();
            self.tell(Event::MoreActions { actions: self.announced });
        }
        for notice in self.nodes.take_notices() {
            let (id, finish) = match notice {
                Notice::Pinned(id) => (id, Finish::Hit(Hit::Pinned)),
                Notice::Cancelled(id) => (id, Finish::Cancelled),
                Notice::Skipped { id, because } => {
                    self.skipped.push((id, because));
                    (id, Finish::Skipped { because: self.action(because).label.clone() })
                }
            };
            self.tell_finished(id, finish, Messages::default());
        }
    }

    fn tell_finished(&self, id: ActionId, finish: Finish, messages: Messages) {
        let label = self.action(id).label.clone();
        self.tell(Event::Finished { label, finish, messages });
    }

    fn tell(&self, event: Event) {
        self.build.events.event(event);
    }
}
