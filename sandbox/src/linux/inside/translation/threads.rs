//! Remembers what the translation has to know about the threads of a command.

use std::cell::Cell;
use std::collections::HashMap;

use rustix::process::Pid;

/// Holds the threads of a command.
pub(super) struct Threads(HashMap<Pid, Thread>);

/// Holds what is known about one thread.
#[derive(Clone, Debug, Default)]
struct Thread {
    /// The thread's memory for translated paths.
    room: ScratchMemory,
    /// The program that the thread runs, as a path of the tree.
    program: Option<Vec<u8>>,
    /// The program that the thread is about to become.
    next_program: Option<Vec<u8>>,
    /// The number of the thread's process, once it was asked for.
    process: Cell<Option<i32>>,
}

/// Memory of a thread that only the translation uses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ScratchMemory {
    pub at: u64,
    pub size: u64,
}

impl Threads {
    /// Begins with the first thread of a command.
    pub(super) fn new(first: Pid) -> Self {
        Self(HashMap::from([(first, Thread::default())]))
    }

    pub(super) fn starts(&mut self, parent: Pid, child: Pid, shares_memory: bool) {
        let mut thread = self.0.get(&parent).cloned().unwrap_or_default();
        thread.process = Cell::default();
        // The parent waits until the child has its own memory. Other threads run at the same time,
        // and need memory of their own.
        if !shares_memory {
            thread.room = ScratchMemory::default();
        }
        self.0.insert(child, thread);
    }

    pub(super) fn becomes_program(&mut self, pid: Pid, before: Pid) {
        if let Some(mut thread) = self.0.remove(&before) {
            thread.room = ScratchMemory::default();
            thread.process = Cell::default();
            thread.program = thread.next_program.take();
            self.0.insert(pid, thread);
        }
    }

    pub(super) fn ended(&mut self, pid: Pid) {
        self.0.remove(&pid);
    }

    /// Returns whether this is a thread of the command.
    pub(super) fn has(&self, number: i32) -> bool {
        Pid::from_raw(number).is_some_and(|pid| self.0.contains_key(&pid))
    }

    pub(super) fn room(&self, pid: Pid) -> ScratchMemory {
        self.0.get(&pid).map(|thread| thread.room).unwrap_or_default()
    }

    pub(super) fn set_room(&mut self, pid: Pid, room: ScratchMemory) {
        if let Some(thread) = self.0.get_mut(&pid) {
            thread.room = room;
        }
    }

    /// Remembers which program a thread is about to become.
    pub(super) fn begins_program(&mut self, pid: Pid, program: Vec<u8>) {
        if let Some(thread) = self.0.get_mut(&pid) {
            thread.next_program = Some(program);
        }
    }

    /// Returns the program of a thread, if the path is that of the link to it.
    pub(super) fn program_of(&self, link: &[u8]) -> Option<Vec<u8>> {
        let number = link.strip_prefix(b"/proc/")?.strip_suffix(b"/exe")?;
        let pid = Pid::from_raw(std::str::from_utf8(number).ok()?.parse().ok()?)?;
        self.0.get(&pid)?.program.clone()
    }

    /// Returns the number of the process that a thread belongs to: "self" shows the descriptors of
    /// its first thread. If the number can't be found out it is 0, so that no such path exists.
    pub(super) fn process_of(&self, pid: Pid) -> i32 {
        let thread = self.0.get(&pid);
        let known = thread.and_then(|thread| thread.process.get());
        let number = known.or_else(|| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
            status.ok()?.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
        });
        if let Some(thread) = thread {
            thread.process.set(number);
        }
        number.unwrap_or(0)
    }
}
