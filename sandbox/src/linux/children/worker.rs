//! Does a piece of work in a *worker*: this program, started once more so that the work can be
//! stopped.
//!
//! A library that parses hostile input can't be interrupted, and its memory can't be limited, while
//! it runs in the caller's process. So a child does such work: the same binary, started under
//! another name before anything else happens in it, like the spawner. It reads a request from
//! standard input, does the work, writes an answer to standard output and ends. The kernel limits
//! its memory, its parent limits its time, and it dies with its parent. It is not isolated: its
//! code is this program's own, and only its input is not.

use std::env;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getppid, getrlimit, pidfd_open,
    set_parent_process_death_signal, setrlimit,
};

use crate::linux::caller::cancel::Cancel;
use crate::linux::sys::limits::offer_to_oom_killer;
use crate::worker::{WorkerError, WorkerLimits};

/// The program is a worker if it is started under this name.
const NAME: &str = "run-worker";

/// The thread that works has a stack of this size. A guard page stops whatever recurses more
/// deeply.
const STACK: usize = 64 << 20;

/// This many bytes of an answer are read. Answers are digests and messages.
const MAX_ANSWER: usize = 64 << 20;

/// This many bytes of standard error are kept. Rust writes there about a failed allocation or a
/// panic.
const MAX_SAID: usize = 4096;

/// Does one piece of work if this process was started as a worker, and never returns then.
///
/// This belongs at the start of `main`, after
/// [`run_spawner_if_asked`](crate::run_spawner_if_asked), in every program that calls [`work`].
/// `answer` turns a request into an answer.
pub fn run_worker_if_asked(answer: fn(&[u8]) -> Vec<u8>) {
    let mut arguments = env::args_os();
    if arguments.next().is_none_or(|name| name != NAME) {
        return;
    }
    let mut number = || arguments.next()?.to_str()?.parse::<u64>().ok();
    let ended = match (number(), number()) {
        (Some(parent), Some(memory)) => serve(parent, memory, answer),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    };
    // The exit status is the only way to report an error: standard output is for the answer.
    std::process::exit(i32::from(ended.is_err()));
}

fn serve(parent: u64, memory: u64, answer: fn(&[u8]) -> Vec<u8>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let is_parent =
        |pid: Pid| u64::try_from(pid.as_raw_nonzero().get()).is_ok_and(|pid| pid == parent);
    if !getppid().is_some_and(is_parent) {
        return Err(Errno::SRCH.into());
    }
    limit(Resource::Data, memory.saturating_add(STACK as u64))?;
    // One byte is too little for any core file, and keeps the host's program that takes core files
    // from being started.
    limit(Resource::Core, 1)?;
    offer_to_oom_killer()?;
    let mut request = Vec::new();
    io::stdin().lock().read_to_end(&mut request)?;
    let worker = thread::Builder::new().name("worker".to_owned()).stack_size(STACK);
    let answer = worker.spawn(move || answer(&request))?.join();
    // A panic has already written its message.
    let answer = answer.map_err(|_| io::Error::from(io::ErrorKind::Other))?;
    let mut out = io::stdout().lock();
    out.write_all(&answer)?;
    out.flush()
}

/// Sets a limit. If the caller's own limit is lower it stays, as it can't be raised.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let most = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// Has a child of this program do a piece of work, and returns its answer.
///
/// # Errors
/// The work was cancelled, exceeded a limit, or gave no answer for another reason.
pub fn work(
    request: &[u8],
    limits: &WorkerLimits,
    cancel: &Cancel,
) -> Result<Vec<u8>, WorkerError> {
    let WorkerLimits { timeout, memory } = *limits;
    let deadline = Instant::now() + timeout;
    let mut child = start(memory).map_err(WorkerError::Start)?;
    let heard = listen(&mut child, request, deadline, cancel);
    // This fails if the worker has already ended, which is the rule.
    let _ = child.kill();
    let status = child.wait().map_err(WorkerError::Start)?;
    match heard.map_err(WorkerError::Start)? {
        _ if cancel.is_cancelled() => Err(WorkerError::Cancelled),
        WorkerOutput::Late => Err(WorkerError::TimedOut(timeout)),
        WorkerOutput::All { answer, .. } if status.success() => Ok(answer),
        WorkerOutput::All { said, .. } => Err(reason(status, &said, memory)),
    }
}

fn start(memory: u64) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .arg0(NAME)
        .args([u64::from(std::process::id()).to_string(), memory.to_string()])
        .env_clear()
        // The worker is not in the terminal's foreground: Ctrl-C is for the parent, which ends the
        // worker in good order.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// The output of a worker.
enum WorkerOutput {
    /// The worker closed its streams.
    All { answer: Vec<u8>, said: Vec<u8> },
    /// The worker did not close its streams in time.
    Late,
}

fn listen(
    child: &mut Child,
    request: &[u8],
    deadline: Instant,
    cancel: &Cancel,
) -> io::Result<WorkerOutput> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let _watched = cancel.watch(pidfd_open(pid, PidfdFlags::empty())?, Signal::KILL);
    if let Some(mut stdin) = child.stdin.take() {
        // If the worker is already gone, its status says why.
        let _ = stdin.write_all(request);
    }
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Errno::BADF.into());
    };
    let (mut answer, mut said) = (Vec::new(), Vec::new());
    let (mut is_answering, mut is_talking) = (true, true);
    while is_answering || is_talking {
        let Some(left) = deadline.checked_duration_since(Instant::now()) else {
            return Ok(WorkerOutput::Late);
        };
        let mut fds = Vec::with_capacity(2);
        if is_answering {
            fds.push(PollFd::new(&stdout, PollFlags::IN));
        }
        if is_talking {
            fds.push(PollFd::new(&stderr, PollFlags::IN));
        }
        wait(&mut fds, left)?;
        let ready: Vec<_> = fds.iter().filter(|fd| !fd.revents().is_empty()).collect();
        let is_ready = |stream: &dyn AsFd| {
            let number = stream.as_fd().as_raw_fd();
            ready.iter().any(|fd| fd.as_fd().as_raw_fd() == number)
        };
        let (answers, talks) = (is_ready(&stdout), is_ready(&stderr));
        if answers {
            is_answering = take(&mut stdout, &mut answer, MAX_ANSWER)?;
        }
        if talks {
            is_talking = take(&mut stderr, &mut said, MAX_SAID)?;
        }
    }
    Ok(WorkerOutput::All { answer, said })
}

fn wait(fds: &mut [PollFd<'_>], left: Duration) -> io::Result<()> {
    let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
    retry_on_intr(|| poll(fds, Some(&left)))?;
    Ok(())
}

/// Reads once and drops what goes beyond `most` bytes. Returns `false` at the end.
fn take(stream: &mut impl io::Read, to: &mut Vec<u8>, most: usize) -> io::Result<bool> {
    let mut buffer = [0; 1 << 14];
    let length = stream.read(&mut buffer)?;
    let room = most.saturating_sub(to.len()).min(length);
    to.extend_from_slice(&buffer[..room]);
    Ok(length > 0)
}

/// Returns why a worker gave no answer. The standard library aborts after a failed allocation and
/// at the end of the stack, and writes to standard error which of the two it was.
fn reason(status: ExitStatus, said: &[u8], memory: u64) -> WorkerError {
    let said = String::from_utf8_lossy(said).trim().to_owned();
    if said.contains("has overflowed its stack") {
        return WorkerError::TooDeep;
    }
    let is_short = said.contains("memory allocation of") || said.contains("Cannot allocate memory");
    match status.signal() {
        // Only the kernel kills a worker, when the machine has no memory left.
        Some(libc::SIGKILL) => WorkerError::OutOfMemory(memory),
        _ if is_short => WorkerError::OutOfMemory(memory),
        _ => WorkerError::Broken { status: status.to_string(), said },
    }
}
