//! Treats the system calls of one command that name files or processes. Before a call is made, its
//! arguments are changed, or it is answered or refused here. After it, the thread gets its old
//! registers back.
//!
//! Without namespaces the kernel would look for a path in the host's file tree. So a path of the
//! command's tree is replaced by the host's path of the same file. This file does not know how the
//! thread is stopped: see `tracer`.

use rustix::fs::readlink;
use rustix::io::{Errno, Result};
use rustix::process::{Pid, getpgrp, getpid};

use super::calls::{self, Execute, PathArgument, TRANSLATED, Treatment};
use super::changes::{Changes, Verdict};
use super::places::{self, NamedFile, PathMeaning, Places};
use super::process_rules::{ProcessRules, SetPriority};
use super::programs::{self, Programs};
use super::threads::ScratchMemory;
use super::walk::{LastLink, LinkTarget};
use crate::linux::inside::determinism::numbered;
use crate::linux::inside::seccomp::TRANSLATED_MARK;
use crate::linux::sys::notify::Notification;
use crate::linux::sys::trace::{Registers, write_memory};
use crate::linux::view::tree::Tree;
use crate::linux::wire::plan::TranslationPlan;

/// Returns whether a call that has arrived is marked as one whose path has been translated.
pub(in crate::linux::inside) fn is_marked(notification: &Notification) -> bool {
    notification.arguments[5] as u32 == TRANSLATED_MARK && TRANSLATED.contains(&notification.call)
}

/// Translates the paths of one command.
pub(in crate::linux::inside) struct Translator {
    places: Places,
    processes: ProcessRules,
    /// True if the determinism layer also answers calls.
    is_marked: bool,
}

/// Says how a call continues.
pub(in crate::linux::inside) enum Entered {
    /// The call is not one that is translated.
    NotOurs,
    /// The call is made, or already answered. Its end does not matter.
    Begin,
    /// The tracer has to wait until the call has ended.
    Wait(PendingCall),
}

/// A call whose end the tracer waits for.
pub(in crate::linux::inside) enum PendingCall {
    /// The call was made with other arguments. The registers get their old values back.
    Changed(Box<Registers>),
    /// Memory of this size was mapped in place of the call. Now the call itself is made.
    Deferred(Box<Registers>, u64),
}

impl Translator {
    /// Creates a translator for a command whose first thread is `program`. `copies` is a folder for
    /// changed copies of programs.
    pub(in crate::linux::inside) fn new(
        program: Pid,
        tree: Tree,
        plan: &TranslationPlan,
        is_marked: bool,
    ) -> Self {
        let is_guarded = plan.is_guarded;
        let number = |pid: Pid| pid.as_raw_nonzero().get();
        let (first, group) = (number(getpid()), number(getpgrp()));
        let places = Places::new(tree, Programs::new(&plan.copies), program, is_guarded);
        Self { places, processes: ProcessRules { first, group, is_guarded }, is_marked }
    }

    /// Returns the path of the tree for a path of the host, if the tree holds it.
    pub(in crate::linux::inside) fn shown(&self, host: &[u8]) -> Option<Vec<u8>> {
        self.places.shown(host)
    }

    pub(in crate::linux::inside) fn starts(
        &mut self,
        parent: Pid,
        child: Pid,
        shares_memory: bool,
    ) {
        self.places.threads.starts(parent, child, shares_memory);
    }

    pub(in crate::linux::inside) fn becomes_program(&mut self, pid: Pid, before: Pid) {
        self.places.threads.becomes_program(pid, before);
    }

    pub(in crate::linux::inside) fn ended(&mut self, pid: Pid) {
        self.places.threads.ended(pid);
    }

    /// Treats a call that a thread is about to make.
    pub(in crate::linux::inside) fn enter(&mut self, pid: Pid) -> Result<Entered> {
        let registers = Registers::of(pid)?;
        let Some(kind) = calls::kind(registers.call()) else { return Ok(Entered::NotOurs) };
        let arguments = registers.arguments();
        let verdict = match kind {
            Treatment::Paths(paths) => self.paths(pid, arguments, paths),
            Treatment::Execute(execute) => self.execute(pid, arguments, execute),
            Treatment::ReadLink { folder, path } => self.read_link(pid, arguments, folder, path),
            Treatment::WorkingDirectory => self.working_directory(pid, arguments),
            Treatment::Change(at) => self.places.change_of(pid, arguments[at] as i32),
            Treatment::Process(at) => {
                self.processes.process(&self.places.threads, pid, arguments[at] as i32)
            }
            Treatment::Priority { user, group } => {
                let (which, who) = (arguments[0] as i32, arguments[1] as i32);
                let call = SetPriority { user, group, which, who };
                self.processes.priority(&self.places.threads, pid, &call)
            }
            Treatment::Refused(error) => error.into(),
        };
        match verdict {
            Verdict::Unchanged => Ok(Entered::Begin),
            Verdict::Result(result) => registers.answer(pid, result).map(|()| Entered::Begin),
            Verdict::Changed(changes) => self.change(pid, registers, changes),
        }
    }

    /// Treats a call that has ended.
    pub(in crate::linux::inside) fn leave(&mut self, pid: Pid, call: PendingCall) -> Result<()> {
        match call {
            PendingCall::Changed(before) => before.restore_arguments(pid),
            PendingCall::Deferred(before, size) => {
                let result = Registers::of(pid)?.result();
                let Ok(at) = u64::try_from(result) else { return before.leave_with(pid, result) };
                self.places.threads.set_room(pid, ScratchMemory { at, size });
                before.make_again(pid)
            }
        }
    }

    /// Has a call made with other arguments. If the thread has no memory for them, memory is mapped
    /// first.
    fn change(&mut self, pid: Pid, registers: Registers, changes: Changes) -> Result<Entered> {
        let room = self.places.threads.room(pid);
        let (values, bytes) = changes.at(room.at);
        let needed = bytes.len() as u64;
        // The program may have unmapped memory that is not its own.
        if needed > room.size || write_memory(pid, room.at, &bytes).is_err() {
            let size = needed.next_multiple_of(4096).max(8192);
            let (protection, flags) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            let map = [place_for(pid), size, protection as u64, flags as u64, u64::MAX, 0];
            registers.replace_call(pid, libc::SYS_mmap, map)?;
            return Ok(Entered::Wait(PendingCall::Deferred(Box::new(registers), size)));
        }
        registers.replace_arguments(pid, &values)?;
        Ok(Entered::Wait(PendingCall::Changed(Box::new(registers))))
    }

    fn paths(&self, pid: Pid, arguments: [u64; 6], paths: &[PathArgument]) -> Verdict {
        let mut changes = Changes::default();
        for path in paths {
            let NamedFile { text, is_understood, place } =
                match self.places.place(pid, arguments, path) {
                    Ok(PathMeaning::Path(named)) => named,
                    Ok(PathMeaning::Descriptor(fd)) if path.is_changed() => {
                        match self.places.change_of(pid, fd) {
                            Verdict::Unchanged => continue,
                            refused => return refused,
                        }
                    }
                    Ok(PathMeaning::Descriptor(_)) => continue,
                    Err(error) => return error.into(),
                };
            if path.writes(arguments, &place) && !place.is_writable {
                return path.refusal(arguments, &place).into();
            }
            if !is_understood && place.host != text {
                changes.texts.push((path.at, place.host));
            }
        }
        if self.is_marked && paths.iter().any(|path| path.is_answered) {
            changes.values.push((5, TRANSLATED_MARK.into()));
        }
        match changes.values.is_empty() && changes.texts.is_empty() {
            true => Verdict::Unchanged,
            false => Verdict::Changed(changes),
        }
    }

    fn execute(&mut self, pid: Pid, arguments: [u64; 6], execute: Execute) -> Verdict {
        let Execute { folder, path, list, flags } = execute;
        let path = PathArgument::executed(folder, path);
        let is_empty_allowed =
            flags.is_some_and(|at| arguments[at] as i32 & libc::AT_EMPTY_PATH != 0);
        let named = match self.places.place(pid, arguments, &path) {
            Ok(PathMeaning::Path(named)) => Ok(named),
            // The kernel gives it the same name.
            Ok(PathMeaning::Descriptor(fd)) if is_empty_allowed => self.places.named(
                pid,
                format!("/dev/fd/{fd}").into_bytes(),
                None,
                LastLink::Followed,
            ),
            Ok(PathMeaning::Descriptor(_)) => Err(Errno::NOENT),
            Err(error) => Err(error),
        };
        let NamedFile { text, mut place, .. } = match named {
            Ok(named) => named,
            Err(error) => return error.into(),
        };
        place.host = self.places.seen_here(pid, place.host);
        let find = |path: &[u8]| {
            Ok(self.places.named(pid, path.to_vec(), None, LastLink::Followed)?.place)
        };
        let program = match programs::find(text, place, &find) {
            Ok(program) => program,
            Err(error) => return error.into(),
        };
        let host = match self.places.load(&program) {
            Ok(host) => host,
            Err(error) => return error.into(),
        };
        let mut changes = Changes { texts: vec![(path.at, host)], ..Changes::default() };
        if !program.before.is_empty() {
            let Some(rest) = programs::strings(pid, arguments[list]) else {
                return Errno::FAULT.into();
            };
            // The name of the script replaces the program's own name.
            let rest = rest.get(1..).unwrap_or_default().to_vec();
            changes.list = Some((list, program.before, rest));
        }
        self.places.threads.begins_program(pid, program.shown);
        Verdict::Changed(changes)
    }

    /// Answers with the text of a link, as a path of the tree.
    fn read_link(
        &self,
        pid: Pid,
        arguments: [u64; 6],
        folder: Option<usize>,
        at: usize,
    ) -> Verdict {
        let path = PathArgument::link(folder, at);
        let place = match self.places.place(pid, arguments, &path) {
            Ok(PathMeaning::Path(NamedFile { place, .. })) => Ok(place),
            // This reads a link that is open itself. For all other files the kernel says that there
            // is no such file.
            Ok(PathMeaning::Descriptor(fd)) => {
                self.places.file(pid, fd).and_then(|file| match file {
                    LinkTarget::Path(path) => self.places.walk(pid, b"/", &path, LastLink::Kept),
                    LinkTarget::Nameless | LinkTarget::Foreign => Err(Errno::NOENT),
                })
            }
            Err(error) => Err(error),
        };
        let host = match place {
            Ok(place) => self.places.seen_here(pid, place.host),
            Err(error) => return error.into(),
        };
        let text = match readlink(host.as_slice(), Vec::new()) {
            Ok(text) => text.into_bytes(),
            Err(error) => return error.into(),
        };
        if self.is_marked && host.starts_with(b"/proc/") && numbered(&text).is_some() {
            // The determinism layer answers with the number.
            let values = vec![(5, TRANSLATED_MARK.into())];
            return Verdict::Changed(Changes { values, texts: vec![(at, host)], list: None });
        }
        let text = match host.starts_with(b"/proc/") {
            true => self.places.shown_link(&host, text),
            false => text,
        };
        let (to, size) = (arguments[at + 1], arguments[at + 2] as usize);
        if size == 0 {
            return Errno::INVAL.into();
        }
        write_text(pid, to, &text[..text.len().min(size)])
    }

    fn working_directory(&self, pid: Pid, [to, size, ..]: [u64; 6]) -> Verdict {
        let Ok(path) = places::link(pid, "cwd") else { return Errno::NOENT.into() };
        let mut path = self.places.shown(&path).unwrap_or(path);
        path.push(0);
        if path.len() as u64 > size {
            return Errno::RANGE.into();
        }
        write_text(pid, to, &path)
    }
}

/// Writes a text to the thread's memory. The call returns its length.
fn write_text(pid: Pid, to: u64, text: &[u8]) -> Verdict {
    match write_memory(pid, to, text) {
        Ok(()) => Verdict::Result(text.len() as i64),
        Err(_) => Errno::FAULT.into(),
    }
}

/// Returns an address for the memory of a thread. It is far from the addresses that the kernel
/// gives to the program, so these are the same with and without the translation.
fn place_for(pid: Pid) -> u64 {
    const BEGIN: u64 = 0x6000_0000_0000;
    const EACH: u64 = 1 << 20;
    BEGIN + (pid.as_raw_nonzero().get() as u64 & 0xffff) * EACH
}
