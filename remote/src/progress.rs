//! Deadlines of calls. A call has to end in time or, if it carries a stream of bytes, to make progress all the time:
//! a server that sends one byte a second is as good as dead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::failure::Failure;

/// The bytes that have to move within one time-out.
const ENOUGH: u64 = 16 << 10;

/// The bytes in one second that even a slow network moves. A call with a large body gets that much more time.
const SLOW: u64 = 128 << 10;

/// The bytes that have moved in one try of a call.
#[derive(Debug, Default)]
pub(crate) struct Progress(AtomicU64);

impl Progress {
    /// Says that bytes have moved.
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Says that this side holds the bytes back, for which the server is not to blame.
    pub(crate) fn hold(&self) {
        self.0.fetch_add(ENOUGH, Ordering::Relaxed);
    }

    /// Runs `call`, and ends it if it makes no progress. `body` is the number of bytes that move without being seen here.
    pub(crate) async fn within<T>(
        &self,
        timeout: Duration,
        body: u64,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            done = call => done,
            () = self.stalled(timeout, body) => Err(Failure::Silent(timeout)),
        }
    }

    async fn stalled(&self, timeout: Duration, body: u64) {
        sleep(Duration::from_millis(body.saturating_mul(1000) / SLOW)).await;
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            sleep(timeout).await;
            let now = self.0.load(Ordering::Relaxed);
            if now - seen < ENOUGH {
                return;
            }
            seen = now;
        }
    }
}
