//! Whether there is room left.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::disk::DiskStore;

/// With less than this left, in bytes, a file system counts as full: it gives out whole blocks only,
/// and keeps some for itself.
const LITTLE: u64 = 64 << 10;

/// Whether the operating system refused because there is no room: the file system is full, or the
/// user's share of it.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
        || matches!(Errno::from_io_error(error), Some(Errno::NOSPC | Errno::DQUOT))
}

impl DiskStore {
    /// Whether the file system of the store is full. Commands write there, and one that finds it full
    /// may fail in any way: a write to a mapped file is a signal and no error.
    pub fn has_no_room(&self) -> bool {
        has_no_room(self.root())
    }
}

fn has_no_room(folder: &Path) -> bool {
    let Ok(stat) = rustix::fs::statvfs(folder) else { return false };
    // Some blocks are for root alone.
    let is_root = rustix::process::geteuid().is_root();
    let blocks = if is_root { stat.f_bfree } else { stat.f_bavail };
    let files = if is_root { stat.f_ffree } else { stat.f_favail };
    // File systems without a fixed number of files say that they have none at all.
    blocks.saturating_mul(stat.f_frsize) < LITTLE || stat.f_files > 0 && files == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_for_want_of_room_are_known() {
        let check = |errno: Errno, expect: bool| {
            assert_eq!(is_full(&io::Error::from(errno)), expect, "{errno}");
        };
        check(Errno::NOSPC, true);
        check(Errno::DQUOT, true);
        check(Errno::IO, false);
        assert!(is_full(&io::ErrorKind::StorageFull.into()));
    }

    #[test]
    fn a_file_system_with_room_is_not_full() {
        assert!(!has_no_room(&std::env::temp_dir()));
        assert!(!has_no_room(Path::new("/nowhere")));
        // It has no blocks at all.
        assert!(has_no_room(Path::new("/proc")) || has_no_room(Path::new("/sys")));
    }
}
