//! Changes the results of calls that the kernel makes, and lets time pass for calls that wait. The
//! thread stops before and after such a call.

use rustix::io::Errno;
use rustix::process::Pid;

use super::reply::RUSAGE;
use super::settings::Settings;
use super::thread::Thread;
use super::time::{duration, timespec};
use super::timers::{TimerCall, Timers};
use crate::linux::sys::trace::{Registers, hide_use_of_child_at, read_memory, write_memory};
use crate::linux::view::machine::KERNEL;

/// The system call filter stops at these calls.
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

/// A call whose end matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux::inside) enum PendingCall {
    /// The set of CPUs at this address has to be changed.
    Affinity(u64),
    /// The `utsname` at this address has to be changed.
    Name(u64),
    /// This many nanoseconds have passed if the call ends because its time is up.
    Sleep(u64),
    /// The first number of nanoseconds has passed if the call ends because its time is up. If the call was
    /// interrupted, the remaining time is written to this address.
    Rest(u64, u64),
    /// What the call returns about a timer has to be changed.
    Timer(TimerCall),
    /// The `rusage` at this address has to be cleared.
    Usage(u64),
    /// The description of a signal at this address has to be changed.
    Signal(u64),
    /// These bytes have to be restored at this address.
    Kept(u64, [u8; 16]),
}

type Result<T> = rustix::io::Result<T>;

/// Looks at a call that a thread is about to make. Returns it if its end matters.
pub(super) fn enter(
    pid: Pid,
    thread: &mut Thread,
    settings: Settings,
) -> Result<Option<PendingCall>> {
    let registers = Registers::of(pid)?;
    let [first, second, third, fourth, fifth, _] = registers.arguments();
    let sleep = |at, unit| duration(pid, at, unit).map(PendingCall::Sleep);
    let rest = |at, rest| {
        duration(pid, at, 1).map(|time| match rest {
            0 => PendingCall::Sleep(time),
            rest => PendingCall::Rest(time, rest),
        })
    };
    let call = match registers.call() {
        libc::SYS_sched_getaffinity => PendingCall::Affinity(third),
        libc::SYS_uname => PendingCall::Name(first),
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
        libc::SYS_epoll_pwait => PendingCall::Sleep(milliseconds(fourth)),
        libc::SYS_epoll_pwait2 => sleep(fourth, 1)?,
        libc::SYS_ppoll => sleep(third, 1)?,
        libc::SYS_pselect6 => sleep(fifth, 1)?,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => PendingCall::Sleep(milliseconds(fourth)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => PendingCall::Sleep(milliseconds(third)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_select => sleep(fifth, 1000)?,
        libc::SYS_wait4 => PendingCall::Usage(fourth),
        libc::SYS_waitid => PendingCall::Usage(fifth),
        libc::SYS_rt_sigtimedwait => PendingCall::Signal(second),
        libc::SYS_recvmmsg => {
            let mut timeout = [0; 16];
            match read_memory(pid, fifth, &mut timeout)? {
                16 => PendingCall::Kept(fifth, timeout),
                _ => return Err(Errno::FAULT),
            }
        }
        call => {
            let process = thread.process_of(pid).map(|process| process.id);
            let asked = match process {
                Some(process) => Timers::enter(pid, process, call, registers.arguments())?,
                None => None,
            };
            asked.map_or(PendingCall::Sleep(0), PendingCall::Timer)
        }
    };
    Ok((call != PendingCall::Sleep(0)).then_some(call))
}

/// Everything that the change of a result depends on.
pub(super) struct LeaveContext<'a> {
    /// The number of CPUs that programs see.
    pub cpus: u32,
    pub timers: &'a mut Timers,
}

/// Deals with a call that has ended.
pub(super) fn leave(
    pid: Pid,
    thread: &mut Thread,
    call: PendingCall,
    context: LeaveContext<'_>,
) -> Result<()> {
    let result = Registers::of(pid)?.result();
    let Ok(result) = usize::try_from(result) else {
        return match call {
            PendingCall::Rest(nanoseconds, at) if is_interrupted(result) => {
                // How much time has passed depends on the moment. Half of it remains each time, so
                // that a program that sleeps for the rest comes to an end.
                write_memory(pid, at, &timespec(nanoseconds / 2))
            }
            _ => Ok(()),
        };
    };
    match call {
        PendingCall::Timer(asked) => context.timers.leave(pid, asked, result),
        PendingCall::Usage(at) => write_memory(pid, at, &[0; RUSAGE]),
        PendingCall::Signal(at) => hide_use_of_child_at(pid, at),
        PendingCall::Kept(at, value) => write_memory(pid, at, &value),
        PendingCall::Affinity(at) => {
            let mut set = vec![0_u8; result];
            for cpu in (0..context.cpus as usize).take(8 * result) {
                set[cpu / 8] |= 1 << (cpu % 8);
            }
            write_memory(pid, at, &set)
        }
        PendingCall::Name(at) => {
            write_memory(pid, at + 2 * NAME as u64, &padded::<NAME>(KERNEL))?;
            write_memory(pid, at + 3 * NAME as u64, &padded::<NAME>("#1"))
        }
        PendingCall::Sleep(nanoseconds) | PendingCall::Rest(nanoseconds, _) => {
            if result == 0 {
                slept(pid, thread, nanoseconds)?;
            }
            Ok(())
        }
    }
}

/// Returns whether a call was interrupted by a signal and the remaining time was written. The
/// kernel uses numbers of its own for this, which the program does not see.
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

/// The size of each text in a `utsname`. The third text is the release and the fourth is the
/// version.
const NAME: usize = 65;

/// Returns the nanoseconds of a timeout in milliseconds. A negative one is no timeout.
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
