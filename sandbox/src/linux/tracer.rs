//! Tracing a command: process 1 is told of what its threads do, and acts on behalf of the
//! [determinism layer](super::determinism) and of the [translation of paths](super::translation).
//!
//! The system call filter singles out the calls that matter; all others cost nothing. At some a thread
//! stops, on its way in and perhaps on its way out (`ptrace`, see `ptrace(2)`); others are answered in
//! the kernel's place (seccomp's user notification). Process 1 works on memory and registers of the
//! thread: how the program was linked, and in which language it is written, makes no difference.

use std::collections::{HashMap, HashSet};
use std::os::fd::BorrowedFd;

use rustix::io::{Errno, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::determinism::{self, Layer};
use super::sys::trace::{self, Registers};
use super::translation::{self, Next, Translator};

/// The stop of a thread at the end of a system call, as `PTRACE_O_TRACESYSGOOD` marks it.
const CALL_STOP: i32 = libc::SIGTRAP | 0x80;

/// All threads of a command.
pub(super) struct Tracer {
    layer: Option<Layer>,
    translator: Option<Translator>,
    threads: HashMap<Pid, Thread>,
    /// Threads that have stopped before their parent has told of them.
    early: HashSet<Pid>,
}

struct Thread {
    /// Whether its first stop is still to come.
    is_new: bool,
    /// The system call that it is in, if the end of that is waited for.
    call: Option<Call>,
    layer: Option<determinism::Thread>,
}

enum Call {
    Layer(determinism::Call),
    Translated(translation::Call),
    /// It has become another program.
    Program,
}

impl Tracer {
    /// `program` has asked to be traced and is about to stop for the first time, as a new program. If
    /// there is a translator, it has waited to be traced, and was told to go on.
    pub(super) fn new(program: Pid, layer: Option<Layer>, translator: Option<Translator>) -> Self {
        let first = Thread {
            is_new: translator.is_none(),
            call: None,
            layer: layer.as_ref().map(Layer::first_thread),
        };
        let threads = HashMap::from([(program, first)]);
        Self { layer, translator, threads, early: HashSet::new() }
    }

    /// Deals with a thread that has stopped, and lets it go on.
    pub(super) fn stopped(&mut self, pid: Pid, status: i32) {
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        let done = match event {
            0 => self.signalled(pid, signal),
            libc::PTRACE_EVENT_SECCOMP => self.enters_call(pid),
            libc::PTRACE_EVENT_EXEC => self.becomes_program(pid),
            event => self.starts_another(pid, event),
        };
        // A thread that is not there any more has been killed in the meantime. One that can't be asked or told
        // anything, such as a program that nobody may read, would wait forever, or go on as if it had been.
        if done.is_err_and(|error| error != Errno::SRCH) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Where calls arrive, if there is a layer that answers some.
    pub(super) fn listener(&self) -> Option<BorrowedFd<'static>> {
        self.layer.as_ref().map(Layer::listener)
    }

    /// Answers a call that has arrived.
    pub(super) fn answer(&mut self) {
        let Some(layer) = &mut self.layer else { return };
        let Some(notification) = layer.receive() else { return };
        let pid = Pid::from_raw(notification.thread);
        let thread = pid.and_then(|pid| Some((pid, self.threads.get_mut(&pid)?)));
        // The mark is no secret: a program can make a call that looks as if its path had been translated.
        let is_translated = thread.as_ref().is_some_and(|(_, thread)| thread.is_translated());
        let is_marked = self.translator.is_some() && translation::is_marked(&notification);
        if is_marked && !is_translated {
            return layer.refuse(&notification);
        }
        let thread = thread.and_then(|(pid, thread)| Some((pid, thread.layer.as_mut()?)));
        layer.answer(&notification, thread);
    }

    /// What was looked for and not found: absolute paths, each with a zero byte at its end.
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

    /// Whether this is a thread of the command.
    pub(super) fn has(&self, pid: Pid) -> bool {
        self.threads.contains_key(&pid) || self.early.contains(&pid)
    }

    /// Kills every thread that is known of.
    pub(super) fn kill_all(&self) {
        for pid in self.threads.keys().chain(&self.early) {
            // In vain only if it is dead already.
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
            // The first program, where it has not waited: until now nobody could ask for more than this.
            libc::SIGTRAP if thread.is_new => {
                thread.is_new = false;
                trace::trace_all_of(pid)?;
                self.prepare(pid)?;
                trace::resume(pid, 0)
            }
            // How every other thread begins.
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
            None => Next::NotOurs,
        };
        thread.call = match (next, &mut self.layer, &mut thread.layer) {
            (Next::Wait(call), _, _) => Some(Call::Translated(call)),
            (Next::NotOurs, Some(layer), Some(state)) => match layer.enter(pid, state) {
                Ok(call) => call.map(Call::Layer),
                Err(error) => {
                    fault(error, |result| Registers::of(pid)?.answer(pid, result))?;
                    None
                }
            },
            (Next::Begin | Next::NotOurs, _, _) => None,
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

    /// A thread has become a program, which has not begun yet.
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
        // Until the call that made it a program returns, it can make no other.
        if let Some(thread) = self.threads.get_mut(&pid) {
            thread.call = Some(Call::Program);
        }
        if let Some(translator) = &mut self.translator {
            translator.becomes_program(pid, before.unwrap_or(pid));
        }
        trace::resume_to_exit(pid)
    }

    /// `fork`, `vfork` and `clone`.
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

/// Has a call fail whose arguments this process can't read or write, by what gives it a result. The kernel
/// might be able to, and would tell of the machine.
fn fault(error: Errno, answer: impl FnOnce(i64) -> Result<()>) -> Result<()> {
    match error {
        Errno::SRCH => Err(error),
        _ => answer(-i64::from(libc::EFAULT)),
    }
}

impl Thread {
    /// Whether it is in a call that is made with a translated path.
    fn is_translated(&self) -> bool {
        matches!(self.call, Some(Call::Translated(translation::Call::Changed(_))))
    }

    /// The thread or process that this one starts, by the event that tells of it.
    fn starts(&mut self, event: i32) -> Self {
        let is_thread = event == libc::PTRACE_EVENT_CLONE;
        let layer = self.layer.as_mut().map(|layer| match is_thread {
            true => layer.another(),
            false => layer.child(),
        });
        Self { is_new: true, call: None, layer }
    }
}
