//! Hides how long a timer still has to run, which is a matter of the kernel's clock and not of the
//! program's.
//!
//! The layer remembers what each timer was set to. While the kernel says that the timer runs, the
//! answer is that value.

use std::collections::HashMap;

use rustix::io::{Errno, Result};
use rustix::process::Pid;

use crate::linux::sys::trace::{Registers, read_memory, write_memory};

/// Holds what the timers of all processes were last set to.
#[derive(Default)]
pub(super) struct Timers(HashMap<(Pid, Timer), Value>);

/// Identifies a timer of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Timer {
    /// The timer has this kind.
    Interval(u64),
    /// The timer has this number.
    Posix(u64),
    /// The timer has this descriptor.
    File(u64),
}

/// A `timespec` or `timeval` in the program's memory.
type Value = [u8; VALUE];

const VALUE: usize = 16;

/// A call about a timer that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux::inside) struct TimerCall {
    process: Pid,
    timer: Timer,
    told: TimerAnswer,
    /// The value that the call sets the timer to.
    new: Option<Value>,
}

/// Says where a call returns how long the timer would still have run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimerAnswer {
    /// It is written to this address, after the interval. A null address means nowhere.
    At(u64),
    /// It is the result of the call, in seconds.
    Seconds,
}

impl Timers {
    /// Returns the call that a thread of `process` is about to make, if it is about timers.
    pub(super) fn enter(
        pid: Pid,
        process: Pid,
        call: i64,
        arguments: [u64; 6],
    ) -> Result<Option<TimerCall>> {
        let [first, second, third, fourth, ..] = arguments;
        let asked = |timer, told, new| {
            let new = (new != 0).then(|| value_at(pid, new)).transpose()?;
            Ok(Some(TimerCall { process, timer, told: TimerAnswer::At(told), new }))
        };
        match call {
            libc::SYS_getitimer => asked(Timer::Interval(first), second, 0),
            libc::SYS_setitimer => asked(Timer::Interval(first), third, second),
            libc::SYS_timer_gettime => asked(Timer::Posix(first), second, 0),
            libc::SYS_timer_settime => asked(Timer::Posix(first), fourth, third),
            libc::SYS_timerfd_gettime => asked(Timer::File(first), second, 0),
            libc::SYS_timerfd_settime => asked(Timer::File(first), fourth, third),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_alarm => Ok(Some(TimerCall {
                process,
                timer: Timer::Interval(libc::ITIMER_REAL as u64),
                told: TimerAnswer::Seconds,
                new: Some(value(first & 0xffff_ffff)),
            })),
            _ => Ok(None),
        }
    }

    /// Deals with a call that has succeeded with this result.
    pub(super) fn leave(&mut self, pid: Pid, asked: TimerCall, result: usize) -> Result<()> {
        let TimerCall { process, timer, told, new } = asked;
        let was = self.0.get(&(process, timer)).copied().unwrap_or(value(1));
        match told {
            TimerAnswer::At(at) => {
                // The interval comes first.
                let at = at + VALUE as u64;
                if at != VALUE as u64 && value_at_address(pid, at)? != [0; VALUE] {
                    write_memory(pid, at, &was)?;
                }
            }
            TimerAnswer::Seconds if result != 0 => {
                let (seconds, rest) = was.split_at(8);
                let whole = u64::from_ne_bytes(seconds.try_into().expect("it is half of it"));
                let up = u64::from(rest != [0; 8]);
                Registers::of(pid)?.leave_with(pid, (whole + up).max(1) as i64)?;
            }
            TimerAnswer::Seconds => {}
        }
        if let Some(new) = new {
            self.0.insert((process, timer), new);
        }
        Ok(())
    }
}

fn value(seconds: u64) -> Value {
    let mut value = [0; VALUE];
    value[..8].copy_from_slice(&seconds.to_ne_bytes());
    value
}

/// Reads the value of an `itimerspec` or `itimerval`, which follows its interval.
fn value_at(pid: Pid, at: u64) -> Result<Value> {
    value_at_address(pid, at.wrapping_add(VALUE as u64))
}

fn value_at_address(pid: Pid, at: u64) -> Result<Value> {
    let mut value = [0; VALUE];
    match read_memory(pid, at, &mut value)? {
        VALUE => Ok(value),
        _ => Err(Errno::FAULT),
    }
}
