//! One command, from the request to the death of its last process, as its caller sees it.

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

use super::cancel::{Cancel, Watched};
use super::capture::{Capture, Stream};
use super::channel;
use super::plan::Plan;
use super::spawner::deadly_signal;
use super::step::Failure;
use super::sys::Usage;
use super::sys::files::in_memory;
use super::wire::Report;

/// Process 1 of the command enforces the timeout itself, and can account for all that was used. If
/// it doesn't get to it, in a set-up that hangs for instance, it is killed after so much more time.
const GRACE: Duration = Duration::from_millis(500);

/// Where a command's standard streams lead.
pub(super) enum Io<'a> {
    /// Both outputs are kept, up to this many bytes each.
    Capture(usize),
    /// To these: input, output, error.
    Inherit([BorrowedFd<'a>; 3]),
}

/// What is known of a command when all its processes are dead.
#[derive(Debug)]
pub(super) struct Finished {
    pub end: End,
    pub usage: Usage,
    pub wall: Duration,
    pub stdout: Capture,
    pub stderr: Capture,
    /// What was looked for and not found, if the command was traced.
    pub missing: Vec<PathBuf>,
}

/// Why a command's first process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The program ended, with this wait status.
    Program(i32),
    OutOfMemory,
    TimedOut,
    /// It was killed from outside, by [`Cancel`] or by somebody else.
    Killed,
}

/// Why there is no [`Finished`].
#[derive(Debug)]
pub(super) enum Broken {
    /// The set-up failed in the sandbox or on the way there.
    Failed(Failure),
    /// The spawner is gone.
    SpawnerDied,
    /// This process lacks descriptors or memory.
    Caller(Errno),
}

impl From<Errno> for Broken {
    fn from(errno: Errno) -> Self {
        Self::Caller(errno)
    }
}

struct Session<'a> {
    cancel: &'a Cancel,
    channel: OwnedFd,
    command: Option<Watched<'a>>,
    kill: Signal,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    streams: [Stream; 2],
    failure: Option<Failure>,
    end: Option<End>,
    missing: Vec<PathBuf>,
}

/// Has the spawner start `plan`, in a control group if it has one, and waits for its end.
pub(super) fn run(
    control: &OwnedFd,
    plan: &Plan,
    group: Option<BorrowedFd<'_>>,
    io: &Io<'_>,
    cancel: &Cancel,
) -> std::result::Result<Finished, Broken> {
    let begin = Instant::now();
    let (channel, streams) = request(control, plan, group, io)?;
    let mut session = Session {
        cancel,
        channel,
        command: None,
        kill: deadly_signal(plan.translated.is_none()),
        timeout: plan.limits.bounds.timeout,
        deadline: None,
        streams,
        failure: None,
        end: None,
        missing: Vec::new(),
    };
    let usage = session.wait()?;
    let wall = begin.elapsed();
    if let Some(failure) = session.failure {
        return Err(Broken::Failed(failure));
    }
    let end = session.end.unwrap_or(End::Killed);
    let missing = std::mem::take(&mut session.missing);
    let [stdout, stderr] = session.streams.map(|stream| stream.capture);
    Ok(Finished { end, usage, wall, stdout, stderr, missing })
}

/// Sends the request; what comes back arrives on the returned channel and streams.
fn request(
    control: &OwnedFd,
    plan: &Plan,
    group: Option<BorrowedFd<'_>>,
    io: &Io<'_>,
) -> std::result::Result<(OwnedFd, [Stream; 2]), Broken> {
    let (channel, theirs) = channel::pair()?;
    // A message has a maximum size, a file in memory has none.
    let file = in_memory(c"plan", &plan.encode())?;
    let mut fds: Vec<BorrowedFd<'_>> = vec![theirs.as_fd(), file.as_fd()];
    fds.extend(group);
    let (streams, sent) = match io {
        Io::Capture(cap) => {
            let ((stdout, out), (stderr, err)) = (stream(*cap)?, stream(*cap)?);
            let fds = [&fds[..], &[out.as_fd(), err.as_fd()]].concat();
            ([stdout, stderr], channel::send(control, &[1], &fds))
        }
        Io::Inherit([stdin, stdout, stderr]) => {
            fds.extend([*stdout, *stderr, *stdin]);
            let none = || Stream { pipe: None, capture: Capture::new(0) };
            ([none(), none()], channel::send(control, &[1], &fds))
        }
    };
    match sent {
        Ok(()) => Ok((channel, streams)),
        Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Err(Broken::SpawnerDied),
        Err(errno) => Err(Broken::Caller(errno)),
    }
}

/// Reads a list of paths, each with a zero byte at its end.
fn paths(list: OwnedFd) -> Vec<PathBuf> {
    let mut bytes = Vec::new();
    // Who can't be told of them does without.
    let _ = File::from(list).read_to_end(&mut bytes);
    let paths = bytes.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    paths.map(|path| PathBuf::from(OsString::from_vec(path.to_vec()))).collect()
}

/// A captured pipe, and the end to write to.
fn stream(cap: usize) -> Result<(Stream, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    // Only our end: the command's must block.
    fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    Ok((Stream { pipe: Some(ours), capture: Capture::new(cap) }, theirs))
}

impl Session<'_> {
    /// Until every process is dead and every stream is read.
    fn wait(&mut self) -> std::result::Result<Usage, Broken> {
        let mut buffer = [0; 16 * 1024];
        let usage = loop {
            if self.wait_for_news(&mut buffer)? {
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

    /// Whether there is a report. Reads the streams and minds the deadline meanwhile.
    fn wait_for_news(&mut self, buffer: &mut [u8]) -> Result<bool> {
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
        self.mind_deadline();
        Ok(has_report)
    }

    fn mind_deadline(&mut self) {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.command.iter().for_each(Watched::kill);
            self.end = self.end.or(Some(End::TimedOut));
            self.deadline = None;
        }
    }

    /// Takes one report; the last one is returned.
    fn next_report(&mut self) -> std::result::Result<Option<Usage>, Broken> {
        match channel::receive_report(&self.channel)? {
            Some((Report::Started, mut fds)) => {
                let process = fds.pop().ok_or(Broken::SpawnerDied)?;
                self.command = Some(self.cancel.watch(process, self.kill));
                let backstop = self.timeout.and_then(|timeout| timeout.checked_add(GRACE));
                self.deadline = backstop.and_then(|backstop| Instant::now().checked_add(backstop));
            }
            Some((Report::Failed(failure), _)) => self.failure = Some(failure),
            // What the program itself did counts, even if it was about to be killed.
            Some((Report::Ended(status), fds)) => {
                self.end = Some(End::Program(status));
                self.missing = fds.into_iter().next().map(paths).unwrap_or_default();
            }
            Some((Report::OutOfMemory, _)) => self.end = Some(End::OutOfMemory),
            Some((Report::TimedOut, _)) => self.end = Some(End::TimedOut),
            Some((Report::Reaped(usage), _)) => return Ok(Some(usage)),
            // If there never was a process, this is how it ends.
            None => return Err(self.failure.map_or(Broken::SpawnerDied, Broken::Failed)),
            Some((Report::Unshared | Report::Ready, _)) => return Err(Broken::SpawnerDied),
        }
        Ok(None)
    }
}
