//! Which other processes a command without namespaces may have to do with.

use rustix::io::Errno;
use rustix::process::Pid;

use super::{Translator, Verdict};

impl Translator {
    /// A thread asks for a process, or a thread, or a group of some. This process, which limits the command,
    /// is out of its reach in any case.
    pub(super) fn process(&self, pid: Pid, number: i32) -> Verdict {
        let is_first = number != 0 && number.saturating_abs() == self.first;
        match number {
            _ if is_first => Errno::SRCH.into(),
            _ if !self.is_guarded => Verdict::Unchanged,
            // Itself, or its own group.
            0 => Verdict::Unchanged,
            -1 => Errno::PERM.into(),
            number if number == pid.as_raw_nonzero().get() => Verdict::Unchanged,
            number if self.has(number.saturating_abs()) => Verdict::Unchanged,
            _ => Errno::SRCH.into(),
        }
    }

    /// A thread sets how much of the machine others get.
    pub(super) fn priority(
        &self,
        pid: Pid,
        (user, group): (i32, i32),
        (which, who): (i32, i32),
    ) -> Verdict {
        match which {
            // That would be this process, too.
            _ if which == user => Errno::PERM.into(),
            _ if which == group && who == self.group => Errno::PERM.into(),
            _ => self.process(pid, who),
        }
    }
}
