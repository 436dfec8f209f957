//! Hands each call of a command to the part of the layer that deals with it, and holds the state of
//! these parts.

use std::os::fd::BorrowedFd;

use rustix::io::{Errno, Result};
use rustix::process::Pid;

use super::answers::{Caller, SharedState};
use super::calls::{self, LeaveContext, PendingCall};
use super::folders::Folders;
use super::program;
use super::reply::failed;
use super::settings::Settings;
use super::thread::Thread;
use super::timers::Timers;
use crate::Determinism;
use crate::linux::sys::notify::{self, Answer, Notification};

/// Holds everything that the layer knows except its [`Thread`]s.
pub(in crate::linux::inside) struct Layer {
    settings: Settings,
    /// The descriptor at which calls arrive.
    listener: BorrowedFd<'static>,
    folders: Folders,
    timers: Timers,
    shared: SharedState,
}

impl Layer {
    pub(in crate::linux::inside) fn new(
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
            shared: SharedState::default(),
        }
    }

    /// Returns the first thread of the command.
    pub(in crate::linux::inside) fn first_thread(&self) -> Thread {
        Thread::first(self.settings.seed)
    }

    /// Returns the descriptor at which calls arrive.
    pub(in crate::linux::inside) fn listener(&self) -> BorrowedFd<'static> {
        self.listener
    }

    /// Takes a call that has arrived. Returns `None` if its thread was killed in the meantime.
    pub(in crate::linux::inside) fn receive(&self) -> Option<Notification> {
        notify::receive(self.listener).ok()
    }

    /// Answers a call. There is no thread if it is not known yet.
    pub(in crate::linux::inside) fn answer(
        &mut self,
        notification: &Notification,
        thread: Option<(Pid, &mut Thread)>,
    ) {
        let answer = match thread {
            Some((pid, thread)) => {
                let (folders, shared) = (&mut self.folders, &mut self.shared);
                let settings = self.settings;
                Caller { pid, thread, settings, folders, shared }.answer(notification)
            }
            None => Answer::Continue,
        };
        // This fails only if the thread of the call was killed.
        let _ = notify::answer(self.listener, notification.id, answer);
    }

    /// Makes a call fail, because no program may make it.
    pub(in crate::linux::inside) fn refuse(&self, notification: &Notification) {
        let answer = failed(Errno::PERM);
        let _ = notify::answer(self.listener, notification.id, answer);
    }

    /// Looks at a call of [`TRACED`](super::TRACED) that a thread is about to make. Returns it if
    /// its end matters.
    pub(in crate::linux::inside) fn enter(
        &mut self,
        pid: Pid,
        thread: &mut Thread,
    ) -> Result<Option<PendingCall>> {
        calls::enter(pid, thread, self.settings)
    }

    /// Deals with a call that has ended.
    pub(in crate::linux::inside) fn leave(
        &mut self,
        pid: Pid,
        thread: &mut Thread,
        call: PendingCall,
    ) -> Result<()> {
        let (cpus, timers) = (self.settings.cpus, &mut self.timers);
        calls::leave(pid, thread, call, LeaveContext { cpus, timers })
    }

    /// Prepares a thread that has become a program, before the program begins.
    pub(in crate::linux::inside) fn prepare(&self, pid: Pid, thread: &mut Thread) -> Result<()> {
        program::prepare(pid, thread, self.settings)
    }

    /// Returns the files that were looked for and not found.
    pub(in crate::linux::inside) fn into_missing(self) -> Vec<Vec<u8>> {
        self.shared.missing.into_paths()
    }
}
