//! The calls whose results are mended when they return, or that take time: the thread stops at their
//! beginning and their end.

use rustix::io::Errno;
use rustix::process::Pid;

use super::Settings;
use super::answers::{KERNEL, RUSAGE, duration, timespec};
use super::thread::Thread;
use super::timers::{Asked, Timers};
use crate::linux::sys::trace::{Registers, hide_use_of_child_at, read_memory, write_memory};

/// The calls that the system call filter stops at.
pub(in crate::linux) const TRACED: &[libc::c_long] = &[
    libc::SYS_clock_nanosleep,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_getitimer,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_sched_getaffinity,
    libc::SYS_setitimer,
    libc::SYS_timer_gettime,
    libc::SYS_timer_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    libc::SYS_uname,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_alarm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
];

/// A call whose end is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) enum Call {
    /// The set of CPUs at this address is mended.
    Affinity(u64),
    /// The `utsname` at this address is mended.
    Name(u64),
    /// So many nanoseconds have passed if it ends for that reason.
    Sleep(u64),
    /// The same; and if it was interrupted, what is left is told at this address.
    Rest(u64, u64),
    /// What it tells of a timer is mended.
    Timer(Asked),
    /// The `rusage` at this address is emptied.
    Usage(u64),
    /// What is told of a signal at this address is mended.
    Signal(u64),
    /// What was at this address is there again.
    Kept(u64, [u8; 16]),
}

type Result<T> = rustix::io::Result<T>;

/// A thread is about to make one of the calls; returns it if its end has to be waited for.
pub(super) fn enter(pid: Pid, thread: &mut Thread, settings: Settings) -> Result<Option<Call>> {
    let registers = Registers::of(pid)?;
    let [first, second, third, fourth, fifth, _] = registers.arguments();
    let sleep = |at, unit| duration(pid, at, unit).map(Call::Sleep);
    let rest = |at, rest| {
        duration(pid, at, 1).map(|time| match rest {
            0 => Call::Sleep(time),
            rest => Call::Rest(time, rest),
        })
    };
    let call = match registers.call() {
        libc::SYS_sched_getaffinity => Call::Affinity(third),
        libc::SYS_uname => Call::Name(first),
        libc::SYS_nanosleep => rest(first, second)?,
        libc::SYS_clock_nanosleep if second as i32 & libc::TIMER_ABSTIME == 0 => {
            rest(third, fourth)?
        }
        libc::SYS_clock_nanosleep => {
            let (before, moment) = (thread.clock, duration(pid, third, 1)?);
            thread.clock.sleep_until(first as i32, moment, settings.epoch);
            let nanoseconds = thread.clock.since(before);
            if let Some(clocks) = thread.clocks {
                clocks.advance(pid, nanoseconds)?;
            }
            registers.answer(pid, 0)?;
            return Ok(None);
        }
        libc::SYS_epoll_pwait => Call::Sleep(milliseconds(fourth)),
        libc::SYS_epoll_pwait2 => sleep(fourth, 1)?,
        libc::SYS_ppoll => sleep(third, 1)?,
        libc::SYS_pselect6 => sleep(fifth, 1)?,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => Call::Sleep(milliseconds(fourth)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => Call::Sleep(milliseconds(third)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_select => sleep(fifth, 1000)?,
        libc::SYS_wait4 => Call::Usage(fourth),
        libc::SYS_waitid => Call::Usage(fifth),
        libc::SYS_rt_sigtimedwait => Call::Signal(second),
        libc::SYS_recvmmsg => {
            let mut timeout = [0; 16];
            match read_memory(pid, fifth, &mut timeout)? {
                16 => Call::Kept(fifth, timeout),
                _ => return Err(Errno::FAULT),
            }
        }
        call => {
            let process = thread.process_of(pid).map(|process| process.id);
            let asked = match process {
                Some(process) => Timers::enter(pid, process, call, registers.arguments())?,
                None => None,
            };
            asked.map_or(Call::Sleep(0), Call::Timer)
        }
    };
    Ok((call != Call::Sleep(0)).then_some(call))
}

/// A thread has made a call whose end was waited for.
pub(super) fn leave(
    pid: Pid,
    thread: &mut Thread,
    (settings, timers): (Settings, &mut Timers),
    call: Call,
) -> Result<()> {
    let result = Registers::of(pid)?.result();
    let Ok(result) = usize::try_from(result) else {
        return match call {
            Call::Rest(nanoseconds, at) if is_interrupted(result) => {
                // How much has passed depends on the moment. Half of it each time: whoever sleeps on for the
                // rest comes to an end.
                write_memory(pid, at, &timespec(nanoseconds / 2))
            }
            _ => Ok(()),
        };
    };
    match call {
        Call::Timer(asked) => timers.leave(pid, asked, result),
        Call::Usage(at) => write_memory(pid, at, &[0; RUSAGE]),
        Call::Signal(at) => hide_use_of_child_at(pid, at),
        Call::Kept(at, value) => write_memory(pid, at, &value),
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
        Call::Sleep(nanoseconds) | Call::Rest(nanoseconds, _) => {
            if result == 0 {
                slept(pid, thread, nanoseconds)?;
            }
            Ok(())
        }
    }
}

/// Whether a call has ended for a signal, and its rest has been written. The kernel has numbers of its own for
/// that, which the program does not see.
fn is_interrupted(result: i64) -> bool {
    const RESTART_BLOCK: i64 = 516;
    result == -i64::from(libc::EINTR) || result == -RESTART_BLOCK
}

fn slept(pid: Pid, thread: &mut Thread, nanoseconds: u64) -> Result<()> {
    thread.clock.advance(nanoseconds);
    match thread.clocks {
        Some(clocks) => clocks.advance(pid, nanoseconds),
        None => Ok(()),
    }
}

/// The size of each text in a `utsname`; the third is the release, the fourth the version.
const NAME: usize = 65;

/// A timeout in milliseconds; a negative one is none.
fn milliseconds(argument: u64) -> u64 {
    u64::try_from(argument as i32).unwrap_or(0) * 1_000_000
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_those_of_the_c_library() {
        use std::mem::offset_of;
        assert_eq!(offset_of!(libc::utsname, release), 2 * NAME);
        assert_eq!(offset_of!(libc::utsname, version), 3 * NAME);
    }
}
