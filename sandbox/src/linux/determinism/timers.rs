//! How long a timer still has to run: by the kernel's clock, which the program does not see.
//!
//! What a timer was set to is remembered, and told again for as long as the kernel says that it runs.

use std::collections::HashMap;

use rustix::io::{Errno, Result};
use rustix::process::Pid;

use crate::linux::sys::trace::{Registers, read_memory, write_memory};

/// What the timers of all processes were last set to.
#[derive(Default)]
pub(super) struct Timers(HashMap<(Pid, Timer), Value>);

/// A timer of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Timer {
    /// By its kind.
    Interval(u64),
    /// By its number.
    Posix(u64),
    /// By its descriptor.
    File(u64),
}

/// A `timespec` or `timeval` as the program has it.
type Value = [u8; VALUE];

const VALUE: usize = 16;

/// A call about a timer that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) struct Asked {
    process: Pid,
    timer: Timer,
    told: Told,
    /// What it is set to.
    new: Option<Value>,
}

/// Where a call tells how long the timer would have run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// At this address, after the interval; nowhere if that is null.
    At(u64),
    /// As its result, in seconds.
    Seconds,
}

impl Timers {
    /// The call that a thread of `process` is about to make, if it is one about timers.
    pub(super) fn enter(
        pid: Pid,
        process: Pid,
        call: i64,
        arguments: [u64; 6],
    ) -> Result<Option<Asked>> {
        let [first, second, third, fourth, ..] = arguments;
        let asked = |timer, told, new| {
            let new = (new != 0).then(|| value_at(pid, new)).transpose()?;
            Ok(Some(Asked { process, timer, told: Told::At(told), new }))
        };
        match call {
            libc::SYS_getitimer => asked(Timer::Interval(first), second, 0),
            libc::SYS_setitimer => asked(Timer::Interval(first), third, second),
            libc::SYS_timer_gettime => asked(Timer::Posix(first), second, 0),
            libc::SYS_timer_settime => asked(Timer::Posix(first), fourth, third),
            libc::SYS_timerfd_gettime => asked(Timer::File(first), second, 0),
            libc::SYS_timerfd_settime => asked(Timer::File(first), fourth, third),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_alarm => Ok(Some(Asked {
                process,
                timer: Timer::Interval(libc::ITIMER_REAL as u64),
                told: Told::Seconds,
                new: Some(value(first & 0xffff_ffff)),
            })),
            _ => Ok(None),
        }
    }

    /// The call has succeeded, with this result.
    pub(super) fn leave(&mut self, pid: Pid, asked: Asked, result: usize) -> Result<()> {
        let Asked { process, timer, told, new } = asked;
        let was = self.0.get(&(process, timer)).copied().unwrap_or(value(1));
        match told {
            Told::At(at) => {
                // The interval comes first.
                let at = at + VALUE as u64;
                if at != VALUE as u64 && value_at_address(pid, at)? != [0; VALUE] {
                    write_memory(pid, at, &was)?;
                }
            }
            Told::Seconds if result != 0 => {
                let (seconds, rest) = was.split_at(8);
                let whole = u64::from_ne_bytes(seconds.try_into().expect("it is half of it"));
                let up = u64::from(rest != [0; 8]);
                Registers::of(pid)?.leave_with(pid, (whole + up).max(1) as i64)?;
            }
            Told::Seconds => {}
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

/// The value of an `itimerspec` or `itimerval`, after its interval.
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
