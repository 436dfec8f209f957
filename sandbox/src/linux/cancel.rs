//! Stopping what runs, from any thread.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Signal, pidfd_send_signal};

/// Stops what runs with it. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    /// The first processes of the commands that run.
    running: Mutex<Vec<Arc<First>>>,
}

/// The first process of a command, and the signal that ends it.
#[derive(Debug)]
struct First {
    process: OwnedFd,
    signal: Signal,
}

impl Cancel {
    /// A fresh one, not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Kills every command that runs with it, and each that starts later.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        self.running().iter().for_each(|first| first.kill());
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Has a command killed by [`Cancel::cancel`], now or later, until the returned value is
    /// dropped.
    pub(super) fn watch(&self, process: OwnedFd, signal: Signal) -> Watched<'_> {
        let first = Arc::new(First { process, signal });
        self.running().push(Arc::clone(&first));
        if self.is_cancelled() {
            first.kill();
        }
        Watched { cancel: self, first }
    }

    fn running(&self) -> MutexGuard<'_, Vec<Arc<First>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command that [`Cancel::cancel`] would kill.
pub(super) struct Watched<'a> {
    cancel: &'a Cancel,
    first: Arc<First>,
}

impl Watched<'_> {
    pub(super) fn kill(&self) {
        self.first.kill();
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.cancel.running().retain(|first| !Arc::ptr_eq(first, &self.first));
    }
}

impl First {
    fn kill(&self) {
        // Fails only if it is dead already.
        let _ = pidfd_send_signal(&self.process, self.signal);
    }
}
