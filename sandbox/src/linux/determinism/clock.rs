//! The time of a thread: it goes on with each look at it, and by what the thread has slept.

/// How far the clock goes on with each look: little, but so that who waits for a time by looking at
/// the clock comes to an end soon.
const STEP: u64 = 50_000;

/// Nanoseconds of the clocks that count from the machine's start, at first: early enough that a
/// moment in this time is past in the machine's own, so that nobody sleeps for it.
pub(super) const START: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// Nanoseconds since the command's start.
    passed: u64,
}

impl Clock {
    /// Looks at the clock: nanoseconds since the machine's start.
    pub(super) fn look(&mut self) -> u64 {
        self.advance(STEP);
        START + self.passed
    }

    /// Looks at the clock on the wall: nanoseconds since 1970.
    pub(super) fn look_at_wall(&mut self, epoch: u64) -> u64 {
        self.advance(STEP);
        epoch.saturating_mul(1_000_000_000).saturating_add(self.passed)
    }

    /// Looks at one of the clocks of `clock_gettime(2)`; `None` if there is none of this number.
    pub(super) fn look_at(&mut self, clock: i32, epoch: u64) -> Option<u64> {
        match clock {
            _ if is_wall(clock) => Some(self.look_at_wall(epoch)),
            libc::CLOCK_MONOTONIC
            | libc::CLOCK_MONOTONIC_RAW
            | libc::CLOCK_MONOTONIC_COARSE
            | libc::CLOCK_BOOTTIME
            | libc::CLOCK_BOOTTIME_ALARM
            | libc::CLOCK_PROCESS_CPUTIME_ID
            | libc::CLOCK_THREAD_CPUTIME_ID => Some(self.look()),
            // The processor time of some process or thread.
            negative if negative < 0 => Some(self.look()),
            _ => None,
        }
    }

    /// The thread sleeps until a moment of one of these clocks.
    pub(super) fn sleep_until(&mut self, clock: i32, moment: u64, epoch: u64) {
        if is_wall(clock) {
            let now = self.look_at_wall(epoch);
            self.advance(moment.saturating_sub(now));
        } else {
            self.advance(moment.saturating_sub(START + self.passed));
        }
    }

    /// Nanoseconds that have passed since.
    pub(super) fn since(self, before: Self) -> u64 {
        self.passed.saturating_sub(before.passed)
    }

    /// The thread has slept.
    pub(super) fn advance(&mut self, nanoseconds: u64) {
        self.passed = self.passed.saturating_add(nanoseconds).min(i64::MAX as u64 / 2);
    }
}

/// Whether a clock counts from 1970.
fn is_wall(clock: i32) -> bool {
    [libc::CLOCK_REALTIME, libc::CLOCK_REALTIME_COARSE, libc::CLOCK_REALTIME_ALARM, libc::CLOCK_TAI]
        .contains(&clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes() {
        let mut clock = Clock::default();
        let first = clock.look();
        assert!(clock.look() > first);
        clock.advance(5_000_000_000);
        assert!(clock.look() > first + 5_000_000_000);
        assert_eq!(clock.look_at_wall(10) / 1_000_000_000, 15);
        let later = clock.look() + 1_000_000_000_000;
        clock.sleep_until(libc::CLOCK_MONOTONIC, later, 10);
        assert!(clock.look() > 1_005_000_000_000);
        let now = clock;
        clock.sleep_until(libc::CLOCK_MONOTONIC, 0, 10);
        assert_eq!(clock, now, "never back");
        clock.sleep_until(libc::CLOCK_REALTIME, 5_000_000_000_000, 10);
        assert_eq!(clock.look_at(libc::CLOCK_REALTIME, 10).unwrap() / 1_000_000_000, 5000);
        assert_eq!(clock.look_at(77, 10), None);
        clock.advance(u64::MAX);
        assert!(clock.look_at_wall(u64::MAX) > 0);
    }
}
