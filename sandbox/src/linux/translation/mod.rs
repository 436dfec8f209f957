//! A file tree without mounts: where there are no namespaces, paths are translated, in every system call
//! that has one.
//!
//! A thread stops on its way into such a call. Process 1 reads the path, finds out what it means in the
//! [file tree](Tree) of the command, and has the call made with the path of the host; on the way out
//! the thread has its registers back. What the kernel tells of paths is translated in the other
//! direction. Programs are started with the loader and the interpreter that the tree has ([`programs`]).
//!
//! This shows a file tree, it doesn't guard one: a thread can change a path between the translation and
//! the call. What a command can read and write is for Landlock to say. But one thread alone gets around
//! nothing: a call with a path, a folder or a descriptor that this process can't look at is never made.

mod calls;
mod changes;
mod guard;
mod places;
mod programs;
mod reach;
mod root;
mod start;
mod tree;
mod trees;

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::CStr;

use rustix::fs::readlink;
use rustix::io::{Errno, Result};
use rustix::process::{Pid, getpgrp, getpid};

pub(super) use calls::TRANSLATED;
pub(super) use root::NotMade;
pub(super) use start::launch;
pub(super) use trees::Trees;

use self::calls::{Kind, Last, PathArgument};
use self::changes::Changes;
use self::places::{Meaning, Named};
use self::programs::Programs;
use self::tree::{Target, Tree};
use super::determinism::numbered;
use super::sys::notify::Notification;
use super::sys::trace::{Registers, write_memory};

/// The last argument of a call whose path has been translated, where the determinism layer answers it
/// besides. No such call has six arguments.
pub(super) const TRANSLATED_MARK: u32 = 0x7275_6e21;

/// Whether a call that has arrived says that its path has been translated.
pub(super) fn is_marked(notification: &Notification) -> bool {
    notification.arguments[5] as u32 == TRANSLATED_MARK && TRANSLATED.contains(&notification.call)
}

/// What is known of the paths of a command.
pub(super) struct Translator {
    tree: Tree,
    programs: Programs,
    /// Whether a thread may only ask for processes of the command.
    is_guarded: bool,
    /// Whether the determinism layer answers calls besides.
    is_marked: bool,
    /// The numbers of this process and of its group.
    first: i32,
    group: i32,
    threads: HashMap<Pid, Thread>,
}

/// What is known of one thread.
#[derive(Clone, Debug, Default)]
struct Thread {
    /// Its memory for translated paths.
    room: Room,
    /// The program that it runs, as a path of the tree.
    program: Option<Vec<u8>>,
    /// The program that it is becoming.
    next_program: Option<Vec<u8>>,
    /// The number of its process, once somebody has asked for it.
    process: Cell<Option<i32>>,
}

/// Memory of a thread that only the translation uses.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    at: u64,
    size: u64,
}

/// How a call goes on.
pub(super) enum Next {
    /// It is none of those that are translated.
    NotOurs,
    /// It is made, or answered already; how it ends is of no interest.
    Begin,
    /// Its end has to be waited for.
    Wait(Call),
}

/// A call whose end is waited for.
pub(super) enum Call {
    /// It was made with other arguments; the registers get their old values.
    Changed(Box<Registers>),
    /// Memory was mapped in its place, of this size; now it is made itself.
    Deferred(Box<Registers>, u64),
}

/// What becomes of a call.
enum Verdict {
    /// It is made as it is.
    Unchanged,
    /// It is not made; this is its result.
    Result(i64),
    /// It is made with other arguments.
    Changed(Changes),
}

impl From<Errno> for Verdict {
    fn from(error: Errno) -> Self {
        Self::Result(-i64::from(error.raw_os_error()))
    }
}

impl Translator {
    /// For a command whose first thread is `program`. `copies` is a folder for changed copies of
    /// programs.
    pub(super) fn new(
        program: Pid,
        tree: Tree,
        copies: &CStr,
        (is_guarded, is_marked): (bool, bool),
    ) -> Self {
        let threads = HashMap::from([(program, Thread::default())]);
        let number = |pid: Pid| pid.as_raw_nonzero().get();
        let (first, group) = (number(getpid()), number(getpgrp()));
        let programs = Programs::new(copies);
        Self { tree, programs, is_guarded, is_marked, first, group, threads }
    }

    /// A path of the host as one of the tree, if it is in there.
    pub(super) fn shown(&self, host: &[u8]) -> Option<Vec<u8>> {
        self.programs.original(host).or_else(|| self.tree.shown(host))
    }

    pub(super) fn starts(&mut self, parent: Pid, child: Pid, shares_memory: bool) {
        let mut thread = self.threads.get(&parent).cloned().unwrap_or_default();
        thread.process = Cell::default();
        // Its parent rests until the child has memory of its own; other threads don't.
        if !shares_memory {
            thread.room = Room::default();
        }
        self.threads.insert(child, thread);
    }

    pub(super) fn becomes_program(&mut self, pid: Pid, before: Pid) {
        if let Some(mut thread) = self.threads.remove(&before) {
            thread.room = Room::default();
            thread.process = Cell::default();
            thread.program = thread.next_program.take();
            self.threads.insert(pid, thread);
        }
    }

    pub(super) fn ended(&mut self, pid: Pid) {
        self.threads.remove(&pid);
    }

    /// A thread is about to make a call.
    pub(super) fn enter(&mut self, pid: Pid) -> Result<Next> {
        let registers = Registers::of(pid)?;
        let Some(kind) = calls::kind(registers.call()) else { return Ok(Next::NotOurs) };
        let arguments = registers.arguments();
        let verdict = match kind {
            Kind::Paths(paths) => self.paths(pid, arguments, paths),
            Kind::Execute { folder, path, arguments: list, flags } => {
                let path = PathArgument::executed(folder, path);
                self.execute(pid, arguments, path, (list, flags))
            }
            Kind::ReadLink { folder, path } => self.read_link(pid, arguments, folder, path),
            Kind::WorkingDirectory => self.working_directory(pid, arguments),
            Kind::Change(at) => self.change_of(pid, arguments[at] as i32),
            Kind::Process(at) => self.process(pid, arguments[at] as i32),
            Kind::Priority { user, group } => {
                self.priority(pid, (user, group), (arguments[0] as i32, arguments[1] as i32))
            }
            Kind::Refused(error) => error.into(),
        };
        match verdict {
            Verdict::Unchanged => Ok(Next::Begin),
            Verdict::Result(result) => registers.answer(pid, result).map(|()| Next::Begin),
            Verdict::Changed(changes) => self.change(pid, registers, changes),
        }
    }

    /// A call has been made whose end was waited for.
    pub(super) fn leave(&mut self, pid: Pid, call: Call) -> Result<()> {
        match call {
            Call::Changed(before) => before.restore_arguments(pid),
            Call::Deferred(before, size) => {
                let result = Registers::of(pid)?.result();
                let Ok(at) = u64::try_from(result) else { return before.leave_with(pid, result) };
                if let Some(thread) = self.threads.get_mut(&pid) {
                    thread.room = Room { at, size };
                }
                before.make_again(pid)
            }
        }
    }

    /// Has a call made with other arguments; first of all, with memory for them.
    fn change(&mut self, pid: Pid, registers: Registers, changes: Changes) -> Result<Next> {
        let room = self.threads.get(&pid).map(|thread| thread.room).unwrap_or_default();
        let (values, bytes) = changes.at(room.at);
        let needed = bytes.len() as u64;
        // A program may have given away what is not its own.
        if needed > room.size || write_memory(pid, room.at, &bytes).is_err() {
            let size = needed.next_multiple_of(4096).max(8192);
            let (protection, flags) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            let map = [place_for(pid), size, protection as u64, flags as u64, u64::MAX, 0];
            registers.replace_call(pid, libc::SYS_mmap, map)?;
            return Ok(Next::Wait(Call::Deferred(Box::new(registers), size)));
        }
        registers.replace_arguments(pid, &values)?;
        Ok(Next::Wait(Call::Changed(Box::new(registers))))
    }

    fn paths(&self, pid: Pid, arguments: [u64; 6], paths: &[PathArgument]) -> Verdict {
        let mut changes = Changes::default();
        for path in paths {
            let Named { text, is_understood, place } = match self.place(pid, arguments, path) {
                Ok(Meaning::Path(named)) => named,
                Ok(Meaning::Descriptor(fd)) if path.is_changed() => match self.change_of(pid, fd) {
                    Verdict::Unchanged => continue,
                    refused => return refused,
                },
                Ok(Meaning::Descriptor(_)) => continue,
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

    /// Whether this is a thread of the command.
    fn has(&self, number: i32) -> bool {
        Pid::from_raw(number).is_some_and(|pid| self.threads.contains_key(&pid))
    }

    fn execute(
        &mut self,
        pid: Pid,
        arguments: [u64; 6],
        path: PathArgument,
        (list, flags): (usize, Option<usize>),
    ) -> Verdict {
        let is_empty_allowed =
            flags.is_some_and(|at| arguments[at] as i32 & libc::AT_EMPTY_PATH != 0);
        let named = match self.place(pid, arguments, &path) {
            Ok(Meaning::Path(named)) => Ok(named),
            // So the kernel calls it, too.
            Ok(Meaning::Descriptor(fd)) if is_empty_allowed => {
                self.named(pid, format!("/dev/fd/{fd}").into_bytes(), (None, Last::Followed))
            }
            Ok(Meaning::Descriptor(_)) => Err(Errno::NOENT),
            Err(error) => Err(error),
        };
        let Named { text, mut place, .. } = match named {
            Ok(named) => named,
            Err(error) => return error.into(),
        };
        place.host = self.seen_here(pid, place.host);
        let find = |path: &[u8]| Ok(self.named(pid, path.to_vec(), (None, Last::Followed))?.place);
        let program = match programs::find(text, place, &find) {
            Ok(program) => program,
            Err(error) => return error.into(),
        };
        let host = match self.programs.load(&program, &self.tree) {
            Ok(host) => host,
            Err(error) => return error.into(),
        };
        let mut changes = Changes { texts: vec![(path.at, host)], ..Changes::default() };
        if !program.before.is_empty() {
            let Some(rest) = programs::strings(pid, arguments[list]) else {
                return Errno::FAULT.into();
            };
            // The name of the script stands in the place of its own.
            let rest = rest.get(1..).unwrap_or_default().to_vec();
            changes.list = Some((list, program.before, rest));
        }
        if let Some(thread) = self.threads.get_mut(&pid) {
            thread.next_program = Some(program.shown);
        }
        Verdict::Changed(changes)
    }

    /// The text of a link, as one of the tree.
    fn read_link(
        &self,
        pid: Pid,
        arguments: [u64; 6],
        folder: Option<usize>,
        at: usize,
    ) -> Verdict {
        let path = PathArgument::link(folder, at);
        let place = match self.place(pid, arguments, &path) {
            Ok(Meaning::Path(Named { place, .. })) => Ok(place),
            // A link that is open itself; the kernel says of anything else that it is not there.
            Ok(Meaning::Descriptor(fd)) => self.file(pid, fd).and_then(|file| match file {
                Target::Path(path) => self.walk(pid, b"/", &path, Last::Kept),
                Target::Nameless | Target::Foreign => Err(Errno::NOENT),
            }),
            Err(error) => Err(error),
        };
        let host = match place {
            Ok(place) => self.seen_here(pid, place.host),
            Err(error) => return error.into(),
        };
        let text = match readlink(host.as_slice(), Vec::new()) {
            Ok(text) => text.into_bytes(),
            Err(error) => return error.into(),
        };
        if self.is_marked && host.starts_with(b"/proc/") && numbered(&text).is_some() {
            // The number is for the determinism layer to tell.
            let values = vec![(5, TRANSLATED_MARK.into())];
            return Verdict::Changed(Changes { values, texts: vec![(at, host)], list: None });
        }
        let text = match host.starts_with(b"/proc/") {
            true => self.shown_link(&host, text),
            false => text,
        };
        let (to, size) = (arguments[at + 1], arguments[at + 2] as usize);
        if size == 0 {
            return Errno::INVAL.into();
        }
        told(pid, to, &text[..text.len().min(size)])
    }

    fn working_directory(&self, pid: Pid, [to, size, ..]: [u64; 6]) -> Verdict {
        let Ok(path) = places::link(pid, "cwd") else { return Errno::NOENT.into() };
        let mut path = self.shown(&path).unwrap_or(path);
        path.push(0);
        if path.len() as u64 > size {
            return Errno::RANGE.into();
        }
        told(pid, to, &path)
    }
}

/// The answer of a call that writes a text and returns its length.
fn told(pid: Pid, to: u64, text: &[u8]) -> Verdict {
    match write_memory(pid, to, text) {
        Ok(()) => Verdict::Result(text.len() as i64),
        Err(_) => Errno::FAULT.into(),
    }
}

/// Where the memory of a thread may lie: far from where the kernel puts what the program asks for, which
/// is to have the same addresses with and without.
fn place_for(pid: Pid) -> u64 {
    const BEGIN: u64 = 0x6000_0000_0000;
    const EACH: u64 = 1 << 20;
    BEGIN + (pid.as_raw_nonzero().get() as u64 & 0xffff) * EACH
}
