//! The determinism layer: process 1 traces the command and answers what differs from run to run.
//!
//! The system call filter singles out a few calls; all others cost nothing. Most of them are
//! answered in the kernel's place, by seccomp's user notification ([`answers`]); for a few the thread
//! stops at both ends of the call, by `ptrace` ([`calls`]), which costs more. Process 1 works on memory
//! and registers of the thread: how the program was linked, and in which language it is written,
//! makes no difference.
//!
//! What a thread gets depends on how its process came to be (the first, the third child of the second,
//! …) and on what it has asked before, never on when it runs: see [`thread`].
//!
//! [`Determinism::LAYER`](crate::Determinism::LAYER) says what is fixed.

mod answers;
mod calls;
mod clock;
mod files;
mod folders;
mod inodes;
mod listing;
mod missing;
mod mounts;
mod paths;
mod program;
mod thread;
#[cfg(target_arch = "x86_64")]
mod vdso;

use std::collections::{HashMap, HashSet};
use std::os::fd::BorrowedFd;

use rustix::process::Pid;

pub(super) use answers::NOTIFIED;
pub(super) use calls::TRACED;
pub(super) use files::hide_machine;

use self::answers::Seen;
use self::calls::Call;
use self::folders::Folders;
use self::thread::Thread;
use super::sys::notify::{self, Answer};
use super::sys::trace;
use crate::Determinism;

/// The stop of a thread at the end of a system call, as `PTRACE_O_TRACESYSGOOD` marks it.
const CALL_STOP: i32 = libc::SIGTRAP | 0x80;

/// All threads of a command.
pub(super) struct Tracer {
    settings: Settings,
    /// Where calls arrive that are answered.
    listener: BorrowedFd<'static>,
    folders: Folders,
    seen: Seen,
    threads: HashMap<Pid, Thread>,
    /// Threads that have stopped before their parent has told of them.
    early: HashSet<Pid>,
}

/// What holds for all threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Seconds since 1970.
    pub epoch: u64,
    pub cpus: u32,
}

impl Tracer {
    /// `program` has asked to be traced and is about to stop for the first time, as a new program.
    pub(super) fn new(
        program: Pid,
        listener: BorrowedFd<'static>,
        determinism: Determinism,
        cpus: Option<u32>,
    ) -> Self {
        notify::stay_on_one_processor(listener);
        let first = Thread::first(determinism.seed);
        Self {
            settings: Settings { epoch: determinism.epoch, cpus: cpus.unwrap_or(determinism.cpus) },
            listener,
            folders: Folders::new(determinism.listing),
            seen: Seen::default(),
            threads: HashMap::from([(program, first)]),
            early: HashSet::new(),
        }
    }

    /// Deals with a thread that has stopped, and lets it go on.
    pub(super) fn stopped(&mut self, pid: Pid, status: i32) {
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        // A thread that can't be asked or told anything has been killed in the meantime.
        let _ = match event {
            0 => self.signalled(pid, signal),
            libc::PTRACE_EVENT_SECCOMP => self.calls(pid),
            libc::PTRACE_EVENT_EXEC => self.becomes_program(pid),
            event => self.starts_another(pid, event),
        };
    }

    /// Where calls arrive.
    pub(super) fn listener(&self) -> BorrowedFd<'static> {
        self.listener
    }

    /// Answers a call that has arrived.
    pub(super) fn answer(&mut self) {
        // What can't be received or answered any more is the call of a thread that was killed.
        let Ok(notification) = notify::receive(self.listener) else { return };
        let thread = Pid::from_raw(notification.thread);
        let thread = thread.and_then(|pid| Some((pid, self.threads.get_mut(&pid)?)));
        let answer = match thread {
            Some((pid, thread)) => {
                let context = (self.settings, &mut self.folders, &mut self.seen);
                answers::answer(pid, thread, context, &notification)
            }
            None => Answer::Continue,
        };
        let _ = notify::answer(self.listener, notification.id, answer);
    }

    /// What was looked for and not found, see [`missing::Missing::into_bytes`].
    pub(super) fn into_missing(self) -> Vec<u8> {
        self.seen.missing.into_bytes()
    }

    /// Forgets a thread that has ended.
    pub(super) fn ended(&mut self, pid: Pid) {
        self.threads.remove(&pid);
        self.early.remove(&pid);
    }

    fn signalled(&mut self, pid: Pid, signal: i32) -> rustix::io::Result<()> {
        let Some(thread) = self.threads.get_mut(&pid) else {
            self.early.insert(pid);
            return Ok(());
        };
        match signal {
            CALL_STOP => {
                thread.leave_call(pid, self.settings)?;
                trace::resume(pid, 0)
            }
            // The first program: until now nobody could ask for more than this.
            libc::SIGTRAP if thread.is_new => {
                thread.is_new = false;
                trace::trace_all_of(pid)?;
                program::prepare(pid, thread, self.settings)?;
                trace::resume(pid, 0)
            }
            // How every other thread begins.
            libc::SIGSTOP if thread.is_new => {
                thread.is_new = false;
                trace::resume(pid, 0)
            }
            signal => trace::resume(pid, signal),
        }
    }

    fn calls(&mut self, pid: Pid) -> rustix::io::Result<()> {
        match self.threads.get_mut(&pid) {
            Some(thread) => thread.enter_call(pid, self.settings),
            None => trace::resume(pid, 0),
        }
    }

    fn becomes_program(&mut self, pid: Pid) -> rustix::io::Result<()> {
        // If it was not the first thread of its process, it is from now on.
        let before = trace::event_message(pid)?;
        let before = i32::try_from(before).ok().and_then(Pid::from_raw);
        if let Some(thread) = before.and_then(|before| self.threads.remove(&before)) {
            self.threads.insert(pid, thread);
        }
        // Until the call that made it a program returns, it can make no other.
        if let Some(thread) = self.threads.get_mut(&pid) {
            thread.call = Some(Call::Program);
        }
        trace::resume_to_exit(pid)
    }

    /// `fork`, `vfork` and `clone`.
    fn starts_another(&mut self, pid: Pid, event: i32) -> rustix::io::Result<()> {
        let child = trace::event_message(pid)?;
        let child = i32::try_from(child).ok().and_then(Pid::from_raw);
        if let (Some(child), Some(parent)) = (child, self.threads.get_mut(&pid)) {
            let is_thread = event == libc::PTRACE_EVENT_CLONE;
            let mut thread = if is_thread { parent.another() } else { parent.child() };
            if self.early.remove(&child) {
                thread.is_new = false;
                let _ = trace::resume(child, 0);
            }
            self.threads.insert(child, thread);
        }
        trace::resume(pid, 0)
    }
}

/// Other processors have their own code; there, programs make system calls for the time.
#[cfg(not(target_arch = "x86_64"))]
mod vdso {
    use rustix::io::{Errno, Result};
    use rustix::process::Pid;

    #[derive(Clone, Copy)]
    pub(super) struct Clocks;

    impl Clocks {
        pub(super) fn install(_: Pid, _: u64, _: (u64, u64)) -> Result<Self> {
            Err(Errno::NOSYS)
        }

        pub(super) fn advance(self, _: Pid, _: u64) -> Result<()> {
            Ok(())
        }
    }
}
