//! A circuit breaker: after several failed calls in a row no further call is made for a while, so that a dead server
//! costs a build its first few time-outs and not one for each action.
//!
//! After a pause one call is let through as a probe. If it succeeds, all are let through again; if it fails, the next
//! pause is twice as long. The clock is the caller's, so that tests need not wait.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The number of failed calls in a row that open a breaker.
const FAILURES: u32 = 3;

/// The breaker of one direction.
#[derive(Debug)]
pub(crate) struct Breaker {
    first_pause: Duration,
    longest_pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    failures: u32,
    pause: Duration,
    /// The time from which on a probe is let through, if the breaker is open.
    open_until: Option<Instant>,
    probing: bool,
}

/// The leave to make one call. If it is dropped without a verdict (the call was cancelled), another call may probe.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    probe: bool,
    settled: bool,
}

impl Breaker {
    /// Makes a closed breaker. Its pauses double from `first_pause` to `longest_pause`.
    pub(crate) const fn new(first_pause: Duration, longest_pause: Duration) -> Self {
        let state = State { failures: 0, pause: first_pause, open_until: None, probing: false };
        Self { first_pause, longest_pause, state: Mutex::new(state) }
    }

    /// Lets a call through, or returns `None`.
    pub(crate) fn admit(&self, now: Instant) -> Option<Permit<'_>> {
        let mut state = self.state();
        let probe = match state.open_until {
            None => false,
            Some(until) if now >= until && !state.probing => true,
            Some(_) => return None,
        };
        state.probing |= probe;
        Some(Permit { breaker: self, probe, settled: false })
    }

    /// Tells if a call would be let through now.
    pub(crate) fn would_admit(&self, now: Instant) -> bool {
        let state = self.state();
        state.open_until.is_none_or(|until| now >= until && !state.probing)
    }

    /// Tells if calls are held back, except for probes.
    pub(crate) fn is_open(&self) -> bool {
        self.state().open_until.is_some()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn close(&self) {
        let mut state = self.state();
        *state = State { failures: 0, pause: self.first_pause, open_until: None, probing: false };
    }

    fn fail(&self, now: Instant, probe: bool, at_once: bool) {
        let mut state = self.state();
        state.failures += 1;
        if probe {
            state.probing = false;
            state.pause = self.longest_pause.min(state.pause.saturating_mul(2));
        }
        let opens = probe || at_once || state.failures >= FAILURES;
        if opens && (probe || state.open_until.is_none()) {
            state.open_until = Some(now + state.pause);
        }
    }
}

impl Permit<'_> {
    /// Says that the server answered. A call that began before the breaker opened closes it as well.
    pub(crate) fn succeed(mut self) {
        self.settled = true;
        self.breaker.close();
    }

    /// Says that the call failed. `at_once` opens the breaker whatever came before.
    pub(crate) fn fail(mut self, now: Instant, at_once: bool) {
        self.settled = true;
        self.breaker.fail(now, self.probe, at_once);
    }

    /// Tells if the breaker was opened by other calls meanwhile, so that it is no use to try this one again.
    pub(crate) fn is_void(&self) -> bool {
        !self.probe && self.breaker.is_open()
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe && !self.settled {
            self.breaker.state().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::new(5 * SECOND, 60 * SECOND);
        for _ in 0..FAILURES {
            assert!(!breaker.is_open());
            breaker.admit(now).unwrap().fail(now, false);
        }
        assert!(breaker.is_open());
        breaker
    }

    #[test]
    fn successes_between_failures_keep_it_closed() {
        let (breaker, now) = (Breaker::new(SECOND, SECOND), Instant::now());
        for _ in 0..3 {
            breaker.admit(now).unwrap().fail(now, false);
            breaker.admit(now).unwrap().fail(now, false);
            breaker.admit(now).unwrap().succeed();
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn refused_credentials_open_it_at_once() {
        let (breaker, now) = (Breaker::new(SECOND, SECOND), Instant::now());
        breaker.admit(now).unwrap().fail(now, true);
        assert!(breaker.admit(now).is_none());
    }

    #[test]
    fn one_probe_is_let_through_after_the_pause() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(breaker.admit(now + 4 * SECOND).is_none());
        let probe = breaker.admit(now + 5 * SECOND).unwrap();
        assert!(breaker.admit(now + 5 * SECOND).is_none(), "only one probe");
        probe.succeed();
        assert!(!breaker.is_open());
        assert!(breaker.admit(now).is_some());
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_start_over() {
        let mut now = Instant::now();
        let breaker = opened(now);
        let mut pause = 5 * SECOND;
        for doubled in [10, 20, 40, 60, 60] {
            now += pause;
            breaker.admit(now).unwrap().fail(now, false);
            pause = doubled * SECOND;
            assert!(breaker.admit(now + pause - Duration::from_millis(1)).is_none());
        }
        breaker.admit(now + pause).unwrap().succeed();
        breaker.admit(now).unwrap().fail(now, true);
        assert!(breaker.admit(now + 5 * SECOND).is_some());
    }

    #[test]
    fn a_cancelled_probe_makes_room_for_another() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + 5 * SECOND;
        drop(breaker.admit(later).unwrap());
        assert!(breaker.admit(later).is_some());
    }

    #[test]
    fn late_failures_do_not_lengthen_the_pause() {
        let now = Instant::now();
        let breaker = Breaker::new(5 * SECOND, 60 * SECOND);
        let late: Vec<Permit<'_>> = (0..10).map(|_| breaker.admit(now).unwrap()).collect();
        for permit in late {
            permit.fail(now + SECOND, false);
        }
        assert!(breaker.admit(now + 6 * SECOND).is_some());
    }
}
