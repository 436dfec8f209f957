//! Live lines by what they are about, all drawn again by one thread.
//!
//! The library would start a thread for each line, and panic where the system gives none. Here a line
//! without a thread moves when its progress does, and else stands still.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use indicatif::ProgressBar;

/// How often a live line is drawn again.
const TICK: Duration = Duration::from_millis(120);

type Lines<K> = Mutex<BTreeMap<K, ProgressBar>>;

/// The live lines of one command.
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

    /// The line of this key, which is made and moves from now on if there was none.
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
        // Without a thread nothing is lost but movement.
        let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(tick);
    }
}

fn lock<K>(lines: &Lines<K>) -> MutexGuard<'_, BTreeMap<K, ProgressBar>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
