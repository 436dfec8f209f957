//! Collects changes until nothing has changed for a moment, and cancels a build that they have overtaken.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sandbox::Cancel;

use super::Urgency;

/// The time without a change after which a build begins. Editors write a file in several steps, and tools write several
/// files.
const QUIET: Duration = Duration::from_millis(30);

/// The time after which a build begins although there are still changes.
const LONGEST: Duration = Duration::from_millis(500);

/// The pause between builds for files that have turned out not to matter, such as a log in the project's folder.
const PAUSE: Duration = Duration::from_secs(2);

/// The number of builds that are cancelled one after the other. The next one goes on to its end, so that there is one at all
/// while somebody writes without a pause.
const MOST_CANCELLED: usize = 5;

/// The number of files that are remembered because they did not matter.
const MOST_IDLE: usize = 10_000;

/// The changes that were not built yet.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: Option<Changed>,
    /// The build in flight.
    building: Option<Cancel>,
    cancelled: usize,
    /// Files whose changes did not matter, and the time of the last build for such files.
    idle: BTreeSet<PathBuf>,
    idled: Option<Instant>,
    is_stopped: bool,
}

/// Files that have changed, as the operating system says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The files.
    pub(crate) paths: BTreeSet<PathBuf>,
    /// The time of the first change.
    pub(crate) first: Instant,
    last: Instant,
}

impl Changes {
    /// Adds changed files.
    pub(crate) fn note(&self, paths: impl IntoIterator<Item = PathBuf>, urgency: Urgency) {
        let now = Instant::now();
        let mut state = self.state();
        let changed = Changed { paths: paths.into_iter().collect(), first: now, last: now };
        match &mut state.pending {
            Some(pending) => pending.merge(changed),
            None => state.pending = Some(changed),
        }
        if urgency == Urgency::High && state.cancelled < MOST_CANCELLED {
            state.cancel();
        }
        self.wake.notify_all();
    }

    /// Waits until a build should begin. Returns what has changed since the last one began, and the means to cancel the new
    /// one; `None` if there is nothing more to do.
    pub(crate) fn wait(&self) -> Option<(Changed, Cancel)> {
        let mut state = self.state();
        loop {
            if state.is_stopped {
                return None;
            }
            let now = Instant::now();
            let due = state.due();
            state = match due {
                Some(due) if due <= now => {
                    let cancel = Cancel::new();
                    state.building = Some(cancel.clone());
                    return Some((state.pending.take()?, cancel));
                }
                Some(due) => {
                    let woken = self.wake.wait_timeout(state, due - now);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Takes note that a build was cancelled. What it was for is still to be built.
    pub(crate) fn put_back(&self, changed: Changed) {
        let mut state = self.state();
        state.building = None;
        match &mut state.pending {
            Some(pending) => pending.merge(changed),
            None => state.pending = Some(changed),
        }
    }

    /// Takes note that a build is over. `idle` are the files for which it was done, if none of them mattered.
    pub(crate) fn built(&self, idle: Option<&Changed>) {
        let mut state = self.state();
        state.building = None;
        state.cancelled = 0;
        state.idled = idle.map(|_| Instant::now());
        for path in idle.into_iter().flat_map(|idle| &idle.paths) {
            if state.idle.len() < MOST_IDLE {
                state.idle.insert(path.clone());
            }
        }
    }

    /// Cancels the build in flight, and makes [`wait`](Self::wait) return `None`.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.is_stopped = true;
        state.cancel();
        self.wake.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn cancel(&mut self) {
        if let Some(building) = self.building.take() {
            building.cancel();
            self.cancelled += 1;
        }
    }

    /// Returns the time at which a build should begin.
    fn due(&self) -> Option<Instant> {
        let pending = self.pending.as_ref()?;
        let quiet = (pending.last + QUIET).min(pending.first + LONGEST);
        let pause = self.idled.filter(|_| pending.paths.is_subset(&self.idle));
        Some(pause.map_or(quiet, |idled| quiet.max(idled + PAUSE)))
    }
}

impl Changed {
    /// Returns a change of everything, with which the first build begins.
    pub(crate) fn everything(now: Instant) -> Self {
        Self { paths: BTreeSet::new(), first: now, last: now }
    }

    fn merge(&mut self, other: Self) {
        self.paths.extend(other.paths);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(path: &str, first: Instant, last: u64) -> Changed {
        let last = first + Duration::from_millis(last);
        Changed { paths: [PathBuf::from(path)].into(), first, last }
    }

    fn after(state: &State, start: Instant) -> Option<u128> {
        state.due().map(|due| due.duration_since(start).as_millis())
    }

    #[test]
    fn a_build_waits_for_quiet_but_not_for_ever() {
        let start = Instant::now();
        let mut state = State::default();
        assert_eq!(after(&state, start), None);
        state.pending = Some(changed("a", start, 0));
        assert_eq!(after(&state, start), Some(30));
        state.pending.as_mut().unwrap().merge(changed("b", start, 20));
        assert_eq!(after(&state, start), Some(50));
        state.pending.as_mut().unwrap().merge(changed("b", start, 9_000));
        assert_eq!(after(&state, start), Some(500));
    }

    #[test]
    fn files_that_do_not_matter_are_not_built_for_all_the_time() {
        let start = Instant::now();
        let mut state = State { idled: Some(start), ..State::default() };
        state.idle.insert("log".into());
        state.pending = Some(changed("log", start, 0));
        assert_eq!(after(&state, start), Some(2_000));
        state.pending.as_mut().unwrap().merge(changed("lib.rs", start, 0));
        assert_eq!(after(&state, start), Some(30));
    }

    #[test]
    fn a_newer_edit_cancels_the_build() {
        let changes = Changes::default();
        for round in 0..=MOST_CANCELLED {
            changes.note(["a".into()], Urgency::High);
            let (changed, cancel) = changes.wait().unwrap();
            assert!(changed.paths.contains(std::path::Path::new("a")));
            changes.note(["b".into()], Urgency::Low);
            assert!(!cancel.is_cancelled());
            changes.note(["c".into()], Urgency::High);
            assert_eq!(cancel.is_cancelled(), round < MOST_CANCELLED, "{round}");
            changes.put_back(changed);
        }
        let (changed, _) = changes.wait().unwrap();
        assert_eq!(changed.paths.len(), 3, "nothing is forgotten");
        changes.built(None);
        changes.stop();
        assert!(changes.wait().is_none());
    }
}
