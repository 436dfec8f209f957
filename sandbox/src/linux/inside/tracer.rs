//! Traces a command: the kernel tells process 1 what the command's threads do, and process 1 acts
//! for the [determinism layer](super::determinism) and for the [translation of
//! paths](super::translation).
//!
//! The system call filter picks the calls that matter; all others cost nothing. At some calls a
//! thread stops, before the call and perhaps after it (`ptrace`, see `ptrace(2)`). Others are
//! answered in the kernel's place (seccomp's user notification). Process 1 changes the memory and
//! the registers of the thread, so it makes no difference how the program was linked and in which
//! language it is written.

use std::collections::{HashMap, HashSet};
use std::os::fd::BorrowedFd;

use rustix::io::{Errno, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::determinism::{self, Layer};
use super::translation::{self, Entered, Translator};
use crate::linux::sys::trace::{self, Registers};

/// A thread that stops after a system call stops with this signal, because of
/// `PTRACE_O_TRACESYSGOOD`.
const CALL_STOP: i32 = libc::SIGTRAP | 0x80;

/// Holds all threads of a command.
pub(super) struct Tracer {
    layer: Option<Layer>,
    translator: Option<Translator>,
    threads: HashMap<Pid, Thread>,
    /// The threads that have stopped before the stop of their parent announced them.
    early: HashSet<Pid>,
}

struct Thread {
    /// True until the first stop of the thread.
    is_new: bool,
    /// The system call that the thread is in, if its end matters.
    call: Option<Call>,
    layer: Option<determinism::Thread>,
}

enum Call {
    Layer(determinism::PendingCall),
    Translated(translation::PendingCall),
    /// It is the call that made the thread another program.
    Program,
}

impl Tracer {
    /// Begins with one thread. Without a translator, `program` has asked to be traced and stops
    /// when it becomes its first program. With a translator, it has already stopped once and was
    /// told to continue.
    pub(super) fn new(program: Pid, layer: Option<Layer>, translator: Option<Translator>) -> Self {
        let first = Thread {
            is_new: translator.is_none(),
            call: None,
            layer: layer.as_ref().map(Layer::first_thread),
        };
        let threads = HashMap::from([(program, first)]);
        Self { layer, translator, threads, early: HashSet::new() }
    }

    /// Deals with a thread that has stopped, and lets it continue.
    pub(super) fn stopped(&mut self, pid: Pid, status: i32) {
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        let done = match event {
            0 => self.signalled(pid, signal),
            libc::PTRACE_EVENT_SECCOMP => self.enters_call(pid),
            libc::PTRACE_EVENT_EXEC => self.becomes_program(pid),
            event => self.starts_another(pid, event),
        };
        // A thread that does not exist any more was killed in the meantime. A thread that can't be
        // read or changed, such as one that runs a program that nobody may read, would wait for
        // ever or continue as if it had been. So it is killed.
        if done.is_err_and(|error| error != Errno::SRCH) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Returns the descriptor at which calls arrive, if there is a layer that answers them.
    pub(super) fn listener(&self) -> Option<BorrowedFd<'static>> {
        self.layer.as_ref().map(Layer::listener)
    }

    /// Answers a call that has arrived.
    pub(super) fn answer(&mut self) {
        let Some(layer) = &mut self.layer else { return };
        let Some(notification) = layer.receive() else { return };
        let pid = Pid::from_raw(notification.thread);
        let thread = pid.and_then(|pid| Some((pid, self.threads.get_mut(&pid)?)));
        // A program can set the mark itself, and so make a call that looks as if its path had been
        // translated.
        let is_translated = thread.as_ref().is_some_and(|(_, thread)| thread.is_translated());
        let is_marked = self.translator.is_some() && translation::is_marked(&notification);
        if is_marked && !is_translated {
            return layer.refuse(&notification);
        }
        let thread = thread.and_then(|(pid, thread)| Some((pid, thread.layer.as_mut()?)));
        layer.answer(&notification, thread);
    }

    /// Returns the files that were looked for and not found: absolute paths, each with a zero byte
    /// at its end.
    pub(super) fn into_missing(self) -> Vec<u8> {
        let missing = self.layer.map(Layer::into_missing).unwrap_or_default();
        let shown = |path: Vec<u8>| match &self.translator {
            Some(translator) => translator.shown(&path).unwrap_or(path),
            None => path,
        };
        missing.into_iter().map(shown).flat_map(|path| path.into_iter().chain([0])).collect()
    }

    /// Forgets a thread that has ended.
    pub(super) fn ended(&mut self, pid: Pid) {
        if let Some(translator) = &mut self.translator {
            translator.ended(pid);
        }
        self.threads.remove(&pid);
        self.early.remove(&pid);
    }

    /// Returns whether this is a thread of the command.
    pub(super) fn has(&self, pid: Pid) -> bool {
        self.threads.contains_key(&pid) || self.early.contains(&pid)
    }

    /// Kills every thread that is known.
    pub(super) fn kill_all(&self) {
        for pid in self.threads.keys().chain(&self.early) {
            // This fails only if the thread is already dead.
            let _ = kill_process(*pid, Signal::KILL);
        }
    }

    fn signalled(&mut self, pid: Pid, signal: i32) -> Result<()> {
        let Some(thread) = self.threads.get_mut(&pid) else {
            self.early.insert(pid);
            return Ok(());
        };
        match signal {
            CALL_STOP => self.leaves_call(pid),
            // This is the first program, which has not stopped before. Until now, no further events
            // could be asked for.
            libc::SIGTRAP if thread.is_new => {
                thread.is_new = false;
                trace::trace_all_of(pid)?;
                self.prepare(pid)?;
                trace::resume(pid, 0)
            }
            // Every other thread begins with this stop.
            libc::SIGSTOP if thread.is_new => {
                thread.is_new = false;
                trace::resume(pid, 0)
            }
            libc::SIGCHLD if thread.layer.is_some() => {
                trace::hide_use_of_child(pid)?;
                trace::resume(pid, signal)
            }
            signal => trace::resume(pid, signal),
        }
    }

    fn enters_call(&mut self, pid: Pid) -> Result<()> {
        let Some(thread) = self.threads.get_mut(&pid) else { return trace::resume(pid, 0) };
        let next = match &mut self.translator {
            Some(translator) => translator.enter(pid)?,
            None => Entered::NotOurs,
        };
        thread.call = match (next, &mut self.layer, &mut thread.layer) {
            (Entered::Wait(call), _, _) => Some(Call::Translated(call)),
            (Entered::NotOurs, Some(layer), Some(state)) => match layer.enter(pid, state) {
                Ok(call) => call.map(Call::Layer),
                Err(error) => {
                    fault(error, |result| Registers::of(pid)?.answer(pid, result))?;
                    None
                }
            },
            (Entered::Begin | Entered::NotOurs, _, _) => None,
        };
        match thread.call {
            Some(_) => trace::resume_to_exit(pid),
            None => trace::resume(pid, 0),
        }
    }

    fn leaves_call(&mut self, pid: Pid) -> Result<()> {
        let Some(thread) = self.threads.get_mut(&pid) else { return trace::resume(pid, 0) };
        match thread.call.take() {
            Some(Call::Program) => self.prepare(pid)?,
            Some(Call::Layer(call)) => {
                if let (Some(layer), Some(state)) = (&mut self.layer, &mut thread.layer)
                    && let Err(error) = layer.leave(pid, state, call)
                {
                    fault(error, |result| Registers::of(pid)?.leave_with(pid, result))?;
                }
            }
            Some(Call::Translated(call)) => {
                if let Some(translator) = &mut self.translator {
                    translator.leave(pid, call)?;
                }
            }
            None => {}
        }
        trace::resume(pid, 0)
    }

    /// Prepares a thread that has become a program, before the program begins.
    fn prepare(&mut self, pid: Pid) -> Result<()> {
        let Some(thread) = self.threads.get_mut(&pid) else { return Ok(()) };
        match (&self.layer, &mut thread.layer) {
            (Some(layer), Some(state)) => layer.prepare(pid, state),
            _ => Ok(()),
        }
    }

    fn becomes_program(&mut self, pid: Pid) -> Result<()> {
        // If it was not the first thread of its process, it is from now on.
        let before = trace::event_message(pid)?;
        let before = i32::try_from(before).ok().and_then(Pid::from_raw);
        if let Some(thread) = before.and_then(|before| self.threads.remove(&before)) {
            self.threads.insert(pid, thread);
        }
        // The thread can make no other call until the one returns that made it a program.
        if let Some(thread) = self.threads.get_mut(&pid) {
            thread.call = Some(Call::Program);
        }
        if let Some(translator) = &mut self.translator {
            translator.becomes_program(pid, before.unwrap_or(pid));
        }
        trace::resume_to_exit(pid)
    }

    /// Deals with `fork`, `vfork` and `clone`.
    fn starts_another(&mut self, pid: Pid, event: i32) -> Result<()> {
        let child = trace::event_message(pid)?;
        let child = i32::try_from(child).ok().and_then(Pid::from_raw);
        if let (Some(child), Some(parent)) = (child, self.threads.get_mut(&pid)) {
            let mut thread = parent.starts(event);
            if let Some(translator) = &mut self.translator {
                translator.starts(pid, child, event == libc::PTRACE_EVENT_VFORK);
            }
            if self.early.remove(&child) {
                thread.is_new = false;
                let _ = trace::resume(child, 0);
            }
            self.threads.insert(child, thread);
        }
        trace::resume(pid, 0)
    }
}

/// Makes a call fail because this process can't read or write its arguments. The kernel might be
/// able to, and its answer would describe the machine. `answer` sets the result.
fn fault(error: Errno, answer: impl FnOnce(i64) -> Result<()>) -> Result<()> {
    match error {
        Errno::SRCH => Err(error),
        _ => answer(-i64::from(libc::EFAULT)),
    }
}

impl Thread {
    /// Returns whether the thread is in a call that is made with a translated path.
    fn is_translated(&self) -> bool {
        matches!(self.call, Some(Call::Translated(translation::PendingCall::Changed(_))))
    }

    /// Returns the thread or process that this one starts; the event says which of the two it is.
    fn starts(&mut self, event: i32) -> Self {
        let is_thread = event == libc::PTRACE_EVENT_CLONE;
        let layer = self.layer.as_mut().map(|layer| match is_thread {
            true => layer.another(),
            false => layer.child(),
        });
        Self { is_new: true, call: None, layer }
    }
}
