//! What one `lstat` says about a file, and from when on that can be trusted.
//!
//! A file whose size, times and inode are what they were when it was hashed has the same content,
//! with one exception: a write in the same tick of the file system's clock as the hashing may leave
//! them all alike. So a stat is remembered only if it is clearly older than the moment at which
//! reading began, and that moment is taken from the clock that stamps files, not from ours: no skew
//! between machines or mounts can fool it.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The coarsest tick of a file system's clock that is expected, in nanoseconds (Linux at 100 Hz,
/// doubled).
const TICK: i64 = 20_000_000;

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
        let newest = if self.mtime > self.ctime { self.mtime } else { self.ctime };
        newest < moment.0.saturating_sub(TICK)
    }
}

/// A time by the clock of a file system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(i64);

impl Moment {
    /// Before every file: nothing counts as settled.
    pub(crate) const NEVER: Self = Self(i64::MIN);

    /// The present, by the clock of the file system that `folder` is on.
    pub(crate) fn now(folder: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        Ok(Self(Stat::of(&file.metadata()?).ctime))
    }
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
        check(0, 0, TICK + 1, true);
        check(0, 0, TICK, false);
        check(0, 5, TICK + 1, false);
        check(5, 0, TICK + 1, false);
        check(i64::MAX, 0, TICK, false);
        check(0, 0, i64::MIN, false);
    }

    #[test]
    fn the_moment_is_not_before_a_file_made_earlier() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "x").unwrap();
        let stat = Stat::of(&path.symlink_metadata().unwrap());
        let moment = Moment::now(folder.path()).unwrap();
        assert!(stat.ctime <= moment.0);
        assert!(!stat.is_settled(moment), "it was written within the same tick");
    }
}
