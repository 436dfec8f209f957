//! The stat of a file, and the rule that decides if it proves that the file's content is unchanged.
//!
//! A file whose size, times and inode are the same as when it was hashed has the same content,
//! with one exception: a write in the same tick of the file system's clock as the hashing may change none of
//! them. So a stat is remembered only if it is clearly older than the moment at which
//! reading began. That moment is read from the clock that stamps the file and not from the clock of this process (see
//! [`clock`](crate::clock)), so clocks that differ between machines or mounts do no harm, and coarse ticks don't either:
//! two stamps of one clock are rounded alike, so if they differ, the clock has ticked between them.
//!
//! Both times of a file count. `touch`, `tar` and `rsync` can set the modification time back, but not the change time;
//! yet some file systems have only one of the two.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// The longest tick that a file system's clock is expected to have, in nanoseconds (twice that of Linux at 100 Hz).
pub(crate) const TICK: i64 = 20_000_000;

/// The coarsest unit of time stamps of any file system (FAT), in nanoseconds.
pub(crate) const COARSEST: i64 = 2_000_000_000;

const SECOND: i64 = 1_000_000_000;

/// The size, times and inode of a file. At least one of them changes when the content does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) ctime: i64,
    pub(crate) inode: u64,
}

impl Stat {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            mtime: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// Tells if this stat will show every later change of the file, whose reading began at `moment`.
    pub(crate) const fn is_settled(&self, moment: Moment) -> bool {
        // The client of a network file system may show a finer time for a new file than the server will keep.
        let is_coarse = self.mtime % SECOND == 0 && self.ctime % SECOND == 0;
        let margin = if is_coarse { COARSEST + TICK } else { TICK };
        self.newest() < moment.0.saturating_sub(margin)
    }

    /// Returns the later one of the two times.
    pub(crate) const fn newest(&self) -> i64 {
        if self.mtime > self.ctime { self.mtime } else { self.ctime }
    }
}

/// A time by the clock of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

impl Moment {
    /// A moment before every time stamp, so that no stat counts as settled.
    pub(crate) const NEVER: Self = Self(i64::MIN);
}

/// Adds up a time in nanoseconds. A time out of range becomes the nearest one in range, which is enough because times
/// are only compared.
const fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_older_than_a_tick_is_settled() {
        let check = |mtime: i64, ctime: i64, now: i64, expect: bool| {
            let stat = Stat { size: 1, mtime, ctime, inode: 1 };
            assert_eq!(stat.is_settled(Moment(now)), expect, "{mtime} {ctime} {now}");
        };
        check(0, 1, TICK + 2, true);
        check(0, 1, TICK + 1, false);
        check(0, 5, TICK + 1, false);
        check(5, 0, TICK + 1, false);
        check(i64::MAX, 0, TICK, false);
        check(0, 0, i64::MIN, false);
        check(i64::MIN, i64::MIN, i64::MIN, false);
    }

    #[test]
    fn stamps_of_whole_seconds_have_to_be_older_than_the_coarsest_tick() {
        let check = |mtime: i64, ctime: i64, age: i64, expect: bool| {
            let stat = Stat { size: 1, mtime, ctime, inode: 1 };
            let newest = mtime.max(ctime);
            assert_eq!(stat.is_settled(Moment(newest + age)), expect, "{mtime} {ctime} {age}");
        };
        check(SECOND, 5 * SECOND, COARSEST + TICK, false);
        check(SECOND, 5 * SECOND, COARSEST + TICK + 1, true);
        // `touch -d` and `tar` leave whole seconds in one of them only.
        check(SECOND, 5 * SECOND + 1, TICK + 1, true);
        check(5 * SECOND + 1, SECOND, TICK + 1, true);
    }
}
