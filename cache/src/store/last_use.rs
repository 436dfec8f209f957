//! Notes when a blob or an entry was used last, so that what was not used for the longest time can be removed first.
//!
//! The time of a file's last access says it. The store sets that time itself, because file systems are often mounted so
//! that reading does not change it, and because most uses only look at a file. A file is touched again only after
//! [`GRANULE`], so most uses change nothing.
//!
//! A tree on disk was used when the blob of its root `Directory` message was. Its folder is not touched, because a change
//! of the folder means that it was exchanged.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

/// The time by which a noted use may be older than the last one.
pub(super) const GRANULE: Duration = Duration::from_secs(600);

/// Returns the time of the last use of a file.
pub(super) fn last_use(stat: &Stat) -> SystemTime {
    let seconds = u64::try_from(stat.st_atime).unwrap_or(0);
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Notes that a file is used now. If that can't be noted, the file may be removed earlier, and nothing else is lost.
pub(super) fn note_use(path: &Path, stat: &Stat) {
    let age = SystemTime::now().duration_since(last_use(stat));
    if age.is_ok_and(|age| age > GRANULE) {
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
            last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        };
        _ = rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW);
    }
}
