//! Answers a thread that asks about a file. The answer is the kernel's, except for times, the
//! numbers of inodes and devices, and what depends on the file system, such as the size of a
//! folder.

use std::mem::offset_of;
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::process::Pid;

use super::file::{File, FileArgument, descriptor};
use super::inodes::Inodes;
use super::missing::MissingFiles;
use super::reply::{failed, written};
use crate::linux::sys::files;
use crate::linux::sys::notify::Answer;
use crate::linux::sys::trace::write_memory;

/// Holds what replaces the kernel's answers.
pub(super) struct StatContext<'a> {
    /// The latest time of a file, in seconds since 1970.
    pub epoch: u64,
    pub inodes: &'a mut Inodes,
    pub missing: &'a mut MissingFiles,
}

pub(super) fn fstat(pid: Pid, fd: i32, to: u64, mut facts: StatContext<'_>) -> Answer {
    let Some(file) = descriptor(pid, fd) else { return Answer::Continue };
    let told = files::stat(file.as_fd(), c"", libc::AT_EMPTY_PATH);
    tell(pid, told, to, |stat| facts.mend_stat(stat))
}

/// Holds the arguments of a call that asks about a file by its path.
pub(super) struct Stat {
    pub file: FileArgument,
    pub flags: i32,
    /// The address for the answer.
    pub to: u64,
}

/// Answers `stat`, `lstat` and `newfstatat`.
pub(super) fn stat(pid: Pid, arguments: &Stat, mut facts: StatContext<'_>) -> Answer {
    let &Stat { file, flags, to } = arguments;
    let file = match File::at(pid, file, flags) {
        Ok(file) => file,
        Err(answer) => return answer,
    };
    let told = files::stat(file.base(), file.path(), flags);
    if file.is_closed(told.as_ref().err()) {
        return Answer::Continue;
    }
    facts.missing.note(&file, told.as_ref().err().copied());
    tell(pid, told, to, |stat| facts.mend_stat(stat))
}

/// Answers `statx`, which asks for the fields of `mask`.
pub(super) fn statx(pid: Pid, arguments: &Stat, mask: u32, mut facts: StatContext<'_>) -> Answer {
    let &Stat { file, flags, to } = arguments;
    let file = match File::at(pid, file, flags) {
        Ok(file) => file,
        Err(answer) => return answer,
    };
    let told = files::statx(file.base(), file.path(), flags, mask);
    if file.is_closed(told.as_ref().err()) {
        return Answer::Continue;
    }
    facts.missing.note(&file, told.as_ref().err().copied());
    tell(pid, told, to, |statx| facts.mend_statx(statx))
}

fn tell<const N: usize>(
    pid: Pid,
    told: Result<[u8; N], Errno>,
    to: u64,
    mend: impl FnOnce(&mut [u8; N]),
) -> Answer {
    match told {
        Ok(mut told) => {
            mend(&mut told);
            written(write_memory(pid, to, &told), 0)
        }
        Err(error) => failed(error),
    }
}

impl StatContext<'_> {
    fn mend_stat(&mut self, bytes: &mut [u8; files::STAT]) {
        const ACCESS: usize = offset_of!(libc::stat, st_atime);
        let kinds = [TimePolicy::Fixed, TimePolicy::Clamped, TimePolicy::Fixed];
        set_times(&mut bytes[ACCESS..ACCESS + 48], kinds, self.epoch);
        let mut stat = StructBytes(bytes);
        const DEVICE: usize = offset_of!(libc::stat, st_dev);
        const INODE: usize = offset_of!(libc::stat, st_ino);
        let (device, inode) = self.inodes.of(stat.get(DEVICE, 8), stat.get(INODE, 8));
        stat.set(DEVICE, 8, device);
        stat.set(INODE, 8, inode);
        let mode = stat.get(offset_of!(libc::stat, st_mode), 4);
        let size = stat.size(mode, offset_of!(libc::stat, st_size));
        stat.set(offset_of!(libc::stat, st_nlink), size_of::<libc::nlink_t>(), 1);
        stat.set(offset_of!(libc::stat, st_blksize), size_of::<libc::blksize_t>(), BLOCK);
        stat.set(offset_of!(libc::stat, st_blocks), 8, size.div_ceil(512));
    }

    fn mend_statx(&mut self, bytes: &mut [u8; files::STATX]) {
        // The times are those of access, birth, change and modification.
        const ACCESS: usize = offset_of!(libc::statx, stx_atime);
        let kinds = [TimePolicy::Fixed, TimePolicy::Fixed, TimePolicy::Fixed, TimePolicy::Clamped];
        set_times(&mut bytes[ACCESS..ACCESS + 64], kinds, self.epoch);
        let mut statx = StructBytes(bytes);
        const MAJOR: usize = offset_of!(libc::statx, stx_dev_major);
        const MINOR: usize = offset_of!(libc::statx, stx_dev_minor);
        const INODE: usize = offset_of!(libc::statx, stx_ino);
        let device = libc::makedev(statx.get(MAJOR, 4) as u32, statx.get(MINOR, 4) as u32);
        let (device, inode) = self.inodes.of(device, statx.get(INODE, 8));
        statx.set(MAJOR, 4, u64::from(libc::major(device)));
        statx.set(MINOR, 4, u64::from(libc::minor(device)));
        statx.set(INODE, 8, inode);
        let mode = statx.get(offset_of!(libc::statx, stx_mode), 2);
        let size = statx.size(mode, offset_of!(libc::statx, stx_size));
        statx.set(offset_of!(libc::statx, stx_nlink), 4, 1);
        statx.set(offset_of!(libc::statx, stx_blksize), 4, BLOCK);
        statx.set(offset_of!(libc::statx, stx_blocks), 8, size.div_ceil(512));
        // The mask says which fields are set. The file system may set fields after the mount's
        // number, which are cleared.
        const MOUNT: usize = offset_of!(libc::statx, stx_mnt_id);
        statx.set(offset_of!(libc::statx, stx_mask), 4, KNOWN);
        statx.set(offset_of!(libc::statx, stx_attributes), 8, 0);
        statx.set(offset_of!(libc::statx, stx_attributes_mask), 8, 0);
        statx.0[MOUNT..].fill(0);
        statx.set(MOUNT, 8, 1);
    }
}

/// A `statx` has these fields: the basic ones, the birth time and the mount.
const KNOWN: u64 = (libc::STATX_BASIC_STATS | libc::STATX_BTIME | libc::STATX_MNT_ID) as u64;

/// The size of a block and of every folder, whatever the file system says.
const BLOCK: u64 = 4096;

/// Holds a structure of the kernel, and gives access to its numbers by offset and size.
struct StructBytes<'a>(&'a mut [u8]);

impl StructBytes<'_> {
    fn get(&self, at: usize, size: usize) -> u64 {
        let mut number = [0; 8];
        number[..size].copy_from_slice(&self.0[at..at + size]);
        u64::from_le_bytes(number)
    }

    fn set(&mut self, at: usize, size: usize, number: u64) {
        self.0[at..at + size].copy_from_slice(&number.to_le_bytes()[..size]);
    }

    /// Returns the size of the file. For a folder it first sets the size that all folders have.
    fn size(&mut self, mode: u64, at: usize) -> u64 {
        if mode & u64::from(libc::S_IFMT) == u64::from(libc::S_IFDIR) {
            self.set(at, 8, BLOCK);
        }
        self.get(at, 8)
    }
}

/// Says what happens to a time of a file.
#[derive(Clone, Copy)]
enum TimePolicy {
    /// The time becomes the epoch.
    Fixed,
    /// The time becomes the epoch if it is later.
    Clamped,
}

/// Sets times, each of which has 16 bytes: the seconds, and the nanoseconds in 4 or 8 bytes.
fn set_times<const N: usize>(times: &mut [u8], kinds: [TimePolicy; N], epoch: u64) {
    for (time, kind) in times.chunks_exact_mut(16).zip(kinds) {
        let seconds = i64::from_ne_bytes(time[..8].try_into().expect("it is eight bytes"));
        // Times before 1970 are negative.
        let is_later = u64::try_from(seconds).is_ok_and(|seconds| seconds >= epoch);
        if matches!(kind, TimePolicy::Fixed) || is_later {
            time.fill(0);
            time[..8].copy_from_slice(&epoch.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use rustix::fs::CWD;

    use super::*;

    #[test]
    fn the_machine_does_not_show_in_a_file() {
        let [one, other] = ["/usr", "/usr/bin/env"].map(|path| {
            let path = CString::new(path).unwrap();
            let stat = files::stat(CWD, &path, 0).unwrap();
            let statx = files::statx(CWD, &path, 0, libc::STATX_BASIC_STATS).unwrap();
            (stat, statx)
        });
        let (mut inodes, mut missing) = (Inodes::default(), MissingFiles::default());
        let mut facts = StatContext { epoch: 5, inodes: &mut inodes, missing: &mut missing };
        for (number, (mut stat, mut statx)) in [one, other].into_iter().enumerate() {
            facts.mend_stat(&mut stat);
            facts.mend_statx(&mut statx);
            let (stat, statx) = (StructBytes(&mut stat), StructBytes(&mut statx));
            assert_eq!(stat.get(offset_of!(libc::stat, st_ino), 8), number as u64 + 1);
            assert_eq!(statx.get(offset_of!(libc::statx, stx_ino), 8), number as u64 + 1);
            assert_eq!(stat.get(offset_of!(libc::stat, st_dev), 8), 1);
            assert_eq!(statx.get(offset_of!(libc::statx, stx_dev_minor), 4), 1);
            assert_eq!(stat.get(offset_of!(libc::stat, st_mtime), 8), 5);
            assert_eq!(statx.get(offset_of!(libc::statx, stx_mtime), 8), 5);
            let size = stat.get(offset_of!(libc::stat, st_size), 8);
            assert_eq!(size == BLOCK, number == 0, "{size}");
            assert_eq!(statx.get(offset_of!(libc::statx, stx_size), 8), size);
        }
    }

    #[test]
    fn no_time_of_a_file_is_later_than_the_epoch() {
        let seconds = |time: i64| [time.to_ne_bytes(), 5_i64.to_ne_bytes()].concat();
        let times = |times: [i64; 3]| times.map(seconds).concat();
        let mut mended = times([7, 7, 2000]);
        set_times(&mut mended, [TimePolicy::Fixed, TimePolicy::Clamped, TimePolicy::Clamped], 1000);
        let fixed = [1000_i64.to_ne_bytes(), [0; 8]].concat();
        assert_eq!(mended, [fixed.clone(), seconds(7), fixed].concat());
        let mut old = times([-1, -1, -1]);
        set_times(&mut old, [TimePolicy::Clamped; 3], 1000);
        assert_eq!(old, times([-1, -1, -1]));
    }
}
