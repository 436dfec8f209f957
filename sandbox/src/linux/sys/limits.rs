//! Sets what the processes of commands and of workers have in common.

use rustix::io::{Errno, Result};

use super::files::write_setting;

/// Makes this process the one that the kernel kills first if the machine runs out of memory, so
/// that it does not kill the caller. Call it before the change of user: afterwards the kernel
/// refuses it.
pub(in crate::linux) fn offer_to_oom_killer() -> Result<()> {
    match write_setting(c"/proc/self/oom_score_adj", b"500") {
        // The value is already higher, and was set by a privileged process.
        Err(Errno::ACCESS) => Ok(()),
        result => result,
    }
}

/// This is the largest size of a core file at which the kernel writes none and starts no program to
/// take it. At a limit of 0, a program of the host that takes core files from a pipe
/// (`kernel.core_pattern`) would run all the same, as root.
pub(in crate::linux) const CORE: Option<u64> = Some(1);
