//! A plan, and the builds that came before it because planning needed their results.
//!
//! For the user, these builds and the build of the plan are one. So the events of all of them go to one receiver, which
//! hears of one beginning and one end, and of each action once. An action that ran in an earlier build counts as run,
//! though the last build finds its result.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::{ActionEnd, Event, Events, Hit, Label, Status, Summary};
use rules::plan::Plan;

use crate::built::Built;

/// A plan that can be built, unless its preparation failed.
#[derive(Debug)]
pub struct Planned {
    /// The plan. If the preparation failed, it lacks components.
    pub plan: Plan,
    pub(crate) preparation: Preparation,
}

/// The builds that came before a plan.
#[derive(Debug, Default)]
pub(crate) struct Preparation {
    /// The number of these builds.
    builds: usize,
    /// The actions that have ended in these builds.
    ended: Arc<Mutex<Ended>>,
    wall: Duration,
    /// The build that failed, after which the planning did not go on.
    pub(crate) failed: Option<Built>,
}

/// The actions that have ended in earlier builds.
type Ended = BTreeMap<Label, Ending>;

/// The way in which an action ended in an earlier build, as far as it counts for the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Ran,
    FoundRemotely,
    Other,
}

/// Hands the events of one build on.
pub(crate) struct Receiver {
    events: Arc<dyn Events>,
    ended: Arc<Mutex<Ended>>,
    wall: Duration,
    is_first: bool,
    is_last: bool,
}

impl Preparation {
    /// Returns the receiver for a build whose results the planning needs.
    pub(crate) fn receiver(&self, events: &Arc<dyn Events>) -> Receiver {
        let (events, ended) = (Arc::clone(events), Arc::clone(&self.ended));
        Receiver { events, ended, wall: self.wall, is_first: self.builds == 0, is_last: false }
    }

    /// Returns the receiver for the build of the plan.
    pub(crate) fn last_receiver(&self, events: &Arc<dyn Events>) -> Receiver {
        Receiver { is_last: true, ..self.receiver(events) }
    }

    /// Adds a build, and returns whether it succeeded.
    pub(crate) fn add(&mut self, built: Built) -> bool {
        self.builds += 1;
        self.wall += built.outcome.summary.wall;
        let succeeded = built.outcome.status == Status::Succeeded;
        self.failed = (!succeeded).then_some(built);
        succeeded
    }

    /// Adds the earlier builds to the figures of the last one.
    pub(crate) fn add_to(&self, summary: &mut Summary) {
        add(summary, &lock(&self.ended), self.wall);
    }
}

/// Adds earlier builds to the figures of the last one, which found the results of the earlier ones.
fn add(summary: &mut Summary, ended: &Ended, wall: Duration) {
    let count = |ending| ended.values().filter(|ended| **ended == ending).count();
    let ran = count(Ending::Ran).min(summary.hits);
    summary.hits -= ran;
    summary.ran += ran;
    summary.remote_hits = (summary.remote_hits + count(Ending::FoundRemotely)).min(summary.hits);
    summary.wall += wall;
}

fn lock(ended: &Mutex<Ended>) -> MutexGuard<'_, Ended> {
    ended.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// Returns the event that the receiver of all builds is to have, if any.
    fn translated(&self, event: Event) -> Option<Event> {
        match event {
            Event::BuildStarted { actions } if !self.is_first => {
                Some(Event::MoreActions { actions })
            }
            Event::BuildFinished(_) if !self.is_last => None,
            Event::BuildFinished(mut summary) => {
                add(&mut summary, &lock(&self.ended), self.wall);
                Some(Event::BuildFinished(summary))
            }
            Event::Finished { label, finish, messages } => {
                let is_known = lock(&self.ended).contains_key(&label);
                if is_known && matches!(finish, ActionEnd::Hit(_)) {
                    return None;
                }
                if !self.is_last {
                    let ending = match finish {
                        ActionEnd::Ran(_) => Ending::Ran,
                        ActionEnd::Hit(Hit::Remote) => Ending::FoundRemotely,
                        _ => Ending::Other,
                    };
                    lock(&self.ended).insert(label.clone(), ending);
                }
                Some(Event::Finished { label, finish, messages })
            }
            event => Some(event),
        }
    }
}

impl Events for Receiver {
    fn event(&self, event: Event) {
        if let Some(event) = self.translated(event) {
            self.events.event(event);
        }
    }
}
