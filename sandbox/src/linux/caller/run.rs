//! Runs one command as the caller sees it, from the request to the death of the last process.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{Errno, Result};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;
use rustix::time::Timespec;

use super::cancel::{Cancel, CancelGuard};
use super::capture::{Capture, Stream};
use crate::linux::sys::Usage;
use crate::linux::sys::files::in_memory;
use crate::linux::wire::channel;
use crate::linux::wire::plan::Plan;
use crate::linux::wire::report::Report;
use crate::linux::wire::step::Failure;

/// Process 1 of the command enforces the timeout and measures what all processes have used. If it
/// can't, for example because the set-up hangs, the caller kills it after this additional time.
const GRACE: Duration = Duration::from_millis(500);

/// Says where the standard streams of a command lead.
pub(super) enum StandardStreams<'a> {
    /// Both output streams are captured, up to this many bytes each, and the input is empty.
    Capture(usize),
    /// The streams are these descriptors: input, output and error.
    Inherit([BorrowedFd<'a>; 3]),
}

/// Holds what is known of a command when all its processes are dead.
#[derive(Debug)]
pub(super) struct FinishedRun {
    pub end: CommandEnd,
    pub usage: Usage,
    pub wall: Duration,
    pub stdout: Capture,
    pub stderr: Capture,
    /// The files that a traced command looked for and did not find.
    pub missing: Vec<PathBuf>,
}

/// Says why process 1 of a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommandEnd {
    /// The program ended, with this wait status.
    Program(i32),
    OutOfMemory,
    TimedOut,
    /// [`Cancel`] or somebody else killed process 1.
    Killed,
}

/// Says why there is no [`FinishedRun`].
#[derive(Debug)]
pub(super) enum RunError {
    /// A step of the set-up failed.
    Failed(Failure),
    /// The spawner is gone.
    SpawnerDied,
    /// This process lacks descriptors or memory.
    Caller(Errno),
}

impl From<Errno> for RunError {
    fn from(errno: Errno) -> Self {
        Self::Caller(errno)
    }
}

struct Run<'a> {
    cancel: &'a Cancel,
    channel: OwnedFd,
    command: Option<CancelGuard<'a>>,
    kill: Signal,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    streams: [Stream; 2],
    failure: Option<Failure>,
    end: Option<CommandEnd>,
    missing: Vec<PathBuf>,
}

/// Has the spawner start `plan`, in a control group if there is one, and waits until the command
/// has ended.
pub(super) fn run(
    control: &OwnedFd,
    plan: &Plan,
    group: Option<BorrowedFd<'_>>,
    io: &StandardStreams<'_>,
    cancel: &Cancel,
) -> std::result::Result<FinishedRun, RunError> {
    let begin = Instant::now();
    let (channel, streams) = request(control, plan, group, io)?;
    let mut run = Run {
        cancel,
        channel,
        command: None,
        kill: plan.deadly_signal(),
        timeout: plan.limits.bounds.timeout,
        deadline: None,
        streams,
        failure: None,
        end: None,
        missing: Vec::new(),
    };
    let usage = run.wait()?;
    let wall = begin.elapsed();
    if let Some(failure) = run.failure {
        return Err(RunError::Failed(failure));
    }
    let end = run.end.unwrap_or(CommandEnd::Killed);
    let missing = std::mem::take(&mut run.missing);
    let [stdout, stderr] = run.streams.map(|stream| stream.capture);
    Ok(FinishedRun { end, usage, wall, stdout, stderr, missing })
}

/// Sends the request. Returns the channel on which reports arrive, and the captured streams.
fn request(
    control: &OwnedFd,
    plan: &Plan,
    group: Option<BorrowedFd<'_>>,
    io: &StandardStreams<'_>,
) -> std::result::Result<(OwnedFd, [Stream; 2]), RunError> {
    let (channel, theirs) = channel::pair()?;
    // A message has a maximum size, and a file in memory has none.
    let file = in_memory(c"plan", &plan.encode())?;
    let mut fds: Vec<BorrowedFd<'_>> = vec![theirs.as_fd(), file.as_fd()];
    fds.extend(group);
    let (streams, sent) = match io {
        StandardStreams::Capture(cap) => {
            let ((stdout, out), (stderr, err)) = (stream(*cap)?, stream(*cap)?);
            let fds = [&fds[..], &[out.as_fd(), err.as_fd()]].concat();
            ([stdout, stderr], channel::send(control, &[1], &fds))
        }
        StandardStreams::Inherit([stdin, stdout, stderr]) => {
            fds.extend([*stdout, *stderr, *stdin]);
            let none = || Stream { pipe: None, capture: Capture::new(0) };
            ([none(), none()], channel::send(control, &[1], &fds))
        }
    };
    match sent {
        Ok(()) => Ok((channel, streams)),
        Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Err(RunError::SpawnerDied),
        Err(errno) => Err(RunError::Caller(errno)),
    }
}

/// Reads a list of paths, each with a zero byte at its end.
fn paths(list: OwnedFd) -> Vec<PathBuf> {
    let mut bytes = Vec::new();
    // Without the list, the run has the same result and only lacks these hints.
    let _ = File::from(list).read_to_end(&mut bytes);
    let paths = bytes.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    paths.map(|path| PathBuf::from(OsString::from_vec(path.to_vec()))).collect()
}

/// Creates a pipe, and returns the captured end and the end to write to.
fn stream(cap: usize) -> Result<(Stream, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    // Only our end is non-blocking: the command expects a pipe that blocks.
    fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    Ok((Stream { pipe: Some(ours), capture: Capture::new(cap) }, theirs))
}

impl Run<'_> {
    /// Waits until every process is dead and every stream is read.
    fn wait(&mut self) -> std::result::Result<Usage, RunError> {
        let mut buffer = [0; 16 * 1024];
        let usage = loop {
            if self.wait_for_report(&mut buffer)? {
                match self.next_report()? {
                    Some(usage) => break usage,
                    None => continue,
                }
            }
        };
        for stream in &mut self.streams {
            while stream.read(&mut buffer) {}
        }
        Ok(usage)
    }

    /// Waits for a report, for output or for the deadline, and reads the streams. Returns whether
    /// there is a report.
    fn wait_for_report(&mut self, buffer: &mut [u8]) -> Result<bool> {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        let mut fds = vec![PollFd::new(&self.channel, PollFlags::IN)];
        let pipes = self.streams.iter().filter_map(|stream| stream.pipe.as_ref());
        fds.extend(pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let has_report = !fds[0].revents().is_empty();
        for stream in &mut self.streams {
            stream.read(buffer);
        }
        self.check_deadline();
        Ok(has_report)
    }

    fn check_deadline(&mut self) {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.command.iter().for_each(CancelGuard::kill);
            self.end = self.end.or(Some(CommandEnd::TimedOut));
            self.deadline = None;
        }
    }

    /// Takes one report. Returns what the processes have used if it is the last one.
    fn next_report(&mut self) -> std::result::Result<Option<Usage>, RunError> {
        match channel::receive_report(&self.channel)? {
            Some((Report::Started, mut fds)) => {
                let process = fds.pop().ok_or(RunError::SpawnerDied)?;
                self.command = Some(self.cancel.watch(process, self.kill));
                let backstop = self.timeout.and_then(|timeout| timeout.checked_add(GRACE));
                self.deadline = backstop.and_then(|backstop| Instant::now().checked_add(backstop));
            }
            Some((Report::Failed(failure), _)) => self.failure = Some(failure),
            // The program's own end counts, even if it was about to be killed.
            Some((Report::Ended(status), fds)) => {
                self.end = Some(CommandEnd::Program(status));
                self.missing = fds.into_iter().next().map(paths).unwrap_or_default();
            }
            Some((Report::OutOfMemory, _)) => self.end = Some(CommandEnd::OutOfMemory),
            Some((Report::TimedOut, _)) => self.end = Some(CommandEnd::TimedOut),
            Some((Report::Reaped(usage), _)) => return Ok(Some(usage)),
            // A command that has no process ends like this.
            None => return Err(self.failure.map_or(RunError::SpawnerDied, RunError::Failed)),
            Some((Report::Unshared | Report::Ready, _)) => return Err(RunError::SpawnerDied),
        }
        Ok(None)
    }
}
