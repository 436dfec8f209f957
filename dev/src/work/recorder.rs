//! Takes note of the actions that run in a build, and passes all events on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::{ActionEnd, Event, Events, Label};

use crate::board::{ActionCard, Board};

/// Receives the events of one build.
pub(crate) struct Recorder {
    inner: Arc<dyn Events>,
    board: Arc<Board>,
    began: Instant,
    /// The actions that run, with the times at which they began.
    running: Mutex<BTreeMap<Label, Instant>>,
    actions: Mutex<Vec<ActionCard>>,
}

impl Recorder {
    pub(crate) fn new(inner: Arc<dyn Events>, board: Arc<Board>, began: Instant) -> Self {
        Self { inner, board, began, running: Mutex::default(), actions: Mutex::default() }
    }

    /// Returns the actions that have run, in the order in which they ended.
    pub(crate) fn actions(&self) -> Vec<ActionCard> {
        self.actions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Label, Instant>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, label: &Label, took: Duration, has_failed: bool) {
        let label = label.to_string();
        let mut actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        actions.retain(|action| action.label != label);
        actions.push(ActionCard { label, took, has_failed });
    }
}

impl Events for Recorder {
    fn event(&self, event: Event) {
        match &event {
            Event::Started { label, .. } => {
                self.running().insert(label.clone(), Instant::now());
                // A build that finds everything known is over before anybody could read of it.
                if self.board.look(|news| news.building.is_none()) {
                    self.board.change(|news| news.building = Some(self.began));
                }
            }
            Event::Finished { label, finish, .. } => {
                let began = self.running().remove(label);
                match finish {
                    ActionEnd::Ran(usage) => self.add(label, usage.wall, false),
                    ActionEnd::Failed(_) => {
                        let took = began.map(|began| began.elapsed()).unwrap_or_default();
                        self.add(label, took, true);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        self.inner.event(event);
    }
}
