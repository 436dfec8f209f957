//! Answers a thread that asks about a file system, whose kind, size and identity depend on the
//! machine.

use std::mem::offset_of;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::Pid;

use super::file::{File, FileArgument, descriptor};
use super::reply::{failed, written};
use crate::linux::sys::files;
use crate::linux::sys::notify::Answer;
use crate::linux::sys::trace::write_memory;

/// Answers `statfs`.
pub(super) fn of_path(pid: Pid, argument: FileArgument, to: u64) -> Answer {
    let file = match File::at(pid, argument, 0) {
        Ok(file) => file,
        Err(answer) => return answer,
    };
    let opened = openat(file.base(), file.path(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    match opened {
        Ok(opened) => tell(pid, &opened, to),
        Err(Errno::ACCESS | Errno::PERM) => Answer::Continue,
        Err(error) => failed(error),
    }
}

pub(super) fn of_descriptor(pid: Pid, fd: i32, to: u64) -> Answer {
    match descriptor(pid, fd) {
        Some(opened) => tell(pid, &opened, to),
        None => Answer::Continue,
    }
}

fn tell(pid: Pid, file: &OwnedFd, to: u64) -> Answer {
    match files::statfs(file.as_fd()) {
        Ok(mut told) => {
            mend(&mut told);
            written(write_memory(pid, to, &told), 0)
        }
        Err(error) => failed(error),
    }
}

/// Describes a disk of 64 GiB that is half full. Two facts stay true: whether the file system is
/// `/proc`, which programs check, and whether it can be written to, which is part of the view.
fn mend(told: &mut [u8; files::STATFS]) {
    let get = |told: &[u8], at: usize| {
        u64::from_ne_bytes(told[at..at + 8].try_into().expect("it is eight bytes"))
    };
    let kind = get(told, offset_of!(libc::statfs, f_type));
    let is_read_only = get(told, FLAGS) & libc::ST_RDONLY;
    told.fill(0);
    let mut set = |at: usize, value: u64| told[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    let is_of_processes = kind == libc::PROC_SUPER_MAGIC as u64;
    set(offset_of!(libc::statfs, f_type), if is_of_processes { kind } else { EXT4 });
    let [blocks, files] = if is_of_processes { [0, 0] } else { [BLOCKS, FILES] };
    set(offset_of!(libc::statfs, f_bsize), 4096);
    set(offset_of!(libc::statfs, f_blocks), blocks);
    set(offset_of!(libc::statfs, f_bfree), blocks / 2);
    set(offset_of!(libc::statfs, f_bavail), blocks / 2);
    set(offset_of!(libc::statfs, f_files), files);
    set(offset_of!(libc::statfs, f_ffree), files / 2);
    set(offset_of!(libc::statfs, f_namelen), 255);
    set(offset_of!(libc::statfs, f_frsize), 4096);
    set(FLAGS, VALID | libc::ST_NOSUID | libc::ST_NODEV | libc::ST_RELATIME | is_read_only);
}

const EXT4: u64 = libc::EXT4_SUPER_MAGIC as u64;
const BLOCKS: u64 = (64 << 30) / 4096;
const FILES: u64 = 1 << 22;
/// The offset of the flags, for which `libc` has no name.
const FLAGS: usize = offset_of!(libc::statfs, f_frsize) + 8;
/// This flag says that the flags are set.
const VALID: u64 = 0x20;

#[cfg(test)]
mod tests {
    use rustix::fs::open;

    use super::*;

    #[test]
    fn all_disks_are_the_same() {
        let told = |path: &str| {
            let folder = open(path, OFlags::PATH, Mode::empty()).unwrap();
            let mut told = files::statfs(folder.as_fd()).unwrap();
            mend(&mut told);
            told
        };
        assert_eq!(told("/"), told("/tmp"));
        assert_ne!(told("/proc"), told("/"));
        assert_eq!(told("/proc"), told("/proc/self"));
    }
}
