//! Keeps the live lines of a command, and redraws them from one thread.
//!
//! The library would start a thread for each line, and panic if the system can't start one. Here, if there is
//! no thread, a line is redrawn only when its progress changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use indicatif::ProgressBar;

/// The time after which live lines are redrawn.
const TICK: Duration = Duration::from_millis(120);

type Lines<K> = Mutex<BTreeMap<K, ProgressBar>>;

/// The live lines of one command, each under the key of its subject.
pub(super) struct Bars<K> {
    lines: Arc<Lines<K>>,
    ticking: Once,
}

impl<K: Ord + Send + 'static> Bars<K> {
    pub(super) fn new() -> Self {
        Self { lines: Arc::default(), ticking: Once::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<K, ProgressBar>> {
        lock(&self.lines)
    }

    /// Returns the line of this key. If there is none, it is made and redrawn from now on.
    pub(super) fn get_or_make(&self, key: K, make: impl FnOnce() -> ProgressBar) -> ProgressBar {
        let bar = self.lock().entry(key).or_insert_with(make).clone();
        self.ticking.call_once(|| self.tick());
        bar
    }

    fn tick(&self) {
        let lines = Arc::downgrade(&self.lines);
        let tick = move || {
            while let Some(lines) = lines.upgrade() {
                lock(&lines).values().for_each(ProgressBar::tick);
                drop(lines);
                std::thread::sleep(TICK);
            }
        };
        // Without a thread the lines only stop moving.
        let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(tick);
    }
}

fn lock<K>(lines: &Lines<K>) -> MutexGuard<'_, BTreeMap<K, ProgressBar>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
