//! Holds what the layer knows about one thread: its random numbers and its clock.

use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::clock::Clock;
use super::vdso::VdsoClocks;
use crate::linux::sys::notify::descriptor_of;
use crate::linux::view::random::Random;

pub(in crate::linux::inside) struct Thread {
    /// The seed of the random numbers of the thread's process.
    seed: u64,
    random: Random,
    pub(super) clock: Clock,
    /// The clock that the thread's program reads without system calls.
    pub(super) clocks: Option<VdsoClocks>,
    /// The number of processes that the thread has started.
    children: u64,
    /// The thread's process, once it was looked for. The inner `None` means that it could not be
    /// found.
    process: Option<Option<Process>>,
}

impl Thread {
    /// Creates the first thread of a process.
    pub(super) fn first(seed: u64) -> Self {
        Self {
            seed,
            random: Random(seed),
            clock: Clock::default(),
            clocks: None,
            children: 0,
            process: None,
        }
    }

    /// Creates another thread of this one's process. All threads that a process starts get the same
    /// random numbers: chance decides which of several workers gets a task, and that must make no
    /// difference.
    pub(in crate::linux::inside) fn another(&self) -> Self {
        let worker = Random(self.seed ^ u64::from_be_bytes(*b"a thread")).next();
        Self { random: Random(worker), clocks: self.clocks, ..Self::first(self.seed) }
    }

    /// Creates the first thread of the next process that this thread starts.
    pub(in crate::linux::inside) fn child(&mut self) -> Self {
        self.children += 1;
        let seed = Random(self.seed ^ self.children.rotate_left(32)).next();
        Self { clock: self.clock, clocks: self.clocks, ..Self::first(seed) }
    }

    pub(super) fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.random.next().to_le_bytes()[..chunk.len()]);
        }
    }

    /// Returns the thread's process, or `None` if it could not be found.
    pub(super) fn process_of(&mut self, pid: Pid) -> Option<&Process> {
        self.process.get_or_insert_with(|| Process::of(pid)).as_ref()
    }

    /// Returns a copy of one of the thread's descriptors.
    pub(super) fn descriptor(&mut self, pid: Pid, fd: i32) -> Option<OwnedFd> {
        let process = self.process_of(pid)?;
        descriptor_of(process.pidfd.as_fd(), fd).ok()
    }
}

/// The process of a thread.
pub(super) struct Process {
    pub id: Pid,
    pidfd: OwnedFd,
}

impl Process {
    fn of(thread: Pid) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", thread.as_raw_nonzero()));
        let status = status.ok()?;
        let id = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()?;
        let id = Pid::from_raw(id)?;
        Some(Self { id, pidfd: pidfd_open(id, PidfdFlags::empty()).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(thread: &mut Thread) -> [u8; 16] {
        let mut bytes = [0; 16];
        thread.fill(&mut bytes);
        bytes
    }

    #[test]
    fn every_process_has_a_sequence_of_its_own_that_its_descent_decides() {
        let family = |seed| {
            let mut first = Thread::first(seed);
            let mut second = first.child();
            let mut third = first.child();
            let mut fourth = second.child();
            // It makes no difference who draws first.
            [&mut fourth, &mut first, &mut third, &mut second].map(draw)
        };
        let drawn = family(7);
        assert_eq!(drawn, family(7));
        assert_ne!(drawn, family(8));
        for (index, bytes) in drawn.iter().enumerate() {
            assert!(!drawn[..index].contains(bytes), "{index}");
        }
        let mut bytes = [0; 3];
        Thread::first(7).fill(&mut bytes);
        assert_eq!(bytes, drawn[1][..3]);
    }

    #[test]
    fn it_makes_no_difference_which_worker_is_given_a_task() {
        let mut first = Thread::first(7);
        let (mut one, mut other) = (first.another(), first.another());
        let drawn = draw(&mut one);
        assert_ne!(draw(&mut first), drawn);
        assert_eq!(draw(&mut other), drawn);
        let [mut one, mut other] = [&mut one, &mut other].map(Thread::child);
        assert_eq!(draw(&mut one), draw(&mut other));
    }
}
