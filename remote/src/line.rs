//! The line to one server: retries, deadlines, breakers and counters, which both protocols share.
//!
//! A [`Call`] is one thing that is asked of the server, and consists of one or more tries:
//!
//! ```text
//! let Some(mut call) = line.call(Doing::Download) else { return … };   // the breaker is open
//! loop {
//!     let tried = call.within(&progress, body, one_try(…)).await;
//!     if let Some(end) = call.settle(tried).await { return end }
//! }
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::breaker::{Breaker, Permit};
use crate::failure::Failure;
use crate::pace::Pace;
use crate::progress::Progress;
use crate::random::jittered;
use crate::traffic::Counters;
use crate::trouble::{Trouble, Troubles};

/// The times that a line waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// The time that one try may take without progress.
    pub(crate) timeout: Duration,
    /// The number of tries after the first one.
    pub(crate) retries: u32,
    /// The pause before the second try, which doubles.
    pub(crate) pause: Duration,
    /// The first pause of an open breaker.
    pub(crate) first_rest: Duration,
    /// The longest pause of an open breaker.
    pub(crate) longest_rest: Duration,
    /// The time that a worker may take for an action beside its command, such as for laying out the inputs.
    pub(crate) staging: Duration,
}

impl Patience {
    /// The usual pauses.
    pub(crate) const fn new(timeout: Duration, retries: u32) -> Self {
        Self {
            timeout,
            retries,
            pause: Duration::from_millis(100),
            first_rest: Duration::from_secs(5),
            longest_rest: Duration::from_secs(60),
            staging: Duration::from_secs(60),
        }
    }
}

/// The line to one server.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) host: String,
    pub(crate) troubles: Troubles,
    pub(crate) traffic: Counters,
    /// The cap on what is received.
    pub(crate) pace_down: Pace,
    /// The cap on what is sent.
    pub(crate) pace_up: Pace,
    patience: Patience,
    down: Breaker,
    up: Breaker,
    execute: Breaker,
    is_for_execution: bool,
    uploads_off: AtomicBool,
    silences: AtomicU64,
}

/// The kind of a call, which says what is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Say what it can do.
    Capabilities,
    /// Read a result.
    Result,
    /// Read blobs.
    Download,
    /// Say which blobs are missing.
    Missing,
    /// Write blobs.
    Upload,
    /// Write a result.
    Publish,
    /// Execute an action.
    Execute,
}

impl Doing {
    const fn words(self) -> &'static str {
        match self {
            Self::Capabilities => "say what it can do",
            Self::Result => "read a result",
            Self::Download => "read a blob",
            Self::Missing => "say which blobs are missing",
            Self::Upload => "upload a blob",
            Self::Publish => "upload a result",
            Self::Execute => "execute an action",
        }
    }

    /// Tells if this is part of an upload, and so is not done where uploads are off.
    const fn is_upload(self) -> bool {
        matches!(self, Self::Missing | Self::Upload | Self::Publish)
    }
}

/// One call, with all its tries.
pub(crate) struct Call<'a> {
    line: &'a Line,
    permit: Option<Permit<'a>>,
    doing: Doing,
    tries: u32,
}

impl Line {
    /// Makes the line. Nothing is connected.
    pub(crate) fn new(
        host: &str,
        patience: Patience,
        bandwidth: Option<u64>,
        upload: bool,
    ) -> Self {
        let breaker = || Breaker::new(patience.first_rest, patience.longest_rest);
        Self {
            host: host.to_owned(),
            troubles: Troubles::default(),
            traffic: Counters::default(),
            pace_down: Pace::new(bandwidth),
            pace_up: Pace::new(bandwidth),
            patience,
            down: breaker(),
            up: breaker(),
            execute: breaker(),
            is_for_execution: false,
            uploads_off: AtomicBool::new(!upload),
            silences: AtomicU64::new(0),
        }
    }

    /// Makes the line to a cluster. Uploads of inputs are never off, also where no results are taken.
    pub(crate) const fn for_execution(mut self) -> Self {
        self.is_for_execution = true;
        self
    }

    /// Tells if this is the line to a cluster.
    pub(crate) const fn is_for_execution(&self) -> bool {
        self.is_for_execution
    }

    /// Tells if an execution would be let through now.
    pub(crate) fn may_execute(&self) -> bool {
        self.execute.would_admit(Instant::now())
    }

    /// Waits for the beginning of an answer that may go on for hours. If none begins in time, the server was silent.
    pub(crate) async fn begins<T>(&self, answer: impl Future<Output = T>) -> Result<T, Failure> {
        let limit = self.patience.timeout;
        timeout(limit, answer).await.map_err(|_| {
            self.silences.fetch_add(1, Ordering::Relaxed);
            Failure::Silent(limit)
        })
    }

    /// Returns the number of tries after the first one.
    pub(crate) const fn retries(&self) -> u32 {
        self.patience.retries
    }

    /// Returns the time that a worker may take for an action beside its command.
    pub(crate) const fn staging(&self) -> Duration {
        self.patience.staging
    }

    /// Begins a call; `None` if its breaker is open.
    pub(crate) fn call(&self, doing: Doing) -> Option<Call<'_>> {
        if doing.is_upload() && self.uploads_off() {
            return None;
        }
        let breaker = match doing {
            Doing::Execute => &self.execute,
            _ if doing.is_upload() => &self.up,
            _ => &self.down,
        };
        let permit = breaker.admit(Instant::now())?;
        self.traffic.calls.add(1);
        Some(Call { line: self, permit: Some(permit), doing, tries: 0 })
    }

    /// Tells if nothing is uploaded, because the settings say so or the server refused it.
    pub(crate) fn uploads_off(&self) -> bool {
        !self.is_for_execution && self.uploads_off.load(Ordering::Relaxed)
    }

    /// Uploads nothing from now on.
    pub(crate) fn turn_uploads_off(&self) {
        self.uploads_off.store(true, Ordering::Relaxed);
    }

    /// Returns the number of tries so far to which nothing came in time.
    pub(crate) fn silences(&self) -> u64 {
        self.silences.load(Ordering::Relaxed)
    }

    /// Tells if reads are held back.
    pub(crate) fn is_down(&self) -> bool {
        self.down.is_open()
    }

    /// Notes a failure that belongs to no call.
    pub(crate) fn note(&self, failure: Failure, doing: Doing) {
        self.troubles.note(failure.trouble(&self.host, doing.words()));
    }

    /// Returns a failure as a trouble, without noting it.
    pub(crate) fn trouble(&self, failure: Failure, doing: Doing) -> Trouble {
        failure.trouble(&self.host, doing.words())
    }
}

impl Call<'_> {
    /// Runs one try under the deadline. `body` is the number of bytes of its body, if they don't pass `progress`.
    pub(crate) async fn within<T>(
        &self,
        progress: &Progress,
        body: u64,
        tried: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.line.traffic.round_trips.add(1);
        let tried = progress.within(self.line.patience.timeout, body, tried).await;
        if matches!(tried, Err(Failure::Silent(_))) {
            self.line.silences.fetch_add(1, Ordering::Relaxed);
        }
        tried
    }

    /// Takes how a try ended. Returns how the call ended, or `None` after a pause if it has to be tried again.
    pub(crate) async fn settle<T>(
        &mut self,
        tried: Result<T, Failure>,
    ) -> Option<Result<T, Failure>> {
        let failure = match tried {
            Ok(done) => {
                self.permit.take()?.succeed();
                return Some(Ok(done));
            }
            Err(failure) => failure,
        };
        if failure.is_passing() && self.tries < self.line.patience.retries && !self.is_void() {
            sleep(self.pause(&failure)).await;
            self.tries += 1;
            if !self.is_void() {
                return None;
            }
        }
        self.give_up(&failure);
        Some(Err(failure))
    }

    /// Notes that the call succeeded.
    pub(crate) fn succeed(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.succeed();
        }
    }

    /// Notes that the call failed, and that it is not tried again. The caller tells the user.
    pub(crate) fn settle_last(&mut self, failure: &Failure) {
        if let Some(permit) = self.permit.take() {
            if failure.is_the_servers() {
                permit.fail(Instant::now(), matches!(failure, Failure::Refused(_)));
            } else {
                permit.succeed();
            }
        }
    }

    fn is_void(&self) -> bool {
        self.permit.as_ref().is_none_or(Permit::is_void)
    }

    fn pause(&self, failure: &Failure) -> Duration {
        let doubled = self.line.patience.pause.saturating_mul(1 << self.tries.min(10));
        match failure {
            Failure::Failing { wait: Some(wait), .. } => (*wait).min(self.line.patience.timeout),
            _ => jittered(doubled.min(self.line.patience.timeout)),
        }
    }

    fn give_up(&mut self, failure: &Failure) {
        self.settle_last(failure);
        if matches!(failure, Failure::Refused(_)) && self.doing.is_upload() {
            self.line.turn_uploads_off();
        }
        // Whoever asked for the capabilities is told by the answer.
        if self.doing != Doing::Capabilities {
            self.line.note(failure.clone(), self.doing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_is_not_tried_again_once_others_have_opened_the_breaker() {
        let patience = Patience::new(Duration::from_secs(1), 5);
        let line = Line::new("cache:1", patience, None, true);
        let unreachable = || Failure::Unreachable("it is dead".to_owned());
        let mut slow = line.call(Doing::Result).unwrap();
        assert_eq!(slow.settle::<()>(Err(unreachable())).await, None, "it is tried again");
        let others = async {
            for _ in 0..3 {
                let mut other = line.call(Doing::Result).unwrap();
                let rejected = Failure::Rejected("no".to_owned());
                assert_eq!(other.settle::<()>(Err(rejected.clone())).await, Some(Err(rejected)));
            }
        };
        let (ended, ()) = tokio::join!(slow.settle::<()>(Err(unreachable())), others);
        assert_eq!(ended, Some(Err(unreachable())));
        assert!(line.is_down() && line.call(Doing::Result).is_none());
        assert!(line.call(Doing::Upload).is_some(), "uploads have a breaker of their own");
    }
}
