//! The lists of mounts in `/proc`: they name folders of the host, and numbers of file systems.
//!
//! There is one for each process, so nothing can be mounted over them. A thread that opens one is
//! given a list with the root alone.

use rustix::fs::readlink;
use rustix::process::Pid;

use crate::linux::sys::files::in_memory;
use crate::linux::sys::notify::Answer;
use crate::linux::sys::trace::path_at;

/// The files, and what stands in their place.
const LISTS: [(&[u8], &str); 4] = [
    (b"mountinfo", "1 1 0:1 / / ro - tmpfs tmpfs ro\n"),
    (b"mounts", "tmpfs / tmpfs ro 0 0\n"),
    (b"mountstats", "device tmpfs mounted on / with fstype tmpfs\n"),
    (b"mtab", "tmpfs / tmpfs ro 0 0\n"),
];

/// A thread opens a file; `place` is a descriptor and the address of a path.
pub(super) fn open(pid: Pid, place: (i32, u64), is_closed_on_exec: bool) -> Answer {
    let list = list(pid, place).and_then(|text| in_memory(c"mounts", text.as_bytes()).ok());
    match list {
        Some(file) => Answer::Descriptor(file, is_closed_on_exec),
        None => Answer::Continue,
    }
}

/// What the thread is to read, if it opens one of the lists.
fn list(pid: Pid, (fd, path): (i32, u64)) -> Option<&'static str> {
    let path = path_at(pid, path)?;
    let path = path.to_bytes();
    let name = path.rsplit(|byte| *byte == b'/').next()?;
    let (_, text) = LISTS.iter().find(|(list, _)| *list == name)?;
    if path.starts_with(b"/") {
        return (path.starts_with(b"/proc/") || path == b"/etc/mtab").then_some(text);
    }
    let process = pid.as_raw_nonzero();
    let base = match fd {
        libc::AT_FDCWD => format!("/proc/{process}/cwd"),
        fd => format!("/proc/{process}/fd/{fd}"),
    };
    let base = readlink(base, Vec::new()).ok()?;
    base.to_bytes().starts_with(b"/proc").then_some(text)
}
