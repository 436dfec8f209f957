//! The system calls whose answers differ from run to run, and what is answered instead.

use rustix::process::Pid;

use super::thread::Thread;
use super::{Settings, listing};
use crate::linux::sys::trace::{self, Registers, read_memory, write_memory};

/// The calls that the system call filter stops at.
pub(in crate::linux) const TRACED: &[libc::c_long] = &[
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_fstat,
    libc::SYS_getcpu,
    libc::SYS_getdents64,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_sched_getaffinity,
    libc::SYS_statx,
    libc::SYS_sysinfo,
    libc::SYS_times,
    libc::SYS_uname,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];

/// A call whose end is waited for, to mend what it gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// The times in the `stat` at this address.
    Stat(u64),
    /// The times in the `statx` at this address.
    Statx(u64),
    /// The listing at this address.
    List(u64),
    /// The set of CPUs at this address.
    Affinity(u64),
    /// The `utsname` at this address.
    Name(u64),
    /// So many nanoseconds have passed if it ends for that reason.
    Sleep(u64),
}

/// What becomes of a call.
enum Verdict {
    /// It is not made; this is its result.
    Answer(i64),
    /// It is made, and what it gives is mended.
    Mend(Call),
    /// It is made.
    Pass,
}

use Verdict::{Answer, Mend, Pass};

type Result<T> = rustix::io::Result<T>;

/// A thread is about to make one of the calls.
pub(super) fn enter(pid: Pid, thread: &mut Thread, settings: Settings) -> Result<()> {
    let registers = Registers::of(pid)?;
    match verdict(pid, thread, settings, &registers) {
        Answer(result) => {
            registers.answer(pid, result)?;
            trace::resume(pid, 0)
        }
        Mend(call) => {
            thread.call = Some(call);
            trace::resume_to_exit(pid)
        }
        Pass => trace::resume(pid, 0),
    }
}

fn verdict(pid: Pid, thread: &mut Thread, settings: Settings, registers: &Registers) -> Verdict {
    let arguments @ [first, second, third, fourth, fifth, _] = registers.arguments();
    match registers.call() {
        libc::SYS_getrandom => Answer(random(pid, thread, first, second)),
        libc::SYS_clock_gettime => match time(thread, settings, first as i32) {
            Some(time) => Answer(written(write_memory(pid, second, &timespec(time)), 0)),
            None => Pass,
        },
        libc::SYS_gettimeofday => {
            let now = thread.clock.look_at_wall(settings.epoch);
            let time = [(now / SECOND).to_ne_bytes(), (now % SECOND / 1000).to_ne_bytes()].concat();
            let zone = optional(second, |at| write_memory(pid, at, &[0; 8]));
            Answer(written(optional(first, |at| write_memory(pid, at, &time)).and(zone), 0))
        }
        libc::SYS_times => {
            let now = (thread.clock.look() / (SECOND / 100)) as i64;
            Answer(written(optional(first, |at| write_memory(pid, at, &[0; 32])), now))
        }
        libc::SYS_getrusage => Answer(written(write_memory(pid, second, &[0; RUSAGE]), 0)),
        libc::SYS_sysinfo => Answer(written(write_memory(pid, first, &sysinfo()), 0)),
        libc::SYS_getcpu => {
            let zero = |at| write_memory(pid, at, &[0; 4]);
            Answer(written(optional(first, zero).and(optional(second, zero)), 0))
        }
        libc::SYS_fstat => Mend(Call::Stat(second)),
        libc::SYS_newfstatat => Mend(Call::Stat(third)),
        libc::SYS_statx => Mend(Call::Statx(fifth)),
        libc::SYS_getdents64 => Mend(Call::List(second)),
        libc::SYS_sched_getaffinity => Mend(Call::Affinity(third)),
        libc::SYS_uname => Mend(Call::Name(first)),
        libc::SYS_nanosleep => Mend(Call::Sleep(duration(pid, first, 1))),
        libc::SYS_clock_nanosleep => sleep(pid, thread, settings, arguments),
        libc::SYS_epoll_pwait => Mend(Call::Sleep(milliseconds(fourth))),
        libc::SYS_epoll_pwait2 => Mend(Call::Sleep(duration(pid, fourth, 1))),
        libc::SYS_ppoll => Mend(Call::Sleep(duration(pid, third, 1))),
        libc::SYS_pselect6 => Mend(Call::Sleep(duration(pid, fifth, 1))),
        call => old(pid, thread, settings, call, arguments),
    }
}

/// The calls that newer architectures do without.
#[cfg(target_arch = "x86_64")]
fn old(
    pid: Pid,
    thread: &mut Thread,
    settings: Settings,
    call: i64,
    [first, second, third, fourth, fifth, _]: [u64; 6],
) -> Verdict {
    match call {
        libc::SYS_stat | libc::SYS_lstat => Mend(Call::Stat(second)),
        libc::SYS_time => {
            let now = thread.clock.look_at_wall(settings.epoch) / SECOND;
            let place = optional(first, |at| write_memory(pid, at, &now.to_ne_bytes()));
            Answer(written(place, now as i64))
        }
        libc::SYS_epoll_wait => Mend(Call::Sleep(milliseconds(fourth))),
        libc::SYS_poll => Mend(Call::Sleep(milliseconds(third))),
        libc::SYS_select => Mend(Call::Sleep(duration(pid, fifth, 1000))),
        _ => Pass,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn old(_: Pid, _: &mut Thread, _: Settings, _: i64, _: [u64; 6]) -> Verdict {
    Pass
}

/// A thread has made a call that is to be mended.
pub(super) fn leave(pid: Pid, thread: &mut Thread, settings: Settings, call: Call) -> Result<()> {
    let Ok(result) = usize::try_from(Registers::of(pid)?.result()) else { return Ok(()) };
    match call {
        Call::Stat(at) => mend(pid, at + STAT_TIMES, |times: &mut [u8; 48]| {
            // Access, modification, change.
            let kinds = [Time::Fixed, Time::Clamped, Time::Fixed];
            set_times(times, kinds, settings.epoch);
        }),
        Call::Statx(at) => mend(pid, at + STATX_TIMES, |times: &mut [u8; 64]| {
            // Access, birth, change, modification.
            let kinds = [Time::Fixed, Time::Fixed, Time::Fixed, Time::Clamped];
            set_times(times, kinds, settings.epoch);
        }),
        Call::List(at) => {
            let mut listing = vec![0; result];
            if read_memory(pid, at, &mut listing)? == result
                && let Some(sorted) = listing::sorted(&listing)
            {
                write_memory(pid, at, &sorted)?;
            }
            Ok(())
        }
        Call::Affinity(at) => {
            let mut set = vec![0_u8; result];
            for cpu in (0..settings.cpus as usize).take(8 * result) {
                set[cpu / 8] |= 1 << (cpu % 8);
            }
            write_memory(pid, at, &set)
        }
        Call::Name(at) => {
            write_memory(pid, at + 2 * NAME as u64, &padded::<NAME>(KERNEL))?;
            write_memory(pid, at + 3 * NAME as u64, &padded::<NAME>("#1"))
        }
        Call::Sleep(nanoseconds) => {
            if result == 0 {
                thread.clock.advance(nanoseconds);
            }
            Ok(())
        }
    }
}

const SECOND: u64 = 1_000_000_000;

/// The size of a `rusage`.
const RUSAGE: usize = 144;

/// Where the times begin in a `stat` of 64-bit Linux, and in a `statx`.
const STAT_TIMES: u64 = 72;
const STATX_TIMES: u64 = 64;

/// The size of each text in a `utsname`; the third is the release, the fourth the version.
const NAME: usize = 65;

/// The version of the kernel that programs see: new enough for all of them.
pub(super) const KERNEL: &str = "6.1.0";

/// Bytes of memory that programs see, and half of them free.
pub(super) const MEMORY: u64 = 16 << 30;

/// More random bytes than this are given in several calls, as the kernel does too.
const MOST_RANDOM: u64 = 1 << 20;

fn random(pid: Pid, thread: &mut Thread, at: u64, length: u64) -> i64 {
    let length = length.min(MOST_RANDOM);
    let mut bytes = vec![0; length as usize];
    thread.fill(&mut bytes);
    match bytes.is_empty() {
        true => 0,
        false => written(write_memory(pid, at, &bytes), length as i64),
    }
}

/// What a clock shows in nanoseconds, or `None` for one that there is not.
fn time(thread: &mut Thread, settings: Settings, clock: i32) -> Option<u64> {
    match clock {
        libc::CLOCK_REALTIME
        | libc::CLOCK_REALTIME_COARSE
        | libc::CLOCK_REALTIME_ALARM
        | libc::CLOCK_TAI => Some(thread.clock.look_at_wall(settings.epoch)),
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_BOOTTIME
        | libc::CLOCK_BOOTTIME_ALARM
        | libc::CLOCK_PROCESS_CPUTIME_ID
        | libc::CLOCK_THREAD_CPUTIME_ID => Some(thread.clock.look()),
        // The processor time of some process or thread.
        negative if negative < 0 => Some(thread.clock.look()),
        _ => None,
    }
}

/// `clock_nanosleep`: for a time, or until a moment. The latter has passed long ago for the kernel.
fn sleep(pid: Pid, thread: &mut Thread, settings: Settings, arguments: [u64; 6]) -> Verdict {
    let [clock, flags, time, ..] = arguments;
    let nanoseconds = duration(pid, time, 1);
    if flags as i32 & libc::TIMER_ABSTIME == 0 {
        return Mend(Call::Sleep(nanoseconds));
    }
    match clock as i32 {
        libc::CLOCK_REALTIME | libc::CLOCK_TAI | libc::CLOCK_REALTIME_ALARM => {
            let now = thread.clock.look_at_wall(settings.epoch);
            thread.clock.advance(nanoseconds.saturating_sub(now));
        }
        _ => thread.clock.advance_to(nanoseconds),
    }
    Answer(0)
}

/// The `timespec` at an address in nanoseconds, or with a `unit` of 1000 the `timeval`; 0 if there
/// is none.
fn duration(pid: Pid, at: u64, unit: u64) -> u64 {
    let mut bytes = [0; 16];
    if at == 0 || read_memory(pid, at, &mut bytes) != Ok(bytes.len()) {
        return 0;
    }
    let [seconds, rest] = [0, 8].map(|at| number(&bytes[at..at + 8]));
    seconds.saturating_mul(SECOND).saturating_add(rest.saturating_mul(unit))
}

/// A timeout in milliseconds; a negative one is none.
fn milliseconds(argument: u64) -> u64 {
    u64::try_from(argument as i32).unwrap_or(0) * 1_000_000
}

fn timespec(nanoseconds: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(nanoseconds / SECOND).to_ne_bytes());
    bytes[8..].copy_from_slice(&(nanoseconds % SECOND).to_ne_bytes());
    bytes
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
        let seconds = number(&time[..8]);
        // Before 1970 it is negative.
        let is_later = (seconds as i64) >= 0 && seconds >= epoch;
        if matches!(kind, Time::Fixed) || is_later {
            time.fill(0);
            time[..8].copy_from_slice(&epoch.to_ne_bytes());
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes.try_into().expect("eight bytes are a number"))
}

/// Changes memory of the thread; not if it can't be read, which the call has complained of itself.
fn mend<const N: usize>(pid: Pid, at: u64, change: impl FnOnce(&mut [u8; N])) -> Result<()> {
    let mut bytes = [0; N];
    if read_memory(pid, at, &mut bytes)? < N {
        return Ok(());
    }
    change(&mut bytes);
    write_memory(pid, at, &bytes)
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

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

/// Does something with an address unless it is null.
fn optional(at: u64, write: impl FnOnce(u64) -> Result<()>) -> Result<()> {
    if at == 0 { Ok(()) } else { write(at) }
}

/// The result of a call that has written its answer, or could not.
fn written(done: Result<()>, result: i64) -> i64 {
    if done.is_ok() { result } else { -i64::from(libc::EFAULT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_those_of_the_c_library() {
        use std::mem::offset_of;
        assert_eq!(offset_of!(libc::stat, st_atime), STAT_TIMES as usize);
        assert_eq!(offset_of!(libc::stat, st_mtime), STAT_TIMES as usize + 16);
        assert_eq!(offset_of!(libc::stat, st_ctime), STAT_TIMES as usize + 32);
        assert_eq!(offset_of!(libc::statx, stx_atime), STATX_TIMES as usize);
        assert_eq!(offset_of!(libc::statx, stx_btime), STATX_TIMES as usize + 16);
        assert_eq!(offset_of!(libc::statx, stx_ctime), STATX_TIMES as usize + 32);
        assert_eq!(offset_of!(libc::statx, stx_mtime), STATX_TIMES as usize + 48);
        assert_eq!(size_of::<libc::rusage>(), RUSAGE);
        assert_eq!(size_of::<libc::sysinfo>(), sysinfo().len());
        assert_eq!(offset_of!(libc::sysinfo, totalram), 32);
        assert_eq!(offset_of!(libc::sysinfo, freeram), 40);
        assert_eq!(offset_of!(libc::sysinfo, procs), 80);
        assert_eq!(offset_of!(libc::sysinfo, mem_unit), 104);
        assert_eq!(offset_of!(libc::utsname, release), 2 * NAME);
        assert_eq!(offset_of!(libc::utsname, version), 3 * NAME);
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
