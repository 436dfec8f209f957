//! The marks that every stored file has: its mode, its size, and one fixed modification time. A `stat` that shows these
//! marks tells that nobody has written to the file.
//!
//! The change time is no such mark, because `link` updates it. The marks show every ordinary write. They don't show a
//! write by a program that restores the time; such damage is found when the blob's bytes are read.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{FileType, Mode, Stat, Statx, Timespec, Timestamps, UTIME_NOW};

/// The modification time of every file and folder that an action may see, in seconds since the Unix
/// epoch: 1980-01-02T00:00:00Z. This is a day after the earliest time that a zip archive can hold, so
/// that it is valid there in every time zone.
pub const FIXED_MTIME: i64 = 315_619_200;

/// The mode of every folder of a tree on disk.
pub(crate) const FOLDER_MODE: u32 = 0o755;

/// Returns the mode of a stored file.
pub(crate) fn file_mode(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

/// Gives an open file or folder its mode, then the fixed time. This is the last step before it is published.
pub(crate) fn stamp(file: impl AsFd, mode: u32) -> io::Result<()> {
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    let last_modification = Timespec { tv_sec: FIXED_MTIME, tv_nsec: 0 };
    // The time of the last access is the store's own note: see `last_use`.
    let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    rustix::fs::futimens(&file, &Timestamps { last_access, last_modification })?;
    Ok(())
}

/// The marks of a file as a `stat` or a `statx` shows them.
pub(crate) struct Marks {
    mode: u32,
    size: u64,
    modified: (i64, u64),
}

impl From<&Stat> for Marks {
    fn from(stat: &Stat) -> Self {
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        Self { mode: stat.st_mode, size, modified: (stat.st_mtime, stat.st_mtime_nsec) }
    }
}

impl From<&Statx> for Marks {
    fn from(stat: &Statx) -> Self {
        let modified = (stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec.into());
        Self { mode: stat.stx_mode.into(), size: stat.stx_size, modified }
    }
}

/// Tells if a file has its marks, which means that nobody has written to it, as far as a `stat` can show that.
pub(crate) fn is_intact_file(marks: impl Into<Marks>, size: u64, executable: bool) -> bool {
    let marks = marks.into();
    marks.size == size && marks.has_stamp(FileType::RegularFile, file_mode(executable))
}

/// Tells if a folder has its marks, which means that nobody has added, removed or renamed an entry since it was stamped.
pub(crate) fn is_intact_folder(marks: impl Into<Marks>) -> bool {
    marks.into().has_stamp(FileType::Directory, FOLDER_MODE)
}

impl Marks {
    fn has_stamp(&self, kind: FileType, mode: u32) -> bool {
        FileType::from_raw_mode(self.mode) == kind
            && self.mode & 0o7777 == mode
            && self.modified == (FIXED_MTIME, 0)
    }
}
