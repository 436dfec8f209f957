//! What one `lstat` says about a file, and from when on that can be trusted.
//!
//! A file whose size, times and inode are what they were when it was hashed has the same content,
//! with one exception: a write in the same tick of the file system's clock as the hashing may leave
//! them all alike. So a stat is remembered only if it is clearly older than the moment at which
//! reading began, and that moment is taken from the clock that stamps the file, not from ours (see
//! [`clock`](crate::clock)): no skew between machines or mounts can fool it, and no coarse tick. Two
//! stamps of one clock are rounded alike, so if they differ, the clock has ticked between them.
//!
//! Both times of a file count. The change time can't be set by `touch`, `tar` or `rsync`, which set the
//! other one back; but some file systems have only one of them.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// The coarsest tick of a file system's clock that is expected, in nanoseconds (Linux at 100 Hz,
/// doubled).
pub(crate) const TICK: i64 = 20_000_000;

/// The coarsest stamps that any file system has, in nanoseconds (FAT).
pub(crate) const COARSEST: i64 = 2_000_000_000;

const SECOND: i64 = 1_000_000_000;

/// Size, times and inode of a file: changes whenever the content may have changed.
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

    /// Whether a file with this stat, read after `moment`, can't have been changed since without
    /// the stat showing it.
    pub(crate) const fn is_settled(&self, moment: Moment) -> bool {
        // A client of a network may date what was just written by a finer clock than the server keeps.
        let is_coarse = self.mtime % SECOND == 0 && self.ctime % SECOND == 0;
        let margin = if is_coarse { COARSEST + TICK } else { TICK };
        self.newest() < moment.0.saturating_sub(margin)
    }

    /// The later of its times.
    pub(crate) const fn newest(&self) -> i64 {
        if self.mtime > self.ctime { self.mtime } else { self.ctime }
    }
}

/// A time by the clock of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

impl Moment {
    /// Before every file: nothing counts as settled.
    pub(crate) const NEVER: Self = Self(i64::MIN);
}

/// Times out of range are pinned to its ends: they are only ever compared.
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
