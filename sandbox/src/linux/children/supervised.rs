//! Runs a program of the host, such as the client of a registry, so that it never outlives its
//! caller.
//!
//! This isolates nothing: the program sees the machine as the caller does. Between the two stands a
//! *guardian*, a copy of the caller. When the caller dies, a pipe to the guardian closes. Then the
//! guardian ends the program and everything that the program has started, even if it has left the
//! process group. A signal at the parent's death alone would reach the program, but not the `git`
//! or `ssh` that the program waits for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getpid, getppid, kill_process, kill_process_group,
    pidfd_open, set_child_subreaper, set_parent_process_death_signal, setpgid, setrlimit,
};
use rustix::thread::nanosleep;

use crate::linux::sys::{self, Forked};

/// A caller waits this long for the end of a program that it ends. Only a process that the kernel
/// itself can't interrupt takes longer; then the guardian continues without the caller.
const PATIENCE: Duration = Duration::from_secs(1);

/// The guardian looks this often for processes that are left, before it gives up on those that the
/// kernel can't interrupt.
const ROUNDS: usize = 500;

/// A running program. It ends, with all processes that it has started, when this value is dropped
/// or when the caller dies.
#[derive(Debug)]
pub struct Supervised {
    guardian: Child,
    /// The end of a pipe whose other end the guardian watches.
    life: Option<OwnedFd>,
}

impl Supervised {
    /// Starts the program in its own process group.
    ///
    /// # Errors
    /// The program can't be started, for the reasons of [`Command::spawn`].
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let (watch, life) = pipe_with(PipeFlags::CLOEXEC)?;
        command.process_group(0);
        sys::before_exec(command, move || become_guardian(watch.as_fd()));
        let guardian = command.spawn()?;
        Ok(Self { guardian, life: Some(life) })
    }

    /// Takes the pipe of the program's standard output, if there is one and nobody has taken it
    /// before.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.guardian.stdout.take()
    }

    /// Takes the pipe of the program's standard error, if there is one and nobody has taken it
    /// before.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.guardian.stderr.take()
    }

    /// Returns how the program ended, or `None` while it runs.
    ///
    /// # Errors
    /// The kernel can't tell.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.guardian.try_wait()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.life = None;
        let begin = Instant::now();
        while matches!(self.guardian.try_wait(), Ok(None)) && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Runs in a fresh copy of the caller, just before that would become the program. The copy stays as
/// the guardian, and a copy of the guardian goes on to become the program.
///
/// Other threads of the caller may have held locks when it was copied, so nothing here asks for
/// memory.
fn become_guardian(watch: BorrowedFd<'_>) -> io::Result<()> {
    // A process below this one that loses its parent becomes a child of this process.
    set_child_subreaper(Some(getpid()))?;
    let guardian = getpid();
    match sys::fork()? {
        Forked::Child => {
            setpgid(None, None)?;
            set_parent_process_death_signal(Some(Signal::KILL))?;
            match getppid() == Some(guardian) {
                true => Ok(()),
                false => Err(Errno::INTR.into()),
            }
        }
        Forked::Parent(program) => guard(program, watch),
    }
}

/// Becomes the guardian: waits until the program or the caller ends, and then ends everything that
/// is left. It keeps nothing open except the pipe, so the program's own pipes end with the program.
fn guard(program: Pid, watch: BorrowedFd<'_>) -> ! {
    let ready = sys::place(watch, 0)
        .and_then(|()| sys::close_from(1))
        .and_then(|()| sys::reset_signals())
        .and_then(|()| pidfd_open(program, PidfdFlags::empty()));
    let Ok(process) = ready else { end_all(program) };
    let watch = sys::placed(0);
    loop {
        let mut both =
            [PollFd::new(&watch, PollFlags::empty()), PollFd::new(&process, PollFlags::IN)];
        // A signal only wakes the guardian up.
        let _ = poll(&mut both, None);
        let [caller, process] = both.map(|one| !one.revents().is_empty());
        if process {
            end_like(program);
        }
        if caller {
            end_all(program);
        }
    }
}

/// Ends in the same way as the program. Everything that is left of its process group ends too,
/// because a client that is finished has nothing to do in the background.
fn end_like(program: Pid) -> ! {
    // This comes before the program is waited for: until then its number can't become that of
    // another group.
    let _ = kill_process_group(program, Signal::KILL);
    let Ok(Some((_, status, _))) = sys::wait4(Some(program), 0) else { sys::exit(1) };
    if libc::WIFSIGNALED(status) {
        let none = Rlimit { current: Some(1), maximum: Some(1) };
        let _ = setrlimit(Resource::Core, none);
        if let Some(signal) = Signal::from_named_raw(libc::WTERMSIG(status)) {
            let _ = kill_process(getpid(), signal);
        }
    }
    sys::exit(libc::WEXITSTATUS(status))
}

/// Kills the program and everything that it has started.
fn end_all(program: Pid) -> ! {
    let _ = kill_process_group(program, Signal::KILL);
    for _ in 0..ROUNDS {
        each_child(|child| {
            let _ = kill_process(child, Signal::KILL);
        });
        // Children of the processes that end now become children of this process.
        while let Ok(Some(_)) = sys::wait4(None, libc::WNOHANG) {}
        if sys::wait4(None, libc::WNOHANG) == Err(Errno::CHILD) {
            break;
        }
        let _ = nanosleep(&Timespec { tv_sec: 0, tv_nsec: 2_000_000 });
    }
    sys::exit(1)
}

/// Calls `what` for children of this process. The kernel may list only a part of many children.
fn each_child(mut what: impl FnMut(Pid)) {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let Ok(list) = openat(CWD, c"/proc/thread-self/children", flags, Mode::empty()) else { return };
    let mut text = [0; 4096];
    let Ok(length) = rustix::io::read(&list, &mut text) else { return };
    // The last number may have been cut off. The next call sees it whole.
    let whole = text[..length].iter().rposition(|byte| *byte == b' ').unwrap_or(0);
    for word in text[..whole].split(|byte| *byte == b' ') {
        let number = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
        if let Some(child) = number.and_then(Pid::from_raw) {
            what(child);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Stdio;

    use super::*;

    fn shell(script: &str) -> Supervised {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped());
        Supervised::spawn(&mut command).unwrap()
    }

    fn end(program: &mut Supervised) -> ExitStatus {
        loop {
            match program.try_wait().unwrap() {
                Some(status) => return status,
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    fn first_line(program: &mut Supervised) -> String {
        let mut line = Vec::new();
        let mut pipe = program.stdout().unwrap();
        let mut byte = [0];
        while pipe.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Zombies that others have to wait for do not count.
    fn is_alive(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn it_ends_as_the_program_does() {
        assert_eq!(end(&mut shell("exit 0")).code(), Some(0));
        assert_eq!(end(&mut shell("exit 7")).code(), Some(7));
        assert_eq!(end(&mut shell("kill -USR1 $$")).signal(), Some(10));
        assert_eq!(end(&mut shell("kill -KILL $$")).signal(), Some(9));
    }

    #[test]
    fn its_output_ends_with_it() {
        let mut program = shell("sleep 60 & echo out");
        let mut text = String::new();
        let mut pipe = program.stdout().unwrap();
        let begin = Instant::now();
        pipe.read_to_string(&mut text).unwrap();
        assert_eq!(text, "out\n");
        assert!(begin.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let error = Supervised::spawn(&mut Command::new("/nowhere/at-all")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn it_takes_along_what_it_started_even_in_other_sessions() {
        let mut program =
            shell("setsid sh -c 'sleep 61 & setsid sleep 62 & echo $$ $!; wait' & wait");
        let line = first_line(&mut program);
        let pids: Vec<&str> = line.split(' ').collect();
        assert!(pids.len() == 2 && pids.iter().all(|pid| is_alive(pid)), "{line}");
        drop(program);
        assert!(!pids.iter().any(|pid| is_alive(pid)), "{line}");
    }
}
