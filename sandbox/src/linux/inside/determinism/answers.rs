//! Answers system calls in the kernel's place: those about time, random numbers and files.
//!
//! There are many of these calls (an interpreter looks at a hundred thousand files), and each costs
//! one switch to this process and back. The kernel answers what can't be answered here, in the
//! usual way.

use rustix::process::Pid;

use super::facts::{self, Stat, StatContext};
use super::file::FileArgument;
use super::folders::{Folders, List};
use super::inodes::Inodes;
use super::links::ReadLink;
use super::missing::MissingFiles;
use super::ports::{Bind, Ports};
use super::processes::Open;
use super::reply::{RUSAGE, failed, optional, written};
use super::settings::Settings;
use super::thread::Thread;
use super::time::{SECOND, timespec};
use super::{filesystems, links, processes, scheduling};
use crate::linux::sys::notify::{Answer, Notification};
use crate::linux::sys::trace::write_memory;
use crate::linux::view::machine::MEMORY;

/// The system call filter hands these calls to process 1.
pub(in crate::linux) const NOTIFIED: &[libc::c_long] = &[
    libc::SYS_bind,
    libc::SYS_clock_gettime,
    libc::SYS_connect,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_getcpu,
    libc::SYS_getdents64,
    libc::SYS_getpriority,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettimeofday,
    libc::SYS_ioprio_get,
    libc::SYS_listen,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_readlinkat,
    libc::SYS_sched_getattr,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_sysinfo,
    libc::SYS_times,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];

/// The state that all threads of a command share.
#[derive(Default)]
pub(super) struct SharedState {
    pub inodes: Inodes,
    pub missing: MissingFiles,
    pub ports: Ports,
}

/// A thread that has made a call, and everything that the answer depends on.
pub(super) struct Caller<'a> {
    pub pid: Pid,
    pub thread: &'a mut Thread,
    pub settings: Settings,
    pub folders: &'a mut Folders,
    pub shared: &'a mut SharedState,
}

impl Caller<'_> {
    /// Returns the answer to a call.
    pub(super) fn answer(&mut self, notification: &Notification) -> Answer {
        let [first, second, third, fourth, fifth, _] = notification.arguments;
        let (pid, epoch) = (self.pid, self.settings.epoch);
        // Most calls have a file in the first two arguments.
        let file = FileArgument { folder: first as i32, path: second };
        let fd = first as i32;
        match notification.call {
            libc::SYS_getrandom => random(pid, self.thread, first, second),
            libc::SYS_clock_gettime => match self.thread.clock.look_at(first as i32, epoch) {
                Some(time) => written(write_memory(pid, second, &timespec(time)), 0),
                None => Answer::Continue,
            },
            libc::SYS_gettimeofday => self.time_of_day(first, second),
            libc::SYS_times => {
                let now = (self.thread.clock.look() / (SECOND / 100)) as i64;
                written(optional(first, |at| write_memory(pid, at, &[0; 32])), now)
            }
            libc::SYS_getrusage => written(write_memory(pid, second, &[0; RUSAGE]), 0),
            libc::SYS_sysinfo => written(write_memory(pid, first, &sysinfo()), 0),
            libc::SYS_getcpu => {
                let zero = |at| write_memory(pid, at, &[0; 4]);
                written(optional(first, zero).and(optional(second, zero)), 0)
            }
            libc::SYS_openat => self.open(file, third as i32),
            libc::SYS_readlinkat => self.read_link(&ReadLink { file, to: third, size: fourth }),
            libc::SYS_statfs => filesystems::of_path(pid, FileArgument::of_path(first), second),
            libc::SYS_fstatfs => filesystems::of_descriptor(pid, fd, second),
            libc::SYS_bind => {
                let bind = Bind { fd, address: second, length: third };
                self.shared.ports.bind(pid, self.thread, &bind)
            }
            libc::SYS_connect | libc::SYS_listen | libc::SYS_sendto => {
                self.shared.ports.use_of(pid, self.thread, fd)
            }
            libc::SYS_getpriority => scheduling::NICE,
            libc::SYS_sched_getscheduler | libc::SYS_ioprio_get => scheduling::ORDINARY,
            libc::SYS_sched_getparam => scheduling::parameter(pid, second),
            libc::SYS_sched_getattr => scheduling::attributes(pid, second, third),
            libc::SYS_faccessat | libc::SYS_faccessat2 => self.access(file),
            libc::SYS_fstat => facts::fstat(pid, fd, second, self.facts()),
            libc::SYS_newfstatat => self.stat(&Stat { file, flags: fourth as i32, to: third }),
            libc::SYS_statx => {
                let stat = Stat { file, flags: third as i32, to: fifth };
                facts::statx(pid, &stat, fourth as u32, self.facts())
            }
            libc::SYS_getdents64 => self.list(&List { fd, room: third as usize }, second),
            call => self.legacy_call(call, [first, second, third]),
        }
    }

    fn facts(&mut self) -> StatContext<'_> {
        let SharedState { inodes, missing, .. } = &mut *self.shared;
        StatContext { epoch: self.settings.epoch, inodes, missing }
    }

    fn time_of_day(&mut self, time_at: u64, zone_at: u64) -> Answer {
        let now = self.thread.clock.look_at_wall(self.settings.epoch);
        let time = [(now / SECOND).to_ne_bytes(), (now % SECOND / 1000).to_ne_bytes()].concat();
        let zone = optional(zone_at, |at| write_memory(self.pid, at, &[0; 8]));
        written(optional(time_at, |at| write_memory(self.pid, at, &time)).and(zone), 0)
    }

    /// Answers a thread that opens a file.
    fn open(&mut self, file: FileArgument, flags: i32) -> Answer {
        let SharedState { inodes, missing, .. } = &mut *self.shared;
        if flags & libc::O_CREAT == 0 {
            missing.look(self.pid, file);
        }
        if flags & (libc::O_PATH | libc::O_DIRECTORY | libc::O_ACCMODE) != 0 {
            return Answer::Continue;
        }
        let is_closed_on_exec = flags & libc::O_CLOEXEC != 0;
        let open = Open { file, is_closed_on_exec, cpus: self.settings.cpus };
        processes::open(self.pid, &open, inodes)
    }

    fn read_link(&mut self, arguments: &ReadLink) -> Answer {
        links::read(self.pid, arguments, &mut self.shared.inodes)
    }

    fn access(&mut self, file: FileArgument) -> Answer {
        self.shared.missing.look(self.pid, file);
        Answer::Continue
    }

    fn stat(&mut self, arguments: &Stat) -> Answer {
        facts::stat(self.pid, arguments, self.facts())
    }

    /// Answers a thread that lists a folder; the entries are written to the address `to`.
    fn list(&mut self, arguments: &List, to: u64) -> Answer {
        let inodes = &mut self.shared.inodes;
        match self.folders.list(self.pid, self.thread, arguments, inodes) {
            Some(Ok(entries)) => {
                written(write_memory(self.pid, to, &entries), entries.len() as i64)
            }
            Some(Err(error)) => failed(error),
            None => Answer::Continue,
        }
    }

    /// Answers calls that newer architectures don't have.
    #[cfg(target_arch = "x86_64")]
    fn legacy_call(&mut self, call: i64, [first, second, third]: [u64; 3]) -> Answer {
        let file = FileArgument::of_path(first);
        match call {
            libc::SYS_open => self.open(file, second as i32),
            libc::SYS_readlink => self.read_link(&ReadLink { file, to: second, size: third }),
            libc::SYS_access => self.access(file),
            libc::SYS_stat => self.stat(&Stat { file, flags: 0, to: second }),
            libc::SYS_lstat => {
                self.stat(&Stat { file, flags: libc::AT_SYMLINK_NOFOLLOW, to: second })
            }
            libc::SYS_time => {
                let now = self.thread.clock.look_at_wall(self.settings.epoch) / SECOND;
                let write = |at| write_memory(self.pid, at, &now.to_ne_bytes());
                written(optional(first, write), now as i64)
            }
            _ => Answer::Continue,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn legacy_call(&mut self, _: i64, _: [u64; 3]) -> Answer {
        Answer::Continue
    }
}

/// A longer request gets this many random bytes, and the thread asks again. The kernel does the
/// same.
const MOST_RANDOM: u64 = 1 << 20;

fn random(pid: Pid, thread: &mut Thread, at: u64, length: u64) -> Answer {
    let length = length.min(MOST_RANDOM);
    let mut bytes = vec![0; length as usize];
    thread.fill(&mut bytes);
    match bytes.is_empty() {
        true => Answer::Result(0),
        false => written(write_memory(pid, at, &bytes), length as i64),
    }
}

fn sysinfo() -> [u8; 112] {
    let mut bytes = [0; 112];
    // These are the uptime in seconds, the total and the free memory, the processes, and the unit
    // of memory.
    bytes[..8].copy_from_slice(&1_u64.to_ne_bytes());
    bytes[32..40].copy_from_slice(&MEMORY.to_ne_bytes());
    bytes[40..48].copy_from_slice(&(MEMORY / 2).to_ne_bytes());
    bytes[80..82].copy_from_slice(&1_u16.to_ne_bytes());
    bytes[104..108].copy_from_slice(&1_u32.to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_those_of_the_c_library() {
        use std::mem::offset_of;
        assert_eq!(size_of::<libc::rusage>(), RUSAGE);
        assert_eq!(size_of::<libc::sysinfo>(), sysinfo().len());
        assert_eq!(offset_of!(libc::sysinfo, totalram), 32);
        assert_eq!(offset_of!(libc::sysinfo, freeram), 40);
        assert_eq!(offset_of!(libc::sysinfo, procs), 80);
        assert_eq!(offset_of!(libc::sysinfo, mem_unit), 104);
    }
}
