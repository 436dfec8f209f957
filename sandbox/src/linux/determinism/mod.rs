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
mod filesystems;
mod folders;
mod inodes;
mod links;
mod listing;
mod missing;
mod paths;
mod ports;
mod processes;
mod program;
mod refused;
mod scheduling;
mod thread;
mod timers;
#[cfg(target_arch = "x86_64")]
mod vdso;

use std::os::fd::BorrowedFd;

use rustix::io::{Errno, Result};
use rustix::process::Pid;

pub(super) use answers::NOTIFIED;
pub(super) use calls::{Call, TRACED};
pub(super) use files::{Content, Cover, hide_machine};
pub(super) use links::kind as numbered;
pub(super) use refused::RULES;
pub(super) use thread::Thread;

use self::answers::Seen;
use self::folders::Folders;
use self::timers::Timers;
use super::sys::notify::{self, Answer, Notification};
use crate::Determinism;

/// What the layer knows beside its [`Thread`]s.
pub(super) struct Layer {
    settings: Settings,
    /// Where calls arrive that are answered.
    listener: BorrowedFd<'static>,
    folders: Folders,
    timers: Timers,
    seen: Seen,
}

/// What holds for all threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    seed: u64,
    /// Seconds since 1970.
    pub epoch: u64,
    pub cpus: u32,
}

impl Layer {
    pub(super) fn new(
        determinism: Determinism,
        cpus: Option<u32>,
        listener: BorrowedFd<'static>,
    ) -> Self {
        notify::stay_on_one_processor(listener);
        let Determinism { epoch, seed, cpus: standard, listing } = determinism;
        Self {
            settings: Settings { seed, epoch, cpus: cpus.unwrap_or(standard) },
            listener,
            folders: Folders::new(listing),
            timers: Timers::default(),
            seen: Seen::default(),
        }
    }

    /// The first thread of the command.
    pub(super) fn first_thread(&self) -> Thread {
        Thread::first(self.settings.seed)
    }

    /// Where calls arrive.
    pub(super) fn listener(&self) -> BorrowedFd<'static> {
        self.listener
    }

    /// Takes a call that has arrived. `None` if its thread was killed meanwhile.
    pub(super) fn receive(&self) -> Option<Notification> {
        notify::receive(self.listener).ok()
    }

    /// Answers a call, of a thread of the command or of one that is not known yet.
    pub(super) fn answer(
        &mut self,
        notification: &Notification,
        thread: Option<(Pid, &mut Thread)>,
    ) {
        let answer = match thread {
            Some((pid, thread)) => {
                let context = (self.settings, &mut self.folders, &mut self.seen);
                answers::answer(pid, thread, context, notification)
            }
            None => Answer::Continue,
        };
        // What can't be answered any more is the call of a thread that was killed.
        let _ = notify::answer(self.listener, notification.id, answer);
    }

    /// Lets a call fail, as one that nobody may make.
    pub(super) fn refuse(&self, notification: &Notification) {
        let answer = paths::error(Errno::PERM);
        let _ = notify::answer(self.listener, notification.id, answer);
    }

    /// A thread is about to make one of the calls of [`TRACED`]; returns it if its end matters.
    pub(super) fn enter(&mut self, pid: Pid, thread: &mut Thread) -> Result<Option<Call>> {
        calls::enter(pid, thread, self.settings)
    }

    /// A thread has made a call whose end was waited for.
    pub(super) fn leave(&mut self, pid: Pid, thread: &mut Thread, call: Call) -> Result<()> {
        calls::leave(pid, thread, (self.settings, &mut self.timers), call)
    }

    /// A thread has become a program, which has not begun yet.
    pub(super) fn prepare(&self, pid: Pid, thread: &mut Thread) -> Result<()> {
        program::prepare(pid, thread, self.settings)
    }

    /// What was looked for and not found.
    pub(super) fn into_missing(self) -> Vec<Vec<u8>> {
        self.seen.missing.into_paths()
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
