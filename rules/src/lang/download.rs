//! The downloads of an action that fetches: several at once, told as the action's status, ended when
//! the build is cancelled.
//!
//! All is done in this process, over [`Http`]: nothing is started, and nothing in a project or an
//! image has a say in how a server is reached. What came is for the caller to judge.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use engine::{BuiltinContext, BuiltinError};

use crate::plan::Clients;
use crate::toolchain::fetch::{Http, Login, Request};
use crate::toolchain::{Event, Events, HttpError, Network};

/// Holds what the downloads of one action have in common.
pub(super) struct Downloads<'a> {
    http: Http,
    parallel: usize,
    teller: &'a (dyn Teller + Sync),
    /// Is set when one of them failed, so that the others need not go on.
    failed: AtomicBool,
}

/// Is told how far the work is, and asked whether to stop. The action's context is one.
pub(super) trait Teller {
    /// Takes note of what is done now.
    fn tell(&self, text: String);
    /// Says whether the user wants it to stop.
    fn cancelled(&self) -> bool;
}

impl Teller for BuiltinContext {
    fn tell(&self, text: String) {
        self.status(text);
    }

    fn cancelled(&self) -> bool {
        Self::cancelled(self)
    }
}

impl<'a> Downloads<'a> {
    /// Prepares connections as the user's environment says; nothing is connected yet.
    ///
    /// # Errors
    /// The proxies or certificates that it names can't be used.
    pub(super) fn new(
        clients: &Clients,
        teller: &'a (dyn Teller + Sync),
    ) -> Result<Self, HttpError> {
        Self::over(&Network::of(&clients.variables, clients.offline), teller)
    }

    /// The same over a network that is set up otherwise.
    pub(super) fn over(
        network: &Network,
        teller: &'a (dyn Teller + Sync),
    ) -> Result<Self, HttpError> {
        let (http, parallel) = (Http::new(network)?, network.parallel);
        Ok(Self { http, parallel, teller, failed: AtomicBool::new(false) })
    }

    /// Fetches a whole body.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub(super) fn get(
        &self,
        request: Request<'_>,
        login: Option<&Login>,
    ) -> Result<Vec<u8>, HttpError> {
        self.http.get_as(login, request, self, &|| Events::cancelled(self))
    }

    /// Does some work for each item, a few at a time. After a failure nothing new is begun, and what
    /// runs is told to stop; the first failure is given.
    pub(super) fn each<T: Sync>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> Result<(), BuiltinError> + Sync,
    ) -> Result<(), BuiltinError> {
        let next = AtomicUsize::new(0);
        let failure = Mutex::new(None);
        let worker = || {
            while !Events::cancelled(self) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return };
                if let Err(error) = work(item) {
                    let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    failure.get_or_insert(error);
                    self.failed.store(true, Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.parallel.clamp(1, items.len().max(1)) {
                scope.spawn(worker);
            }
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            // What a cancelled build fails with is no failure.
            _ if self.teller.cancelled() => Err(BuiltinError::Cancelled),
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Events for Downloads<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Fetching { package, done, total } => {
                let of =
                    total.map_or_else(String::new, |total| format!(" of {}", kilobytes(total)));
                self.teller.tell(format!("fetching {package} ({}{of} kB)", kilobytes(done)));
            }
            Event::Retrying { package, attempt, reason } => {
                self.teller.tell(format!("fetching {package}, try {}: {reason}", attempt + 1));
            }
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.teller.cancelled()
    }
}

/// Thousands of bytes, rounded up.
const fn kilobytes(bytes: u64) -> u64 {
    bytes.div_ceil(1000)
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    /// Someone who listens to nothing, and says from when on to stop.
    #[derive(Default)]
    pub(in crate::lang) struct Silent {
        pub(in crate::lang) stop: AtomicBool,
    }

    impl Teller for Silent {
        fn tell(&self, _: String) {}

        fn cancelled(&self) -> bool {
            self.stop.load(Ordering::Relaxed)
        }
    }

    /// A network whose servers are given no second try.
    pub(in crate::lang) fn hasty() -> Network {
        Network { attempts: 1, pause: Duration::from_millis(1), ..Network::default() }
    }

    #[test]
    fn the_first_failure_ends_the_others() {
        let teller = Silent::default();
        let downloads = Downloads::over(&hasty(), &teller).unwrap();
        let items: Vec<usize> = (0..1000).collect();
        let done = AtomicUsize::new(0);
        let error = downloads.each(&items, |item| {
            done.fetch_add(1, Ordering::Relaxed);
            match item {
                3 => Err(BuiltinError::failed(&std::io::Error::other("three"))),
                _ => {
                    std::thread::sleep(Duration::from_millis(1));
                    Ok(())
                }
            }
        });
        assert!(matches!(error, Err(BuiltinError::Failed(report)) if report.message == "three"));
        assert!(done.load(Ordering::Relaxed) < 100);
    }

    #[test]
    fn a_cancelled_build_fails_with_nothing_else() {
        let teller = Silent::default();
        let downloads = Downloads::over(&hasty(), &teller).unwrap();
        let cancelled = downloads.each(&[1], |_| {
            teller.stop.store(true, Ordering::Relaxed);
            Err(BuiltinError::failed(&HttpError::Cancelled))
        });
        assert!(matches!(cancelled, Err(BuiltinError::Cancelled)));
    }
}
