//! The system calls that are answered in the kernel's place: those of time and chance, and what
//! there is to know of files.
//!
//! They are many (an interpreter asks for a hundred thousand files), so they cost one change to this
//! process and back. What can't be answered here is left to the kernel, which then answers as ever.

use rustix::io::Errno;
use rustix::process::Pid;

use super::Settings;
use super::folders::Folders;
use super::inodes::Inodes;
use super::missing::Missing;
use super::paths::{self, Facts};
use super::ports::Ports;
use super::thread::Thread;
use super::{filesystems, links, processes, scheduling};
use crate::linux::sys::notify::{Answer, Notification};
use crate::linux::sys::trace::{read_memory, write_memory};

/// The calls that the system call filter asks about.
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

type Result<T> = rustix::io::Result<T>;

/// What is remembered of files, for all threads.
#[derive(Default)]
pub(super) struct Seen {
    pub inodes: Inodes,
    pub missing: Missing,
    pub ports: Ports,
}

/// What a thread gets for its call.
pub(super) fn answer(
    pid: Pid,
    thread: &mut Thread,
    (settings, folders, seen): (Settings, &mut Folders, &mut Seen),
    notification: &Notification,
) -> Answer {
    let [first, second, third, fourth, fifth, _] = notification.arguments;
    let epoch = settings.epoch;
    let Seen { inodes, missing, ports } = seen;
    match notification.call {
        libc::SYS_getrandom => random(pid, thread, first, second),
        libc::SYS_clock_gettime => match thread.clock.look_at(first as i32, epoch) {
            Some(time) => written(write_memory(pid, second, &timespec(time)), 0),
            None => Answer::Continue,
        },
        libc::SYS_gettimeofday => {
            let now = thread.clock.look_at_wall(epoch);
            let time = [(now / SECOND).to_ne_bytes(), (now % SECOND / 1000).to_ne_bytes()].concat();
            let zone = optional(second, |at| write_memory(pid, at, &[0; 8]));
            written(optional(first, |at| write_memory(pid, at, &time)).and(zone), 0)
        }
        libc::SYS_times => {
            let now = (thread.clock.look() / (SECOND / 100)) as i64;
            written(optional(first, |at| write_memory(pid, at, &[0; 32])), now)
        }
        libc::SYS_getrusage => written(write_memory(pid, second, &[0; RUSAGE]), 0),
        libc::SYS_sysinfo => written(write_memory(pid, first, &sysinfo()), 0),
        libc::SYS_getcpu => {
            let zero = |at| write_memory(pid, at, &[0; 4]);
            written(optional(first, zero).and(optional(second, zero)), 0)
        }
        libc::SYS_openat => {
            let facts = Facts { epoch, inodes, missing };
            opens(pid, (first as i32, second), third as i32, (settings.cpus, facts))
        }
        libc::SYS_readlinkat => links::read(pid, (first as i32, second), (third, fourth), inodes),
        libc::SYS_statfs => filesystems::of_path(pid, (libc::AT_FDCWD, first), second),
        libc::SYS_fstatfs => filesystems::of_descriptor(pid, first as i32, second),
        libc::SYS_bind => ports.bind(pid, thread, first as i32, (second, third)),
        libc::SYS_connect | libc::SYS_listen | libc::SYS_sendto => {
            ports.use_of(pid, thread, first as i32)
        }
        libc::SYS_getpriority => scheduling::NICE,
        libc::SYS_sched_getscheduler | libc::SYS_ioprio_get => scheduling::ORDINARY,
        libc::SYS_sched_getparam => scheduling::parameter(pid, second),
        libc::SYS_sched_getattr => scheduling::attributes(pid, second, third),
        libc::SYS_faccessat | libc::SYS_faccessat2 => {
            missing.look(pid, (first as i32, second));
            Answer::Continue
        }
        libc::SYS_fstat => {
            paths::fstat(pid, first as i32, second, Facts { epoch, inodes, missing })
        }
        libc::SYS_newfstatat => {
            let place = (first as i32, second);
            paths::stat(pid, place, fourth as i32, third, Facts { epoch, inodes, missing })
        }
        libc::SYS_statx => {
            let flags = (third as i32, fourth as u32);
            paths::statx(
                pid,
                (first as i32, second),
                flags,
                fifth,
                Facts { epoch, inodes, missing },
            )
        }
        libc::SYS_getdents64 => {
            match folders.list(pid, thread, first as i32, (third as usize, inodes)) {
                Some(Ok(entries)) => {
                    written(write_memory(pid, second, &entries), entries.len() as i64)
                }
                Some(Err(error)) => Answer::Result(-i64::from(error.raw_os_error())),
                None => Answer::Continue,
            }
        }
        call => {
            let facts = (settings.cpus, Facts { epoch, inodes, missing });
            old(pid, thread, facts, call, [first, second, third])
        }
    }
}

/// A thread opens a file; `place` is a descriptor and the address of a path.
fn opens(pid: Pid, place: (i32, u64), flags: i32, (cpus, facts): (u32, Facts<'_>)) -> Answer {
    if flags & libc::O_CREAT == 0 {
        facts.missing.look(pid, place);
    }
    if flags & (libc::O_PATH | libc::O_DIRECTORY | libc::O_ACCMODE) != 0 {
        return Answer::Continue;
    }
    processes::open(pid, place, flags & libc::O_CLOEXEC != 0, (cpus, facts.inodes))
}

/// The calls that newer architectures do without.
#[cfg(target_arch = "x86_64")]
fn old(
    pid: Pid,
    thread: &mut Thread,
    (cpus, facts): (u32, Facts<'_>),
    call: i64,
    [first, second, third]: [u64; 3],
) -> Answer {
    const HERE: i32 = libc::AT_FDCWD;
    match call {
        libc::SYS_open => opens(pid, (HERE, first), second as i32, (cpus, facts)),
        libc::SYS_readlink => links::read(pid, (HERE, first), (second, third), facts.inodes),
        libc::SYS_access => {
            facts.missing.look(pid, (HERE, first));
            Answer::Continue
        }
        libc::SYS_stat => paths::stat(pid, (HERE, first), 0, second, facts),
        libc::SYS_lstat => {
            paths::stat(pid, (HERE, first), libc::AT_SYMLINK_NOFOLLOW, second, facts)
        }
        libc::SYS_time => {
            let now = thread.clock.look_at_wall(facts.epoch) / SECOND;
            written(optional(first, |at| write_memory(pid, at, &now.to_ne_bytes())), now as i64)
        }
        _ => Answer::Continue,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn old(_: Pid, _: &mut Thread, _: (u32, Facts<'_>), _: i64, _: [u64; 3]) -> Answer {
    Answer::Continue
}

const SECOND: u64 = 1_000_000_000;

/// The size of a `rusage`.
pub(super) const RUSAGE: usize = 144;

/// The version of the kernel that programs see: new enough for all of them.
pub(super) const KERNEL: &str = "6.1.0";

/// Bytes of memory that programs see, and half of them free.
pub(super) const MEMORY: u64 = 16 << 30;

/// More random bytes than this are given in several calls, as the kernel does too.
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

/// The `timespec` at an address in nanoseconds, or with a `unit` of 1000 the `timeval`; 0 if there
/// is none. Fails if this process can't read it.
pub(super) fn duration(pid: Pid, at: u64, unit: u64) -> Result<u64> {
    let mut bytes = [0; 16];
    if at == 0 {
        return Ok(0);
    }
    if read_memory(pid, at, &mut bytes) != Ok(bytes.len()) {
        return Err(Errno::FAULT);
    }
    let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("it is eight bytes"));
    let (seconds, rest) = (number(&bytes[..8]), number(&bytes[8..]));
    Ok(seconds.saturating_mul(SECOND).saturating_add(rest.saturating_mul(unit)))
}

pub(super) fn timespec(nanoseconds: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(nanoseconds / SECOND).to_ne_bytes());
    bytes[8..].copy_from_slice(&(nanoseconds % SECOND).to_ne_bytes());
    bytes
}

fn sysinfo() -> [u8; 112] {
    let mut bytes = [0; 112];
    // Uptime in seconds, total and free memory, processes, unit of memory.
    bytes[..8].copy_from_slice(&1_u64.to_ne_bytes());
    bytes[32..40].copy_from_slice(&MEMORY.to_ne_bytes());
    bytes[40..48].copy_from_slice(&(MEMORY / 2).to_ne_bytes());
    bytes[80..82].copy_from_slice(&1_u16.to_ne_bytes());
    bytes[104..108].copy_from_slice(&1_u32.to_ne_bytes());
    bytes
}

/// Does something with an address unless it is null.
fn optional(at: u64, write: impl FnOnce(u64) -> Result<()>) -> Result<()> {
    if at == 0 { Ok(()) } else { write(at) }
}

/// The result of a call that has written its answer, or could not.
pub(super) fn written(done: Result<()>, result: i64) -> Answer {
    Answer::Result(if done.is_ok() { result } else { -i64::from(libc::EFAULT) })
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
