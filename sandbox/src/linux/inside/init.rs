//! Does what process 1 does while the command runs: it waits for the program and for orphans, serves the
//! tracer if there is one, and enforces the limits on time and memory.
//!
//! If the command has no control group, which few users may create, this process adds up what the
//! others use ([`memory`](super::memory)).

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use super::memory::{MemoryUse, MemoryWatch, ProcessSet};
use super::tracer::Tracer;
use crate::linux::sys;
use crate::linux::wire::plan::InitLimits;
use crate::linux::wire::report::Report;
use crate::linux::wire::step::{AtStep, Failure, Step};

/// Memory is measured at this interval.
const MEMORY_INTERVAL: Duration = Duration::from_millis(50);

/// Says which processes belong to the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommandProcesses {
    /// All processes of this process namespace belong to it; this process is number 1 there.
    Namespace,
    /// All processes that are traced belong to it.
    Traced,
}

/// Waits until `program` ends or exceeds a limit. Then kills all other processes of the command and waits for them.
/// Returns no report if this process was told to end. Also returns the files that a traced command
/// looked for and did not find.
pub(super) fn wait(
    program: Pid,
    bounds: InitLimits,
    tracer: Option<Tracer>,
    processes: CommandProcesses,
) -> (Option<Report>, Vec<u8>) {
    let mut children = CommandTree { program, tracer, processes };
    let report = match bounds {
        InitLimits { memory: None, timeout: None } if children.tracer.is_none() => loop {
            if let ChildEvent::Ended(status) = children.next(0) {
                break Some(Report::Ended(status));
            }
        },
        _ => wait_bounded(&mut children, bounds)
            .unwrap_or_else(|failure| Some(Report::Failed(failure))),
    };
    children.end_all();
    (report, children.tracer.map(Tracer::into_missing).unwrap_or_default())
}

/// Holds the processes of the command: those that this process is the parent of, and those that it
/// traces.
struct CommandTree {
    program: Pid,
    tracer: Option<Tracer>,
    processes: CommandProcesses,
}

/// Says what has happened to a child.
enum ChildEvent {
    /// Nothing has happened.
    Nothing,
    /// Something happened and was dealt with.
    Something,
    /// The program has ended, with this wait status.
    Ended(i32),
}

impl CommandTree {
    /// Deals with one event. Waits for one unless `options` has `WNOHANG`.
    fn next(&mut self, options: i32) -> ChildEvent {
        let Ok(Some((pid, status, _))) = sys::wait4(None, options) else {
            return ChildEvent::Nothing;
        };
        match &mut self.tracer {
            Some(tracer) if libc::WIFSTOPPED(status) => tracer.stopped(pid, status),
            Some(tracer) => tracer.ended(pid),
            None => {}
        }
        let has_ended = pid == self.program && !libc::WIFSTOPPED(status);
        if has_ended { ChildEvent::Ended(status) } else { ChildEvent::Something }
    }
}

/// At most this many events of one kind are dealt with before others are looked at.
const EVENTS: usize = 256;

impl CommandTree {
    /// Waits for an event, but no longer than `timeout`, and answers calls that arrive in the
    /// meantime. Returns whether this process was told to end.
    fn rest(&mut self, signals: &OwnedFd, timeout: Duration) -> bool {
        let Some(tracer) = &mut self.tracer else {
            sys::wait_for_child_signal(timeout);
            return false;
        };
        let timeout = Timespec::try_from(timeout).ok();
        let listener = tracer.listener();
        for _ in 0..EVENTS {
            let mut events = vec![PollFd::new(signals, PollFlags::IN)];
            events.extend(listener.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
            if !matches!(poll(&mut events, timeout.as_ref()), Ok(1..)) {
                return false;
            }
            let of_listener = events.get(1).map_or(PollFlags::empty(), PollFd::revents);
            if of_listener.contains(PollFlags::IN) {
                tracer.answer();
            }
            if !events[0].revents().is_empty() {
                // `next` finds out which child it was.
                return sys::next_signal(signals) == Some(libc::SIGTERM);
            }
            if of_listener == PollFlags::HUP {
                // No process is left that could make a call.
                sys::wait_for_child_signal(Duration::from_millis(1));
                return false;
            }
        }
        false
    }

    /// Kills every other process and waits for it, so that what it has used is counted.
    fn end_all(&mut self) {
        match self.processes {
            // Doing this once is enough: a process that is about to be killed can't start another
            // one.
            CommandProcesses::Namespace => sys::kill_all_others(),
            CommandProcesses::Traced => self.tracer.iter().for_each(Tracer::kill_all),
        }
        while let Ok(Some((pid, status, _))) = sys::wait4(None, 0) {
            // This process was started before its parent was killed.
            if self.processes == CommandProcesses::Traced && libc::WIFSTOPPED(status) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl ProcessSet for CommandTree {
    fn has(&self, process: &CStr) -> bool {
        let number = process.to_str().ok().and_then(|name| name.parse::<i32>().ok());
        let Some(pid) = number.and_then(Pid::from_raw) else { return false };
        match self.processes {
            CommandProcesses::Namespace => pid != Pid::INIT,
            CommandProcesses::Traced => self.tracer.as_ref().is_some_and(|tracer| tracer.has(pid)),
        }
    }

    fn have_namespaces(&self) -> bool {
        self.processes == CommandProcesses::Namespace
    }
}

fn wait_bounded(children: &mut CommandTree, bounds: InitLimits) -> Result<Option<Report>, Failure> {
    let signals = match children.processes {
        CommandProcesses::Namespace => &[libc::SIGCHLD][..],
        CommandProcesses::Traced => &[libc::SIGCHLD, libc::SIGTERM],
    };
    sys::set_blocked(signals).at(Step::Limits)?;
    let signals = sys::signals(signals).at(Step::Limits)?;
    let mut watch = bounds.memory.map(MemoryWatch::new).transpose()?;
    let deadline = bounds.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let mut is_quiet = false;
        for _ in 0..EVENTS {
            match children.next(libc::WNOHANG) {
                ChildEvent::Ended(status) => return Ok(Some(Report::Ended(status))),
                ChildEvent::Something => {}
                ChildEvent::Nothing => {
                    is_quiet = true;
                    break;
                }
            }
        }
        let now = Instant::now();
        let left = deadline.map_or(Duration::MAX, |end| end.saturating_duration_since(now));
        if left.is_zero() {
            return Ok(Some(Report::TimedOut));
        }
        let pause = match &mut watch {
            Some(watch) if now >= watch.next => match watch.look(children).at(Step::Memory)? {
                MemoryUse::TooMuch => return Ok(Some(Report::OutOfMemory)),
                MemoryUse::MuchShared => watch.rest(now, 10 * MEMORY_INTERVAL),
                MemoryUse::Fine => watch.rest(now, MEMORY_INTERVAL),
            },
            Some(watch) => watch.next.saturating_duration_since(now),
            None => Duration::MAX,
        };
        if is_quiet && children.rest(&signals, pause.min(left)) {
            return Ok(None);
        }
    }
}
