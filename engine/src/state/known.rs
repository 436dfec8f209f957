//! Finds results that are known without running anything.
//!
//! A planner asks for them if an action says what is to be done next, such as a tool that lists the pieces of a build. The
//! keys are computed as the scheduler computes them, so the planner sees the result that a build of the same graph would
//! take from the cache.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use crate::success::Success;
use crate::{ActionId, Artifact, Graph, key};

/// The answers for the actions that were looked up so far.
type Seen = BTreeMap<ActionId, Option<Arc<Success>>>;

impl State {
    /// Returns the output `path` of an action if its result is known, from this state or from the store's action cache.
    /// For that, the results of all actions that it needs have to be known, too. Runs nothing. The blobs of the output
    /// may be missing in the store.
    #[must_use]
    pub fn known_output(&mut self, graph: &Graph, id: ActionId, path: &str) -> Option<Artifact> {
        self.known_result(graph, id, &mut Seen::new())?.artifact(path)
    }

    /// Returns the result of an action if it is known. `seen` has the answers for other actions of the graph.
    fn known_result(
        &mut self,
        graph: &Graph,
        id: ActionId,
        seen: &mut Seen,
    ) -> Option<Arc<Success>> {
        if let Some(answer) = seen.get(&id) {
            return answer.clone();
        }
        let answer = self.look_up(graph, id, seen);
        seen.insert(id, answer.clone());
        answer
    }

    fn look_up(&mut self, graph: &Graph, id: ActionId, seen: &mut Seen) -> Option<Arc<Success>> {
        let action = graph.action(id);
        if let (Some(tree), [output]) = (action.pinned, action.outputs.as_slice()) {
            let outputs = vec![(output.clone(), Artifact::Tree(tree))];
            return Some(Arc::new(Success { outputs, stdout: None, stderr: None }));
        }
        let inputs = action.inputs.iter().map(|input| {
            input
                .from
                .artifact(|producer, path| self.known_result(graph, producer, seen)?.artifact(path))
        });
        let inputs: Vec<Artifact> = inputs.collect::<Option<_>>()?;
        let key = key::key(self.store.function(), action, &inputs).ok()?.key;
        let known = self.result(&action.label, key).cloned();
        known.or_else(|| Success::cached(&self.store, action, &key.0).map(Arc::new))
    }
}
