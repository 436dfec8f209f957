//! What a thread gets to know of a file: what the kernel tells, but for times, numbers, and what depends
//! on the file system.
//!
//! This process sees the same files as the thread, so it asks the kernel itself; only what the thread
//! calls its working directory and its descriptors has to be looked up.

use std::ffi::{CStr, CString};
use std::mem::offset_of;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::Pid;

use super::answers::written;
use super::inodes::Inodes;
use super::missing::Missing;
use crate::linux::sys::files;
use crate::linux::sys::notify::Answer;
use crate::linux::sys::trace::{path_at, write_memory};

/// What is told of files instead of the truth.
pub(super) struct Facts<'a> {
    /// Seconds since 1970.
    pub epoch: u64,
    pub inodes: &'a mut Inodes,
    pub missing: &'a mut Missing,
}

pub(super) fn fstat(pid: Pid, fd: i32, to: u64, mut facts: Facts<'_>) -> Answer {
    let Some(file) = descriptor(pid, fd) else { return Answer::Continue };
    let told = files::stat(file.as_fd(), c"", libc::AT_EMPTY_PATH);
    tell(pid, told, to, |stat| facts.mend_stat(stat))
}

/// `place` is a descriptor and the address of a path.
pub(super) fn stat(
    pid: Pid,
    place: (i32, u64),
    flags: i32,
    to: u64,
    mut facts: Facts<'_>,
) -> Answer {
    let file = match File::at(pid, place, flags) {
        Ok(file) => file,
        Err(answer) => return answer,
    };
    let told = files::stat(file.base(), &file.path, flags);
    if file.is_closed(told.as_ref().err()) {
        return Answer::Continue;
    }
    facts.missing.note(&file, told.as_ref().err().copied());
    tell(pid, told, to, |stat| facts.mend_stat(stat))
}

/// `place` is a descriptor and the address of a path.
pub(super) fn statx(
    pid: Pid,
    place: (i32, u64),
    (flags, mask): (i32, u32),
    to: u64,
    mut facts: Facts<'_>,
) -> Answer {
    let file = match File::at(pid, place, flags) {
        Ok(file) => file,
        Err(answer) => return answer,
    };
    let told = files::statx(file.base(), &file.path, (flags, mask));
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
        Err(error) => self::error(error),
    }
}

/// The answer of a call that fails.
pub(super) fn error(error: Errno) -> Answer {
    Answer::Result(-i64::from(error.raw_os_error()))
}

/// A file as a thread names it.
pub(super) struct File {
    /// The folder that the path begins at, if it is not absolute.
    base: Option<OwnedFd>,
    path: CString,
    /// Whether it is something of the thread itself.
    is_own: bool,
}

impl File {
    /// Fails with the answer that the thread gets: an error if this process can't read the path, or the
    /// kernel's answer to the thread itself.
    pub(super) fn at(pid: Pid, (fd, path): (i32, u64), flags: i32) -> Result<Self, Answer> {
        let path = match path {
            0 => CString::default(),
            at => path_at(pid, at).map_err(error)?,
        };
        let text = path.to_bytes();
        if text.starts_with(b"/") {
            let own = own(pid, text, flags & libc::AT_SYMLINK_NOFOLLOW == 0);
            let is_own = own.is_some();
            return Ok(Self { base: None, path: own.unwrap_or(path), is_own });
        }
        if text.is_empty() && flags & libc::AT_EMPTY_PATH == 0 {
            return Err(Answer::Continue);
        }
        let base = match fd {
            libc::AT_FDCWD => opened(&format!("/proc/{}/cwd", pid.as_raw_nonzero())),
            fd => descriptor(pid, fd),
        };
        Ok(Self { base: Some(base.ok_or(Answer::Continue)?), path, is_own: false })
    }

    /// Whether the thread may ask for it where this process may not.
    fn is_closed(&self, error: Option<&Errno>) -> bool {
        self.is_own && matches!(error, Some(&(Errno::ACCESS | Errno::PERM)))
    }

    pub(super) fn path(&self) -> &CStr {
        &self.path
    }

    /// The folder that the path begins at, if it is not absolute.
    pub(super) fn folder(&self) -> Option<&OwnedFd> {
        self.base.as_ref()
    }

    pub(super) fn base(&self) -> BorrowedFd<'_> {
        self.base.as_ref().map_or(CWD, AsFd::as_fd)
    }
}

/// What is called "self" in a path, by the number of the thread. A link at the very end counts if it is
/// followed.
fn own(pid: Pid, path: &[u8], is_followed: bool) -> Option<CString> {
    const NAMES: [(&[u8], &str); 6] = [
        (b"/proc/self", ""),
        (b"/proc/thread-self", ""),
        (b"/dev/fd", "/fd"),
        (b"/dev/stdin", "/fd/0"),
        (b"/dev/stdout", "/fd/1"),
        (b"/dev/stderr", "/fd/2"),
    ];
    let (rest, place) = NAMES.iter().find_map(|(name, place)| {
        let rest = path.strip_prefix(*name)?;
        let is_meant = if rest.is_empty() { is_followed } else { rest.starts_with(b"/") };
        is_meant.then_some((rest, place))
    })?;
    let folder = format!("/proc/{}{place}", pid.as_raw_nonzero());
    CString::new([folder.as_bytes(), rest].concat()).ok()
}

/// The file behind a descriptor of a thread.
pub(super) fn descriptor(pid: Pid, fd: i32) -> Option<OwnedFd> {
    opened(&format!("/proc/{}/fd/{fd}", pid.as_raw_nonzero()))
}

fn opened(path: &str) -> Option<OwnedFd> {
    open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()
}

impl Facts<'_> {
    fn mend_stat(&mut self, bytes: &mut [u8; files::STAT]) {
        const ACCESS: usize = offset_of!(libc::stat, st_atime);
        let kinds = [Time::Fixed, Time::Clamped, Time::Fixed];
        set_times(&mut bytes[ACCESS..ACCESS + 48], kinds, self.epoch);
        let mut stat = Record(bytes);
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
        // Access, birth, change, modification.
        const ACCESS: usize = offset_of!(libc::statx, stx_atime);
        let kinds = [Time::Fixed, Time::Fixed, Time::Fixed, Time::Clamped];
        set_times(&mut bytes[ACCESS..ACCESS + 64], kinds, self.epoch);
        let mut statx = Record(bytes);
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
        // What is known at all, and what the file system knows besides.
        const MOUNT: usize = offset_of!(libc::statx, stx_mnt_id);
        statx.set(offset_of!(libc::statx, stx_mask), 4, KNOWN);
        statx.set(offset_of!(libc::statx, stx_attributes), 8, 0);
        statx.set(offset_of!(libc::statx, stx_attributes_mask), 8, 0);
        statx.0[MOUNT..].fill(0);
        statx.set(MOUNT, 8, 1);
    }
}

/// Which numbers of a `statx` are told: the basic ones, the birth time and the mount.
const KNOWN: u64 = (libc::STATX_BASIC_STATS | libc::STATX_BTIME | libc::STATX_MNT_ID) as u64;

/// The size of a block, and of every folder, whatever its file system says.
const BLOCK: u64 = 4096;

/// A structure of the kernel's, by offset and size of its numbers.
struct Record<'a>(&'a mut [u8]);

impl Record<'_> {
    fn get(&self, at: usize, size: usize) -> u64 {
        let mut number = [0; 8];
        number[..size].copy_from_slice(&self.0[at..at + size]);
        u64::from_le_bytes(number)
    }

    fn set(&mut self, at: usize, size: usize, number: u64) {
        self.0[at..at + size].copy_from_slice(&number.to_le_bytes()[..size]);
    }

    /// The size of the file; that of a folder is made the same everywhere.
    fn size(&mut self, mode: u64, at: usize) -> u64 {
        if mode & u64::from(libc::S_IFMT) == u64::from(libc::S_IFDIR) {
            self.set(at, 8, BLOCK);
        }
        self.get(at, 8)
    }
}

/// What becomes of one of a file's times.
#[derive(Clone, Copy)]
enum Time {
    /// It is the epoch.
    Fixed,
    /// It is the epoch if it is later.
    Clamped,
}

/// Each time is 16 bytes: seconds, and nanoseconds in 4 or 8 bytes.
fn set_times<const N: usize>(times: &mut [u8], kinds: [Time; N], epoch: u64) {
    for (time, kind) in times.chunks_exact_mut(16).zip(kinds) {
        let seconds = i64::from_ne_bytes(time[..8].try_into().expect("it is eight bytes"));
        // Before 1970 it is negative.
        let is_later = u64::try_from(seconds).is_ok_and(|seconds| seconds >= epoch);
        if matches!(kind, Time::Fixed) || is_later {
            time.fill(0);
            time[..8].copy_from_slice(&epoch.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_does_not_show_in_a_file() {
        let [one, other] = ["/usr", "/usr/bin/env"].map(|path| {
            let path = CString::new(path).unwrap();
            let stat = files::stat(CWD, &path, 0).unwrap();
            let statx = files::statx(CWD, &path, (0, libc::STATX_BASIC_STATS)).unwrap();
            (stat, statx)
        });
        let (mut inodes, mut missing) = (Inodes::default(), Missing::default());
        let mut facts = Facts { epoch: 5, inodes: &mut inodes, missing: &mut missing };
        for (number, (mut stat, mut statx)) in [one, other].into_iter().enumerate() {
            facts.mend_stat(&mut stat);
            facts.mend_statx(&mut statx);
            let (stat, statx) = (Record(&mut stat), Record(&mut statx));
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
        set_times(&mut mended, [Time::Fixed, Time::Clamped, Time::Clamped], 1000);
        let fixed = [1000_i64.to_ne_bytes(), [0; 8]].concat();
        assert_eq!(mended, [fixed.clone(), seconds(7), fixed].concat());
        let mut old = times([-1, -1, -1]);
        set_times(&mut old, [Time::Clamped; 3], 1000);
        assert_eq!(old, times([-1, -1, -1]));
    }
}
