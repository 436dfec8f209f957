//! Decides which other processes a command without namespaces may act on.

use rustix::io::Errno;
use rustix::process::Pid;

use super::changes::Verdict;
use super::threads::Threads;

/// Decides which processes a command without namespaces may act on.
pub(super) struct ProcessRules {
    /// The number of this process, which is process 1; `group` is that of its process group.
    pub first: i32,
    pub group: i32,
    /// True if a thread may only act on processes of its own command.
    pub is_guarded: bool,
}

/// A call that sets the priority of others.
pub(super) struct SetPriority {
    /// With this value of `which`, the call means all processes of a user.
    pub user: i32,
    /// With this value of `which`, the call means all processes of a group.
    pub group: i32,
    pub which: i32,
    pub who: i32,
}

impl ProcessRules {
    /// Decides about a call that acts on a process, a thread or a process group. No command may act
    /// on process 1, which limits it.
    pub(super) fn process(&self, threads: &Threads, pid: Pid, number: i32) -> Verdict {
        let is_first = number != 0 && number.saturating_abs() == self.first;
        match number {
            _ if is_first => Errno::SRCH.into(),
            _ if !self.is_guarded => Verdict::Unchanged,
            // This means the thread's own process or group.
            0 => Verdict::Unchanged,
            -1 => Errno::PERM.into(),
            number if number == pid.as_raw_nonzero().get() => Verdict::Unchanged,
            number if threads.has(number.saturating_abs()) => Verdict::Unchanged,
            _ => Errno::SRCH.into(),
        }
    }

    /// Decides about a call that sets the priority of others.
    pub(super) fn priority(&self, threads: &Threads, pid: Pid, call: &SetPriority) -> Verdict {
        let &SetPriority { user, group, which, who } = call;
        match which {
            // Process 1 would be among these.
            _ if which == user => Errno::PERM.into(),
            _ if which == group && who == self.group => Errno::PERM.into(),
            _ => self.process(threads, pid, who),
        }
    }
}
