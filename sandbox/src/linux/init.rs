//! The life of process number 1 while the command runs: wait for its end, bury orphans, watch over
//! time and memory.
//!
//! There is no memory cgroup to rely on: few users may create one. So this process adds up what the
//! others use, from its own `/proc`, which shows exactly the processes of the command.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, RawDir, open, openat};
use rustix::io::read;
use rustix::param::page_size;
use rustix::process::Pid;

use super::determinism::Tracer;
use super::step::{At, Failure, Step};
use super::sys;
use super::wire::Report;

/// How often memory is looked at.
const MEMORY_INTERVAL: Duration = Duration::from_millis(50);

/// What process 1 enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub memory: Option<u64>,
    pub timeout: Option<Duration>,
}

/// Waits for the end of `program` or of what it is allowed, and then for that of all other
/// processes. Returns what a traced command has looked for and not found, too.
pub(super) fn wait(program: Pid, bounds: Bounds, tracer: Option<Tracer>) -> (Report, Vec<u8>) {
    let mut children = Children { program, tracer };
    let report = match bounds {
        Bounds { memory: None, timeout: None } if children.tracer.is_none() => loop {
            if let Next::Ended(status) = children.next(0) {
                break Report::Ended(status);
            }
        },
        _ => wait_bounded(&mut children, bounds).unwrap_or_else(Report::Failed),
    };
    end_all();
    (report, children.tracer.map(Tracer::into_missing).unwrap_or_default())
}

/// All processes of the command: those that this one has inherited, and those that it traces.
struct Children {
    program: Pid,
    tracer: Option<Tracer>,
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
    /// Waits for an event, at most `timeout`, and answers calls that arrive meanwhile.
    fn rest(&mut self, signals: &OwnedFd, timeout: Duration) {
        let Some(tracer) = &mut self.tracer else { return sys::wait_for_child_signal(timeout) };
        let timeout = Timespec::try_from(timeout).ok();
        let listener = tracer.listener();
        for _ in 0..EVENTS {
            let mut events =
                [PollFd::new(signals, PollFlags::IN), PollFd::new(&listener, PollFlags::IN)];
            if !matches!(poll(&mut events, timeout.as_ref()), Ok(1..)) {
                return;
            }
            if events[1].revents().contains(PollFlags::IN) {
                tracer.answer();
            }
            if !events[0].revents().is_empty() {
                // Which of them it was is asked for by `next`.
                let _ = read(signals, &mut [0; 128]);
                return;
            }
            if events[1].revents() == PollFlags::HUP {
                // Nobody is left who could call.
                return sys::wait_for_child_signal(Duration::from_millis(1));
            }
        }
    }
}

fn wait_bounded(children: &mut Children, bounds: Bounds) -> Result<Report, Failure> {
    sys::set_blocked(&[libc::SIGCHLD]).at(Step::Limits)?;
    let signals = sys::child_signals().at(Step::Limits)?;
    let mut watch = bounds.memory.map(Watch::new).transpose()?;
    let deadline = bounds.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let mut is_quiet = false;
        for _ in 0..EVENTS {
            match children.next(libc::WNOHANG) {
                Next::Ended(status) => return Ok(Report::Ended(status)),
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
            return Ok(Report::TimedOut);
        }
        let pause = match &mut watch {
            Some(watch) if now >= watch.next => match watch.look() {
                Use::TooMuch => return Ok(Report::OutOfMemory),
                Use::MuchShared => watch.rest(now, 10 * MEMORY_INTERVAL),
                Use::Fine => watch.rest(now, MEMORY_INTERVAL),
            },
            Some(watch) => watch.next.saturating_duration_since(now),
            None => Duration::MAX,
        };
        if is_quiet {
            children.rest(&signals, pause.min(left));
        }
    }
}

/// Kills every other process and buries it, so that what it used is counted.
///
/// Once is enough: a process with a deadly signal pending can't start another one.
fn end_all() {
    sys::kill_all_others();
    while let Ok(Some(_)) = sys::wait4(None, 0) {}
}

/// Adds up the memory of all processes.
struct Watch {
    proc: OwnedFd,
    page: u64,
    limit: u64,
    /// When to look the next time.
    next: Instant,
}

enum Use {
    Fine,
    /// The simple sum is too high, but only as it counts pages twice that forked processes share.
    MuchShared,
    TooMuch,
}

impl Watch {
    fn new(limit: u64) -> Result<Self, Failure> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = open(c"/proc", flags, Mode::empty()).at(Step::Limits)?;
        Ok(Self { proc, page: page_size() as u64, limit, next: Instant::now() })
    }

    /// Looks again after this time.
    fn rest(&mut self, now: Instant, pause: Duration) -> Duration {
        self.next = now + pause;
        pause
    }

    fn look(&self) -> Use {
        if self.sum(|process| self.own_pages(process)) <= self.limit {
            return Use::Fine;
        }
        match self.sum(|process| self.proportional(process)) {
            bytes if bytes > self.limit => Use::TooMuch,
            _ => Use::MuchShared,
        }
    }

    fn sum(&self, of: impl Fn(&OwnedFd) -> Option<u64>) -> u64 {
        let Ok(listing) =
            openat(&self.proc, c".", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
        else {
            return 0;
        };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut entries = RawDir::new(listing, &mut buffer);
        let mut sum = 0;
        while let Some(Ok(entry)) = entries.next() {
            sum += self.process(entry.file_name()).and_then(|process| of(&process)).unwrap_or(0);
        }
        sum
    }

    /// The folder of another process; it may be gone by now.
    fn process(&self, name: &CStr) -> Option<OwnedFd> {
        let is_other = name.to_bytes().iter().all(u8::is_ascii_digit) && name != c"1";
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        is_other.then(|| openat(&self.proc, name, flags, Mode::empty()).ok())?
    }

    /// Resident pages that are not those of files: `resident - shared` of `statm`. Cheap.
    fn own_pages(&self, process: &OwnedFd) -> Option<u64> {
        let mut buffer = [0; 256];
        let mut numbers = field(process, c"statm", &mut buffer)?.split(|byte| *byte == b' ');
        let resident = number(numbers.nth(1)?)?;
        let shared = number(numbers.next()?)?;
        Some(resident.saturating_sub(shared) * self.page)
    }

    /// The same, with a page that several processes share counted in parts: `Pss_Anon` of
    /// `smaps_rollup`. Dear.
    fn proportional(&self, process: &OwnedFd) -> Option<u64> {
        let mut buffer = [0; 2048];
        let Some(rollup) = field(process, c"smaps_rollup", &mut buffer) else {
            return self.own_pages(process);
        };
        let mut lines = rollup.split(|byte| *byte == b'\n');
        let line = lines.find_map(|line| line.strip_prefix(b"Pss_Anon:"))?;
        number(line).map(|kibibytes| kibibytes * 1024)
    }
}

/// Reads a small file of `/proc`.
fn field<'a>(process: &OwnedFd, file: &CStr, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let file = openat(process, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let length = read(&file, &mut *buffer).ok()?;
    Some(&buffer[..length])
}

/// The digits in `text` as a number.
fn number(text: &[u8]) -> Option<u64> {
    let mut digits = text.iter().filter(|byte| byte.is_ascii_digit()).peekable();
    digits.peek()?;
    digits.try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}
