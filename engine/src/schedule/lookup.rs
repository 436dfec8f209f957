//! Looks results up: in the incremental state, in the action cache of this machine, and in a cache beyond it.

use std::sync::Arc;

use cache::reapi;

use super::Scheduler;
use super::workers::{Lane, TaskEnd};
use crate::event::{ActionEnd, Hit};
use crate::key::{self, Keyed};
use crate::success::Success;
use crate::{Action, ActionId, ActionKey, FailureKind, Remote, Report, remote};

impl Scheduler<'_> {
    pub(super) fn look_up_ready(&mut self) {
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
        match known {
            Some((success, hit)) => self.hit(id, &keyed, success, hit),
            None => self.ask(id, keyed),
        }
    }

    /// Uses a result that a cache has.
    pub(super) fn hit(&mut self, id: ActionId, keyed: &Keyed, success: Success, hit: Hit) {
        let messages = self.executor.messages(&success);
        self.succeed(id, keyed, success);
        self.tell_finished(id, ActionEnd::Hit(hit), messages);
    }

    /// Asks the remote for the result of an action that this machine's caches don't know. Queues the action if there is no
    /// remote that may be asked.
    fn ask(&mut self, id: ActionId, keyed: Keyed) {
        let key = keyed.key;
        self.keyed[id.index()] = Some(keyed);
        let Some(remote) = self.remote(id).filter(|_| !self.nodes.is_forced(id)) else {
            return self.queue(id, key);
        };
        self.nodes.ask(id);
        let (action, store) = (self.action(id), self.build.store.clone());
        let cancel = self.build.cancel.clone();
        let ask = move || {
            let result = remote.result(&key, &cancel);
            let success = result
                .and_then(|it| Some((Success::from_result(store.function(), &action, &it)?, it)));
            // If the result can't be stored here, it is used all the same.
            let keep = |(success, result): (Success, reapi::ActionResult)| {
                _ = store.put_action_result(&key.0, &result);
                success
            };
            TaskEnd::Answered(success.map(keep))
        };
        if self.workers.start(id, Lane::Question, ask).is_err() {
            self.queue(id, key);
        }
    }

    /// Returns the cache beyond this machine, if it may be used for this action.
    pub(super) fn remote(&self, id: ActionId) -> Option<Arc<dyn Remote>> {
        let anew = self.build.options.anew.is_some();
        let remote = self.build.remote.as_ref().filter(|_| !anew && !self.build.options.offline);
        remote::of(remote, self.build.graph.action(id)).cloned()
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
        let keyed = self.keyed[id.index()].take().expect("set before an action is asked for");
        let action = self.action(id);
        // An equal action may have run while the remote was asked.
        let known = answer.map(|success| (success, Hit::Remote));
        match known.or_else(|| self.known(&action, &keyed)) {
            Some((success, hit)) => self.hit(id, &keyed, success, hit),
            None => {
                let key = keyed.key;
                self.keyed[id.index()] = Some(keyed);
                self.queue(id, key);
            }
        }
    }

    /// Uploads a result to the remote while the build goes on.
    pub(super) fn offer(&mut self, id: ActionId, key: ActionKey, result: reapi::ActionResult) {
        let Some(remote) = self.remote(id) else { return };
        let (store, cancel) = (self.build.store.clone(), self.build.cancel.clone());
        let tell = move || {
            remote.keep(&key, &result, &store, &cancel);
            TaskEnd::Uploaded
        };
        // If no thread can be started, the result is not uploaded.
        _ = self.workers.start(id, Lane::Upload, tell);
    }

    /// Looks a key up in the incremental state and in the local action cache.
    pub(super) fn known(&mut self, action: &Action, keyed: &Keyed) -> Option<(Success, Hit)> {
        if self.build.options.anew.is_some() && !action.work.needs_network() {
            return None;
        }
        if let Some(success) = self.build.state.result(&action.label, keyed.key) {
            return Some((success.clone(), Hit::State));
        }
        let cached = Success::cached(self.build.store, action, &keyed.key.0);
        cached.map(|success| (success, Hit::Local))
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
