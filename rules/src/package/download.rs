//! The downloads of an action that fetches. A few of them run at once, their progress is shown as the
//! action's status, and they end when the build is cancelled.
//!
//! Everything is done in this process, over [`Http`]. No program is started, and nothing in a project or in
//! an image can decide how a server is reached. The caller has to check the bytes that came.

use std::sync::atomic::{AtomicBool, Ordering};

use engine::{BuiltinContext, BuiltinError};

use super::fetch::{Http, Login, Request};
use super::parallel;
use super::{Event, Events, HttpError, Network, Registries};

/// The state that all downloads of one action share.
pub(crate) struct Downloads<'a> {
    http: Http,
    parallel: usize,
    teller: &'a (dyn Teller + Sync),
    /// True once one download has failed, so that the others stop.
    failed: AtomicBool,
}

/// Something that is told about the progress of downloads and asked whether to stop, such as an action's
/// context.
pub(crate) trait Teller {
    /// Shows what is being done now.
    fn tell(&self, text: String);
    /// Returns true if the user wants the work to stop.
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
    /// Sets up HTTP as the user's environment says. Nothing is connected yet.
    ///
    /// # Errors
    /// The proxies or certificates that the environment names can't be used.
    pub(crate) fn new(
        registries: &Registries,
        teller: &'a (dyn Teller + Sync),
    ) -> Result<Self, HttpError> {
        Self::over(&registries.network, teller)
    }

    /// Sets up HTTP with these network settings. Nothing is connected yet.
    pub(crate) fn over(
        network: &Network,
        teller: &'a (dyn Teller + Sync),
    ) -> Result<Self, HttpError> {
        let (http, parallel) = (Http::new(network)?, network.parallel);
        Ok(Self { http, parallel, teller, failed: AtomicBool::new(false) })
    }

    /// Fetches a whole body. The fetch is cancelled when another download has failed or the user wants to
    /// stop.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub(crate) fn get(
        &self,
        request: Request<'_>,
        login: Option<&Login>,
    ) -> Result<Vec<u8>, HttpError> {
        self.http.get_as(login, request, self, &|| Events::cancelled(self))
    }

    /// Does `work` for each item, for a few items at a time. After a failure no new item is begun, and the
    /// running ones are told to stop. The first failure is returned.
    pub(crate) fn each<T: Sync>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> Result<(), BuiltinError> + Sync,
    ) -> Result<(), BuiltinError> {
        let cancelled = || self.teller.cancelled();
        let ended = parallel(items, self.parallel, &self.failed, &cancelled, work);
        // Errors of a cancelled build come from the cancelling, so they are not reported as failures.
        if self.teller.cancelled() {
            return Err(BuiltinError::Cancelled);
        }
        ended.map(|_| ())
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

/// Converts bytes to kilobytes of 1000 bytes, rounded up.
const fn kilobytes(bytes: u64) -> u64 {
    bytes.div_ceil(1000)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    /// A teller that ignores what it is told. Setting `stop` cancels the work.
    #[derive(Default)]
    pub(crate) struct Silent {
        pub(crate) stop: AtomicBool,
    }

    impl Teller for Silent {
        fn tell(&self, _: String) {}

        fn cancelled(&self) -> bool {
            self.stop.load(Ordering::Relaxed)
        }
    }

    /// Returns network settings with which nothing is tried a second time.
    pub(crate) fn hasty() -> Network {
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
