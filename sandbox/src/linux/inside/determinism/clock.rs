//! Keeps the time of a thread. It begins at the same moment in every run, and advances whenever the
//! thread reads it, and by the time that the thread sleeps.
//!
//! So the times that a program reads depend only on what the program does, and a program that waits
//! for a time still comes to an end. This file does not know which call reads or waits.

/// The clock advances by this much whenever it is read. It is little, but enough for a program that
/// waits for a time by reading the clock to come to an end soon.
const STEP: u64 = 50_000;

/// The first value of the clocks that count from the machine's start, in nanoseconds. It is small,
/// so that a moment in this time has already passed on the machine's own clock, and nobody sleeps
/// until then.
pub(super) const START: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// The number of nanoseconds since the command's start.
    passed: u64,
}

impl Clock {
    /// Reads the clock that counts nanoseconds since the machine's start.
    pub(super) fn look(&mut self) -> u64 {
        self.advance(STEP);
        START + self.passed
    }

    /// Reads the clock that counts nanoseconds since 1970.
    pub(super) fn look_at_wall(&mut self, epoch: u64) -> u64 {
        self.advance(STEP);
        epoch.saturating_mul(1_000_000_000).saturating_add(self.passed)
    }

    /// Reads one of the clocks of `clock_gettime(2)`. Returns `None` for a number that is not a
    /// clock.
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
            // This is the CPU time of a process or thread.
            negative if negative < 0 => Some(self.look()),
            _ => None,
        }
    }

    /// Lets the thread sleep until a moment of one of these clocks.
    pub(super) fn sleep_until(&mut self, clock: i32, moment: u64, epoch: u64) {
        if is_wall(clock) {
            let now = self.look_at_wall(epoch);
            self.advance(moment.saturating_sub(now));
        } else {
            self.advance(moment.saturating_sub(START + self.passed));
        }
    }

    /// Returns the nanoseconds that have passed since `before`.
    pub(super) fn since(self, before: Self) -> u64 {
        self.passed.saturating_sub(before.passed)
    }

    /// Lets time pass, because the thread has slept.
    pub(super) fn advance(&mut self, nanoseconds: u64) {
        self.passed = self.passed.saturating_add(nanoseconds).min(i64::MAX as u64 / 2);
    }
}

/// Returns whether a clock counts from 1970.
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
