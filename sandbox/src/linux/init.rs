//! The life of process number 1 while the command runs: wait for its end, bury orphans, watch over
//! time and memory.
//!
//! Where there is no control group for the command ([`groups`](super::groups)), as few users may create
//! one, this process adds up what the others use ([`memory`](super::memory)).

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use super::memory::{Members, Use, Watch};
use super::step::{At, Failure, Step};
use super::sys;
use super::tracer::Tracer;
use super::wire::Report;

/// How often memory is looked at.
const MEMORY_INTERVAL: Duration = Duration::from_millis(50);

/// What process 1 enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub memory: Option<u64>,
    pub timeout: Option<Duration>,
}

/// Which processes are those of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All that there are in this process namespace, of which this process is number 1.
    Namespace,
    /// Those that are traced.
    Traced,
}

/// Waits for the end of `program` or of what it is allowed, and then for that of all other
/// processes. There is nothing to report if this process was told to end. Returns what a traced
/// command has looked for and not found, too.
pub(super) fn wait(
    program: Pid,
    bounds: Bounds,
    tracer: Option<Tracer>,
    reach: Reach,
) -> (Option<Report>, Vec<u8>) {
    let mut children = Children { program, tracer, reach };
    let report = match bounds {
        Bounds { memory: None, timeout: None } if children.tracer.is_none() => loop {
            if let Next::Ended(status) = children.next(0) {
                break Some(Report::Ended(status));
            }
        },
        _ => wait_bounded(&mut children, bounds)
            .unwrap_or_else(|failure| Some(Report::Failed(failure))),
    };
    children.end_all();
    (report, children.tracer.map(Tracer::into_missing).unwrap_or_default())
}

/// All processes of the command: those that this one has inherited, and those that it traces.
struct Children {
    program: Pid,
    tracer: Option<Tracer>,
    reach: Reach,
}

/// What has happened to a child.
enum Next {
    /// Nothing.
    Nothing,
    /// Something that has been dealt with.
    Something,
    /// The program has ended, with this wait status.
    Ended(i32),
}

impl Children {
    /// Deals with one event, waiting for it unless `options` has `WNOHANG`.
    fn next(&mut self, options: i32) -> Next {
        let Ok(Some((pid, status, _))) = sys::wait4(None, options) else { return Next::Nothing };
        match &mut self.tracer {
            Some(tracer) if libc::WIFSTOPPED(status) => tracer.stopped(pid, status),
            Some(tracer) => tracer.ended(pid),
            None => {}
        }
        let has_ended = pid == self.program && !libc::WIFSTOPPED(status);
        if has_ended { Next::Ended(status) } else { Next::Something }
    }
}

/// How many events of one kind are dealt with before others are looked at.
const EVENTS: usize = 256;

impl Children {
    /// Waits for an event, at most `timeout`, and answers calls that arrive meanwhile. Whether this
    /// process was told to end.
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
                // Which child it was is asked for by `next`.
                return sys::next_signal(signals) == Some(libc::SIGTERM);
            }
            if of_listener == PollFlags::HUP {
                // Nobody is left who could call.
                sys::wait_for_child_signal(Duration::from_millis(1));
                return false;
            }
        }
        false
    }

    /// Kills every other process and buries it, so that what it used is counted.
    fn end_all(&mut self) {
        match self.reach {
            // Once is enough: a process with a deadly signal pending can't start another one.
            Reach::Namespace => sys::kill_all_others(),
            Reach::Traced => self.tracer.iter().for_each(Tracer::kill_all),
        }
        while let Ok(Some((pid, status, _))) = sys::wait4(None, 0) {
            // One that was started before its parent was killed.
            if self.reach == Reach::Traced && libc::WIFSTOPPED(status) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Members for Children {
    fn has(&self, process: &CStr) -> bool {
        let number = process.to_str().ok().and_then(|name| name.parse::<i32>().ok());
        let Some(pid) = number.and_then(Pid::from_raw) else { return false };
        match self.reach {
            Reach::Namespace => pid != Pid::INIT,
            Reach::Traced => self.tracer.as_ref().is_some_and(|tracer| tracer.has(pid)),
        }
    }

    fn have_namespaces(&self) -> bool {
        self.reach == Reach::Namespace
    }
}

fn wait_bounded(children: &mut Children, bounds: Bounds) -> Result<Option<Report>, Failure> {
    let signals = match children.reach {
        Reach::Namespace => &[libc::SIGCHLD][..],
        Reach::Traced => &[libc::SIGCHLD, libc::SIGTERM],
    };
    sys::set_blocked(signals).at(Step::Limits)?;
    let signals = sys::signals(signals).at(Step::Limits)?;
    let mut watch = bounds.memory.map(Watch::new).transpose()?;
    let deadline = bounds.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let mut is_quiet = false;
        for _ in 0..EVENTS {
            match children.next(libc::WNOHANG) {
                Next::Ended(status) => return Ok(Some(Report::Ended(status))),
                Next::Something => {}
                Next::Nothing => {
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
                Use::TooMuch => return Ok(Some(Report::OutOfMemory)),
                Use::MuchShared => watch.rest(now, 10 * MEMORY_INTERVAL),
                Use::Fine => watch.rest(now, MEMORY_INTERVAL),
            },
            Some(watch) => watch.next.saturating_duration_since(now),
            None => Duration::MAX,
        };
        if is_quiet && children.rest(&signals, pause.min(left)) {
            return Ok(None);
        }
    }
}
