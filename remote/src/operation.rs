//! Follows one action through a cluster, over any number of broken streams.
//!
//! A stream that breaks is gone on with under the name of its operation (`WaitExecution`). If the server has forgotten the
//! operation, the action is asked for again: a server that still knows the action gives the same operation.

use std::sync::Mutex;
use std::time::Duration;

use cache::{Digest, reapi};
use tokio::time::sleep;

use crate::failure::Failure;
use crate::grpc::{Grpc, News, Operations};
use crate::random::jittered;

/// The pause after the first broken stream in a row, which doubles.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

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
    /// The command exceeded its time limit.
    TimedOut,
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
    /// The number of tries after the first one, if the server says nothing.
    pub(crate) retries: u32,
    /// The name of the operation, for whoever wants to cancel it.
    pub(crate) name: &'a Mutex<Option<String>>,
    /// Takes what happens.
    pub(crate) watch: &'a (dyn Fn(Stage) + Sync),
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
            match ended {
                Ended::Forgotten => self.forget(),
                Ended::Failed(failure) if !failure.is_passing() => return Ended::Failed(failure),
                Ended::Failed(failure) if silent > self.retries || breaks > MOST_BREAKS => {
                    return Ended::Failed(failure);
                }
                Ended::Failed(_) => {}
                end => return end,
            }
            if silent > self.retries || breaks > MOST_BREAKS {
                let failing = "it forgets the action again and again".to_owned();
                return Ended::Failed(Failure::Failing { status: failing, wait: None });
            }
            sleep(jittered(PAUSE.saturating_mul(1 << silent.min(10)).min(LONGEST_PAUSE))).await;
        }
    }

    /// Follows one stream to its end. Sets `heard` if it said anything.
    async fn follow(&self, heard: &mut bool) -> Ended {
        let mut stream = match self.stream().await {
            Ok(stream) => stream,
            Err(ended) => return ended,
        };
        loop {
            match stream.next().await {
                Ok(Some(News { name, stage, ended })) => {
                    *heard = true;
                    self.remember(name);
                    if let Some(stage) = stage {
                        (self.watch)(stage);
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

    async fn stream(&self) -> Result<Operations, Ended> {
        let known = self.lock().clone();
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
            *self.lock() = Some(name);
        }
    }

    fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.name.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
