//! Stops running commands from any thread.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Signal, pidfd_send_signal};

/// Stops all commands that were started with it. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    /// Process 1 of each command that runs.
    running: Mutex<Vec<Arc<Target>>>,
}

/// Holds process 1 of a command, and the signal that ends it.
#[derive(Debug)]
struct Target {
    process: OwnedFd,
    signal: Signal,
}

impl Cancel {
    /// Creates one that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Kills every command that runs with it, and each that starts later.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        self.running().iter().for_each(|first| first.kill());
    }

    /// Returns whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Has [`Cancel::cancel`] kill this process with this signal, until the returned value is
    /// dropped. If it was called already, it kills the process at once.
    pub(in crate::linux) fn watch(&self, process: OwnedFd, signal: Signal) -> CancelGuard<'_> {
        let first = Arc::new(Target { process, signal });
        self.running().push(Arc::clone(&first));
        if self.is_cancelled() {
            first.kill();
        }
        CancelGuard { cancel: self, first }
    }

    fn running(&self) -> MutexGuard<'_, Vec<Arc<Target>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a process among those that [`Cancel::cancel`] kills.
pub(in crate::linux) struct CancelGuard<'a> {
    cancel: &'a Cancel,
    first: Arc<Target>,
}

impl CancelGuard<'_> {
    pub(super) fn kill(&self) {
        self.first.kill();
    }
}

impl Drop for CancelGuard<'_> {
    fn drop(&mut self) {
        self.cancel.running().retain(|first| !Arc::ptr_eq(first, &self.first));
    }
}

impl Target {
    fn kill(&self) {
        // This fails only if the process is already dead.
        let _ = pidfd_send_signal(&self.process, self.signal);
    }
}
