//! The time of a thread: it goes on with each look at it, and by what the thread has slept.

/// How far the clock goes on with each look: little, but so that who waits for a time by looking at
/// the clock comes to an end soon.
const STEP: u64 = 50_000;

/// Nanoseconds of the clocks that count from the machine's start, at first: early enough that a
/// moment in this time is past in the machine's own, so that nobody sleeps for it.
const START: u64 = 1_000_000_000;

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

    /// The thread has slept.
    pub(super) fn advance(&mut self, nanoseconds: u64) {
        self.passed = self.passed.saturating_add(nanoseconds).min(i64::MAX as u64 / 2);
    }

    /// The thread has slept until a moment of the first kind of clocks.
    pub(super) fn advance_to(&mut self, moment: u64) {
        self.advance(moment.saturating_sub(START + self.passed));
    }
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
        clock.advance_to(later);
        assert!(clock.look() > 1_005_000_000_000);
        let now = clock;
        clock.advance_to(0);
        assert_eq!(clock, now, "never back");
        clock.advance(u64::MAX);
        assert!(clock.look_at_wall(u64::MAX) > 0);
    }
}
