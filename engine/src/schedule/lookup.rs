//! Looks results up: in the incremental state, in the action cache of this machine, and in a cache beyond it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Scheduler;
use super::workers::{Lane, TaskEnd};
use crate::event::{ActionEnd, Hit};
use crate::key;
use crate::parallel;
use crate::success::Success;
use crate::{Action, ActionId, ActionKey, Remote, remote};

impl Scheduler<'_> {
    pub(super) fn look_up_ready(&mut self) {
        let ahead = self.keys_ahead();
        while let Some(id) = self.nodes.first_ready().filter(|_| self.goes_on()) {
            match ahead.get(&id).and_then(|key| Some((*key, self.unchanged(id, *key)?))) {
                Some((key, success)) => self.hit(id, key, success, Hit::State),
                None => self.look_up(id),
            }
        }
    }

    /// Computes keys of ready actions on several threads, if there are many. Only actions that need no other one are
    /// among them, because their inputs, and so their keys, can't change any more.
    fn keys_ahead(&self) -> BTreeMap<ActionId, ActionKey> {
        let ready = self.nodes.ready();
        if ready.len() < parallel::KEYS || !self.goes_on() {
            return BTreeMap::new();
        }
        let ready = ready.filter(|id| self.build.graph.dependencies(*id).is_empty());
        let ready: Vec<_> = ready.map(|id| (id, self.action(id), self.inputs(id))).collect();
        let function = self.build.store.function();
        let keys = parallel::map(&ready, parallel::KEYS, |(id, action, inputs)| {
            // An error is found again, and reported, when the action is looked up.
            Some((*id, key::key(function, action, inputs).ok()?.key))
        });
        keys.into_iter().flatten().collect()
    }

    /// Returns the result of an action if it is as in the last build, so that the incremental state has it.
    fn unchanged(&mut self, id: ActionId, key: ActionKey) -> Option<Arc<Success>> {
        if self.has_to_run(id) || self.build.options.anew.is_some() {
            return None;
        }
        self.build.state.result(&self.build.graph.action(id).label, key).cloned()
    }

    /// Computes the key of a ready action and asks the caches for its result.
    fn look_up(&mut self, id: ActionId) {
        let action = self.action(id);
        let key = match self.keyed(&action, &self.inputs(id)) {
            Ok(keyed) => keyed.key,
            Err(kind) => return self.fail(id, kind),
        };
        let known = if self.has_to_run(id) { None } else { self.known(&action, key) };
        match known {
            Some((success, hit)) => self.hit(id, key, success, hit),
            None => self.ask(id, key),
        }
    }

    /// Tells if an action runs whatever is known of it: because its result was lost, or because it is asked for.
    fn has_to_run(&self, id: ActionId) -> bool {
        self.nodes.is_forced(id) || self.build.graph.action(id).runs_again
    }

    /// Uses a result that a cache has.
    pub(super) fn hit(&mut self, id: ActionId, key: ActionKey, success: Arc<Success>, hit: Hit) {
        let messages = self.executor.messages(&success);
        self.succeed(id, key, success, Some(hit));
        match hit {
            Hit::Remote => self.ledger.found_remotely(id),
            Hit::State | Hit::Local => self.offer_known(id, key),
            Hit::Pinned => {}
        }
        self.tell_finished(id, ActionEnd::Hit(hit), messages);
    }

    /// Asks the remote for the result of an action that this machine's caches don't know. Queues the action if there is no
    /// remote that may be asked.
    fn ask(&mut self, id: ActionId, key: ActionKey) {
        self.pending[id.index()] = Some(key);
        let Some(remote) = self.remote(id).filter(|_| !self.has_to_run(id)) else {
            return self.queue(id, key);
        };
        self.nodes.ask(id);
        let (action, store) = (self.action(id), self.build.store.clone());
        let cancel = self.build.cancel.clone();
        let ask = move || {
            let success = remote.result(&key, &cancel).and_then(|result| {
                let success = Success::from_result(store.function(), &action, &result)?;
                // If the result can't be stored here, it is used all the same.
                if remote.is_trusted() {
                    _ = store.put_action_result(&key.0, &result);
                }
                let messages = success.messages();
                if !messages.is_empty() {
                    // A result without its messages is of use, too.
                    _ = remote.fetch(&messages, &store, &cancel);
                }
                Some(success)
            });
            TaskEnd::Answered(success)
        };
        if self.workers.start(id, Lane::Question, ask).is_err() {
            self.queue(id, key);
        }
    }

    /// Returns the cache beyond this machine, if it may be used for this action.
    pub(super) fn remote(&self, id: ActionId) -> Option<Arc<dyn Remote>> {
        let action = self.build.graph.action(id);
        // A build from nothing takes only what is pinned, as it does from this machine's caches.
        let anew = self.build.options.anew.is_some() && action.pinned.is_none();
        let remote = self.build.remote.as_ref().filter(|_| !anew && !self.build.options.offline);
        remote::of(remote, action).cloned()
    }

    /// Handles the answer of the remote, which is a result or `None`.
    pub(super) fn answered(&mut self, id: ActionId, answer: Option<Success>) {
        if !self.goes_on() {
            let others = self.workers.drop_waiting(Lane::Question);
            return others.into_iter().chain([id]).for_each(|id| self.nodes.again(id));
        }
        if self.nodes.is_stale(id) {
            return self.nodes.again(id);
        }
        let key = self.pending_key(id).expect("set before an action is asked for");
        let action = self.action(id);
        // An equal action may have run while the remote was asked.
        let known = answer.map(|success| (Arc::new(success), Hit::Remote));
        match known.or_else(|| self.known(&action, key)) {
            Some((success, hit)) => self.hit(id, key, success, hit),
            None => self.queue(id, key),
        }
    }

    /// Looks a key up in the incremental state and in the local action cache.
    pub(super) fn known(&mut self, action: &Action, key: ActionKey) -> Option<(Arc<Success>, Hit)> {
        if self.build.options.anew.is_some() && !action.work.needs_network() {
            return None;
        }
        if let Some(success) = self.build.state.result(&action.label, key) {
            return Some((Arc::clone(success), Hit::State));
        }
        let cached = Success::cached(self.build.store, action, &key.0);
        cached.map(|success| (Arc::new(success), Hit::Local))
    }

    /// Looks up again the queued actions that have this key, because its result is known by now.
    pub(super) fn look_up_equals(&mut self, key: ActionKey) {
        for id in self.alike.remove(&key).into_iter().flatten() {
            if self.is_queued_with(id, key) {
                self.nodes.again(id);
            }
        }
    }
}
