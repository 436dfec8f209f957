//! A cap on bandwidth: a token bucket that holds what may be sent in a quarter of a second.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::progress::Progress;

/// The time whose tokens a full bucket holds.
const BURST: Duration = Duration::from_millis(250);

/// The longest time between two signs of life while bytes are held back.
const SLICE: Duration = Duration::from_millis(50);

/// The bucket of one direction.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Bytes in one second, if there is a cap.
    rate: Option<u64>,
    /// The time at which all that was let through so far would have been sent at the capped rate.
    spent_until: Mutex<Option<Instant>>,
}

impl Pace {
    /// Makes a full bucket.
    pub(crate) const fn new(rate: Option<u64>) -> Self {
        Self { rate, spent_until: Mutex::new(None) }
    }

    /// Waits until `bytes` may pass.
    pub(crate) async fn pass(&self, bytes: usize, progress: &Progress) {
        let mut wait = self.reserve(bytes as u64, Instant::now());
        while !wait.is_zero() {
            let slice = wait.min(SLICE);
            sleep(slice).await;
            progress.hold();
            wait -= slice;
        }
    }

    /// Takes tokens for `bytes`, and returns how long to wait for them.
    fn reserve(&self, bytes: u64, now: Instant) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let cost = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        let mut spent = self.spent_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let start = spent.map_or(now, |spent| spent.max(now));
        let until = start + cost;
        *spent = Some(until);
        until.saturating_duration_since(now + BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_wait_for_their_turn() {
        let (pace, now) = (Pace::new(Some(1000)), Instant::now());
        let check = |bytes, at: u64, wait: u64| {
            let at = now + Duration::from_millis(at);
            assert_eq!(pace.reserve(bytes, at).as_millis(), u128::from(wait));
        };
        check(250, 0, 0);
        check(250, 0, 250);
        check(500, 0, 750);
        check(100, 1000, 0);
        check(1000, 5000, 750);
        let free = Pace::new(None);
        assert_eq!(free.reserve(u64::MAX, now), Duration::ZERO);
    }
}
