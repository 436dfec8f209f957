//! Follows one action through a cluster, over any number of broken streams.
//!
//! A stream that breaks is gone on with under the name of its operation (`WaitExecution`). If the server has forgotten the
//! operation, the action is asked for again: a server that still knows the action gives the same operation.
//!
//! A worker has to end a command that exceeds its time limit. Not every worker does, so the clock runs here as well: from the
//! first word that the action is being executed, and anew if it has to wait for a worker again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache::{Digest, reapi};
use tokio::time::{Instant, sleep, timeout_at};

use crate::failure::Failure;
use crate::grpc::{Grpc, News, Operations};
use crate::line::Line;
use crate::random::jittered;

/// The pause after the first broken stream in a row, which doubles.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The number of tries after the usual ones, if the server has taken the action. It may be starting again, which takes some
/// seconds, and another execution would cost more.
const MORE_TRIES: u32 = 4;

/// The number of streams that break before an action is given up, however much each of them said.
const MOST_BREAKS: u32 = 50;

/// The stage that an action has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its inputs are being uploaded.
    Uploading,
    /// It waits for a worker.
    Queued,
    /// It runs.
    Executing,
}

/// The end of an operation, or of a stream of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ended {
    /// The command has ended, and this is its result.
    Done(Box<reapi::ActionResult>),
    /// The command exceeded its time limit, says the server.
    TimedOut,
    /// The command must have exceeded its time limit, and the server still says that it is being executed.
    Overdue,
    /// The server lacks these blobs.
    Missing(Vec<Digest>),
    /// The server does not know the operation any more.
    Forgotten,
    /// The server failed, or refused.
    Failed(Failure),
}

/// An action that is being executed.
pub(crate) struct Following<'a> {
    pub(crate) grpc: &'a Grpc,
    pub(crate) action: Digest,
    /// A result that the server knows already is of no use.
    pub(crate) anew: bool,
    /// The line to the server, which knows how long and how often to wait for it.
    pub(crate) line: &'a Line,
    /// The name of the operation, for whoever wants to cancel it.
    pub(crate) name: &'a Mutex<Option<String>>,
    /// The server has said something about the action.
    pub(crate) is_taken: AtomicBool,
    /// Takes what happens.
    pub(crate) watch: &'a (dyn Fn(Stage) + Sync),
    /// The time that the action may take once a worker has it; `None` if it may take any time.
    pub(crate) limit: Option<Duration>,
    /// The time at which that is over, if a worker has it.
    pub(crate) until: Mutex<Option<Instant>>,
}

impl Following<'_> {
    /// Waits until the action has ended. A failure that may pass has been tried again.
    pub(crate) async fn end(&self) -> Ended {
        let (mut silent, mut breaks) = (0, 0);
        loop {
            let mut heard = false;
            let ended = self.follow(&mut heard).await;
            silent = if heard { 0 } else { silent + 1 };
            breaks += 1;
            let is_given_up = silent > self.tries() || breaks > MOST_BREAKS;
            match ended {
                Ended::Failed(_) | Ended::Forgotten if self.is_over() => return Ended::Overdue,
                Ended::Forgotten => self.forget(),
                Ended::Failed(failure) if !failure.is_passing() => return Ended::Failed(failure),
                Ended::Failed(failure) if is_given_up => return Ended::Failed(failure),
                Ended::Failed(_) => {}
                end => return end,
            }
            if is_given_up {
                let failing = "it forgets the action again and again".to_owned();
                return Ended::Failed(Failure::Failing { status: failing, wait: None });
            }
            sleep(jittered(PAUSE.saturating_mul(1 << silent.min(10)).min(LONGEST_PAUSE))).await;
        }
    }

    /// Follows one stream to its end. Sets `heard` if it said anything.
    async fn follow(&self, heard: &mut bool) -> Ended {
        let mut stream = match self.within_limit(self.line.begins(self.stream())).await {
            None => return Ended::Overdue,
            Some(Err(silence)) => return Ended::Failed(silence),
            Some(Ok(Err(ended))) => return ended,
            Some(Ok(Ok(stream))) => stream,
        };
        loop {
            let Some(next) = self.within_limit(stream.next()).await else { return Ended::Overdue };
            match next {
                Ok(Some(News { name, stage, ended })) => {
                    *heard = true;
                    self.is_taken.store(true, Ordering::Relaxed);
                    self.remember(name);
                    if let Some(stage) = stage {
                        self.reached(stage);
                    }
                    if let Some(ended) = ended {
                        // The operation is over, so it is not waited for again.
                        self.forget();
                        return ended;
                    }
                }
                Ok(None) => {
                    let ended = "the stream ended before the action did".to_owned();
                    return Ended::Failed(Failure::Unreachable(ended));
                }
                Err(ended) => return ended,
            }
        }
    }

    /// Returns the number of tries after the first one at which the server may say nothing.
    fn tries(&self) -> u32 {
        let more = if self.is_taken.load(Ordering::Relaxed) { MORE_TRIES } else { 0 };
        self.line.retries() + more
    }

    /// Notes that the action has reached a stage.
    fn reached(&self, stage: Stage) {
        let mut until = lock(&self.until);
        match stage {
            Stage::Executing if until.is_some() => {}
            Stage::Executing => *until = self.limit.and_then(|it| Instant::now().checked_add(it)),
            Stage::Uploading | Stage::Queued => *until = None,
        }
        drop(until);
        (self.watch)(stage);
    }

    /// Tells if the action has taken longer than it may.
    fn is_over(&self) -> bool {
        lock(&self.until).is_some_and(|until| Instant::now() >= until)
    }

    /// Waits for something, but not longer than the action may take.
    async fn within_limit<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        let until = *lock(&self.until);
        match until {
            Some(until) => timeout_at(until, what).await.ok(),
            None => Some(what.await),
        }
    }

    async fn stream(&self) -> Result<Operations, Ended> {
        let known = lock(self.name).clone();
        if let Some(name) = known
            && let Some(stream) = self.grpc.wait(&name, self.action.function()).await?
        {
            return Ok(stream);
        }
        self.forget();
        self.grpc.execute(&self.action, self.anew).await
    }

    fn remember(&self, name: String) {
        if !name.is_empty() {
            *lock(self.name) = Some(name);
        }
    }

    /// Forgets the operation. Another one for the same action begins from the start.
    fn forget(&self) {
        *lock(self.name) = None;
        *lock(&self.until) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
