//! Finds out if the store's file system is full.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::content::ContentStore;

/// A file system with fewer free bytes than this counts as full: it hands out whole blocks only,
/// and keeps some for itself.
const LITTLE: u64 = 64 << 10;

/// Tells if the operating system refused an operation because the file system is full, or because the user's quota is
/// used up.
#[must_use]
pub fn is_out_of_space(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
        || matches!(Errno::from_io_error(error), Some(Errno::NOSPC | Errno::DQUOT))
}

impl ContentStore {
    /// Tells if the file system of the store is full. Commands write there, and one that finds it full
    /// may fail in any way: it may be killed by a signal when it writes to a mapped file.
    pub fn is_out_of_space(&self) -> bool {
        is_full(self.root())
    }
}

fn is_full(folder: &Path) -> bool {
    let Ok(stat) = rustix::fs::statvfs(folder) else { return false };
    // Some blocks are for root alone.
    let is_root = rustix::process::geteuid().is_root();
    let blocks = if is_root { stat.f_bfree } else { stat.f_bavail };
    let files = if is_root { stat.f_ffree } else { stat.f_favail };
    // A file system without a fixed number of inodes reports zero inodes in all.
    blocks.saturating_mul(stat.f_frsize) < LITTLE || stat.f_files > 0 && files == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_for_want_of_room_are_known() {
        let check = |errno: Errno, expect: bool| {
            assert_eq!(is_out_of_space(&io::Error::from(errno)), expect, "{errno}");
        };
        check(Errno::NOSPC, true);
        check(Errno::DQUOT, true);
        check(Errno::IO, false);
        assert!(is_out_of_space(&io::ErrorKind::StorageFull.into()));
    }

    #[test]
    fn a_file_system_with_room_is_not_full() {
        assert!(!is_full(&std::env::temp_dir()));
        assert!(!is_full(Path::new("/nowhere")));
        // These file systems have no blocks at all.
        assert!(is_full(Path::new("/proc")) || is_full(Path::new("/sys")));
    }
}
