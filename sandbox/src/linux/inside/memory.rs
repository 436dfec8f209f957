//! Measures how much memory a command uses, if it has no control group: it adds up its processes,
//! from `/proc`.
//!
//! It counts pages that belong to no file: private pages, and shared pages, which the kernel keeps
//! as files of a file system of its own (`MAP_SHARED`, `memfd_create`, System V). Files in `/tmp`
//! are counted by their file system. All other files are not counted, mapped or not: they lie on a
//! disk, or don't belong to the command.
//!
//! A first sum is cheap and too high, because it counts a page once for each process that has it.
//! Only if that sum is above the limit, a second and expensive sum counts each page once. Memory
//! that has a descriptor and that nobody has mapped is looked for once a second.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{
    AtFlags, MemfdFlags, Mode, OFlags, RawDir, fstat, memfd_create, open, openat, readlinkat,
    statat, statvfs,
};
use rustix::io::Errno;

use crate::linux::sys;
use crate::linux::wire::step::{AtStep, Failure, Step};

/// Memory that nobody has mapped is looked for at this interval.
const DESCRIPTOR_INTERVAL: Duration = Duration::from_secs(1);

/// Says which processes are measured.
pub(super) trait ProcessSet {
    /// Returns whether the process with this number is one of them.
    fn has(&self, process: &CStr) -> bool;

    /// Returns whether `/tmp` and the System V shared memory that this process sees belong to these
    /// processes alone.
    fn have_namespaces(&self) -> bool;
}

/// Measures the memory of all processes again and again.
pub(super) struct MemoryWatch {
    proc: OwnedFd,
    limit: u64,
    /// The device number of the file system that holds shared memory.
    shared: u64,
    /// The time of the next measurement.
    pub next: Instant,
    /// The size of the memory that descriptors were open for, by inode. `next_open` is the time to
    /// look for it again.
    open: BTreeMap<u64, u64>,
    next_open: Instant,
}

pub(super) enum MemoryUse {
    Fine,
    /// The cheap sum is too high, but only because it counts shared pages several times.
    MuchShared,
    TooMuch,
}

impl MemoryWatch {
    pub(super) fn new(limit: u64) -> Result<Self, Failure> {
        let proc = folder(c"/proc").at(Step::Limits)?;
        let memory = memfd_create(c"shared", MemfdFlags::CLOEXEC).at(Step::Limits)?;
        let shared = fstat(memory).at(Step::Limits)?.st_dev;
        let (next, open) = (Instant::now(), BTreeMap::new());
        Ok(Self { proc, limit, shared, next, open, next_open: next })
    }

    /// Sets the time of the next measurement, and returns the pause.
    pub(super) fn rest(&mut self, now: Instant, pause: Duration) -> Duration {
        self.next = now + pause;
        pause
    }

    /// Measures once. Fails if the use can't be found out, because a limit that is not enforced
    /// would be none.
    pub(super) fn look(&mut self, command: &impl ProcessSet) -> Result<MemoryUse, Errno> {
        let now = Instant::now();
        if now >= self.next_open {
            self.next_open = now + DESCRIPTOR_INTERVAL;
            self.open = self.open_memory(command)?;
        }
        let is_apart = command.have_namespaces();
        let others = if is_apart { files_in_memory() + sys::segments()? } else { 0 };
        let open = |watch: &Self| watch.open.values().sum::<u64>();
        if others + open(self) + self.sum(command, resident)? <= self.limit {
            return Ok(MemoryUse::Fine);
        }
        self.open = self.open_memory(command)?;
        let mapped = self.sum(command, |process| self.proportional(process, is_apart))?;
        match others + open(self) + mapped {
            bytes if bytes > self.limit => Ok(MemoryUse::TooMuch),
            _ => Ok(MemoryUse::MuchShared),
        }
    }

    /// Returns the memory that processes have descriptors for, mapped or not. No list shows
    /// descriptors that are on their way through a socket, nor those of a process that may not be
    /// looked into.
    fn open_memory(&self, command: &impl ProcessSet) -> Result<BTreeMap<u64, u64>, Errno> {
        let mut open = BTreeMap::new();
        let mut look = |process: &OwnedFd| {
            let descriptors = subfolder(process, c"fd")?;
            each_entry(&descriptors, |name| {
                let link = readlinkat(&descriptors, name, Vec::new());
                if link.is_ok_and(|link| link.to_bytes().starts_with(b"/memfd:"))
                    && let Ok(data) = statat(&descriptors, name, AtFlags::empty())
                    && data.st_dev == self.shared
                {
                    open.insert(data.st_ino, data.st_blocks as u64 * 512);
                }
                Ok(true)
            })?;
            Ok(0)
        };
        self.sum(command, |process| match look(process) {
            Err(Errno::ACCESS | Errno::PERM) => Ok(0),
            looked => looked,
        })?;
        Ok(open)
    }

    fn sum(
        &self,
        command: &impl ProcessSet,
        mut of: impl FnMut(&OwnedFd) -> Result<u64, Errno>,
    ) -> Result<u64, Errno> {
        let mut sum = 0;
        each_entry(&self.proc, |name| {
            if command.has(name) {
                sum += match subfolder(&self.proc, name).and_then(|process| of(&process)) {
                    // The process has ended in the meantime.
                    Err(Errno::NOENT | Errno::SRCH) => 0,
                    used => used?,
                };
            }
            Ok(true)
        })?;
        Ok(sum)
    }

    /// Counts the pages that belong to no file. A page that several processes share counts in
    /// parts. If a process may not be looked into, its shared pages count in full.
    fn proportional(&self, process: &OwnedFd, is_apart: bool) -> Result<u64, Errno> {
        let mut buffer = [0; 2048];
        let rollup = match field(process, c"smaps_rollup", &mut buffer) {
            // The first thread of the process has ended, and others have not.
            Ok([]) | Err(Errno::ACCESS | Errno::PERM | Errno::NOENT | Errno::SRCH) => {
                return resident(process);
            }
            Ok(rollup) => rollup,
            Err(error) => return Err(error),
        };
        let private = value(rollup, b"Pss_Anon:").unwrap_or(0);
        let shared = match value(rollup, b"Pss_Shmem:") {
            Some(0) => 0,
            _ => self.shared_memory(process, is_apart)?,
        };
        Ok(private + shared)
    }

    /// Counts the shared pages that a process has mapped, in parts. It leaves out what was counted
    /// by its descriptor, and System V segments if `without_segments` is true.
    fn shared_memory(&self, process: &OwnedFd, without_segments: bool) -> Result<u64, Errno> {
        let file = openat(process, c"smaps", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut lines = BufReader::new(File::from(file));
        let (mut line, mut sum, mut pages, mut is_meant) = (Vec::new(), 0, 0_u64, false);
        loop {
            line.clear();
            let error = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
            if lines.read_until(b'\n', &mut line).map_err(error)? == 0 {
                return Ok(sum + pages);
            }
            if let Some(Mapping { device, inode, path }) = Mapping::begun(&line) {
                sum += std::mem::take(&mut pages);
                is_meant = device == self.shared
                    && !self.open.contains_key(&inode)
                    && !(without_segments && path.starts_with(b"/SYSV"));
            } else if let (true, Some(all)) = (is_meant, value(&line, b"Pss:")) {
                pages = all;
            } else if let (true, Some(copied)) = (is_meant, value(&line, b"Anonymous:")) {
                // The process has made copies of these pages, which are counted as private.
                pages = pages.saturating_sub(copied);
            }
        }
    }
}

/// Counts the pages that belong to no file and those of files in memory, both in full. This is
/// cheap.
fn resident(process: &OwnedFd) -> Result<u64, Errno> {
    if let Some(bytes) = resident_of(process)? {
        return Ok(bytes);
    }
    // Any thread that has not ended shows the memory of its process, and that need not be the first
    // thread.
    let threads = match subfolder(process, c"task") {
        Err(Errno::NOENT | Errno::SRCH) => return Ok(0),
        threads => threads?,
    };
    let mut found = 0;
    each_entry(&threads, |name| {
        let thread = subfolder(&threads, name).and_then(|thread| resident_of(&thread));
        found = match thread {
            Err(Errno::NOENT | Errno::SRCH) => 0,
            bytes => bytes?.unwrap_or(0),
        };
        Ok(found == 0)
    })?;
    Ok(found)
}

/// Counts the same by one thread. Returns `None` if the thread has no memory any more.
fn resident_of(thread: &OwnedFd) -> Result<Option<u64>, Errno> {
    let mut buffer = [0; 4096];
    let status = field(thread, c"status", &mut buffer)?;
    let private = value(status, b"RssAnon:");
    Ok(private.map(|private| private + value(status, b"RssShmem:").unwrap_or(0)))
}

/// Counts the bytes of files in `/tmp` and `/dev/shm`, which are one file system.
fn files_in_memory() -> u64 {
    statvfs(c"/tmp").map_or(0, |tmp| (tmp.f_blocks - tmp.f_bfree) * tmp.f_frsize)
}

/// Calls `of` for each number in a folder of `/proc`, until `of` returns `false`.
fn each_entry(
    folder: &OwnedFd,
    mut of: impl FnMut(&CStr) -> Result<bool, Errno>,
) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listing = openat(folder, c".", flags, Mode::empty())?;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(listing, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_bytes().iter().all(u8::is_ascii_digit) && !of(name)? {
            break;
        }
    }
    Ok(())
}

fn folder(path: &CStr) -> Result<OwnedFd, Errno> {
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn subfolder(folder: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty())
}

/// Reads a small file of `/proc`.
fn field<'a>(process: &OwnedFd, file: &CStr, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let file = openat(process, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let length = rustix::io::read(file.as_fd(), &mut *buffer)?;
    Ok(&buffer[..length])
}

/// Returns the value of a line with this name, which is in KiB, as bytes.
fn value(text: &[u8], name: &[u8]) -> Option<u64> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(name))?;
    Some(number(line)? * 1024)
}

/// Describes what is mapped at some addresses.
#[derive(Debug, PartialEq, Eq)]
struct Mapping<'a> {
    device: u64,
    inode: u64,
    path: &'a [u8],
}

impl<'a> Mapping<'a> {
    /// Parses a line of `smaps` that begins a mapping: it has addresses, permissions, offset,
    /// device, inode and path.
    fn begun(line: &'a [u8]) -> Option<Self> {
        let mut words =
            line.trim_ascii_end().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let addresses = words.next()?;
        if addresses.ends_with(b":") || !addresses.contains(&b'-') {
            return None;
        }
        let device = std::str::from_utf8(words.nth(2)?).ok()?;
        let (major, minor) = device.split_once(':')?;
        let hexadecimal = |text| u32::from_str_radix(text, 16).ok();
        let device = libc::makedev(hexadecimal(major)?, hexadecimal(minor)?);
        let inode = number(words.next()?)?;
        Some(Self { device, inode, path: words.next().unwrap_or_default() })
    }
}

/// Parses the digits in `text` as a number.
fn number(text: &[u8]) -> Option<u64> {
    let mut digits = text.iter().filter(|byte| byte.is_ascii_digit()).peekable();
    digits.peek()?;
    digits.try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_smaps() {
        let check = |line: &str, expect: Option<(u32, u64, &str)>| {
            let expect = expect.map(|(major, inode, path)| Mapping {
                device: libc::makedev(major, 1),
                inode,
                path: path.as_bytes(),
            });
            assert_eq!(Mapping::begun(line.as_bytes()), expect, "{line}");
        };
        check(
            "7f1c00000000-7f1c2bc00000 rw-s 00000000 00:01 1035        /dev/zero (deleted)\n",
            Some((0, 1035, "/dev/zero")),
        );
        check("7f1c-7f1d rw-s 00000000 00:01 3 /SYSV0 (deleted)\n", Some((0, 3, "/SYSV0")));
        check("00400000-00401000 r-xp 00000000 fe:01 4711\n", Some((0xfe, 4711, "")));
        check("Size:             716800 kB\n", None);
        check("VmFlags: rd wr sh mr mw me ms sd\n", None);
    }

    #[test]
    fn what_this_process_uses() {
        let process = folder(c"/proc/self").unwrap();
        let watch = MemoryWatch::new(1).unwrap();
        let all = resident(&process).unwrap();
        let parts = watch.proportional(&process, false).unwrap();
        assert!(parts > 0 && parts <= all + (1 << 20), "{parts} of {all}");
    }
}
