//! The links of `/proc` that say which pipe, socket or namespace something is: by a number of the machine.
//!
//! They get the number that `fstat` tells of the same thing.

use std::os::fd::AsFd;

use rustix::fs::{readlink, readlinkat};
use rustix::process::Pid;

use super::inodes::Inodes;
use super::paths::File;
use crate::linux::sys::files;
use crate::linux::sys::notify::Answer;
use crate::linux::sys::trace::write_memory;

/// A thread reads the link at `place`, a descriptor and the address of a path, into memory of that size.
pub(super) fn read(
    pid: Pid,
    place: (i32, u64),
    (to, size): (u64, u64),
    inodes: &mut Inodes,
) -> Answer {
    let file = match File::at(pid, place, libc::AT_SYMLINK_NOFOLLOW) {
        Ok(file) => file,
        Err(answer) => return answer,
    };
    match text(&file, inodes) {
        Some(text) if size > 0 => {
            let text = &text[..text.len().min(size as usize)];
            super::answers::written(write_memory(pid, to, text), text.len() as i64)
        }
        _ => Answer::Continue,
    }
}

/// What is to be read instead of the link's own text, if anything.
fn text(file: &File, inodes: &mut Inodes) -> Option<Vec<u8>> {
    if !is_of_processes(file) {
        return None;
    }
    let text = readlinkat(file.base(), file.path(), Vec::new()).ok()?.into_bytes();
    let kind = kind(&text)?;
    let stat = files::stat(file.base(), file.path(), 0).ok()?;
    let number = |at: usize| Some(u64::from_ne_bytes(*stat[at..].first_chunk()?));
    let device = number(std::mem::offset_of!(libc::stat, st_dev))?;
    let (_, inode) = inodes.of(device, number(std::mem::offset_of!(libc::stat, st_ino))?);
    Some([kind, format!(":[{inode}]").as_bytes()].concat())
}

fn is_of_processes(file: &File) -> bool {
    const PROCESSES: &[u8] = b"/proc/";
    if file.path().to_bytes().starts_with(b"/") {
        return file.path().to_bytes().starts_with(PROCESSES);
    }
    let base = file.folder().and_then(|folder| {
        let number = std::os::fd::AsRawFd::as_raw_fd(&folder.as_fd());
        readlink(format!("/proc/self/fd/{number}"), Vec::new()).ok()
    });
    base.is_some_and(|base| base.to_bytes().starts_with(PROCESSES))
}

/// `pipe` of `pipe:[123]`; `None` of other texts.
pub(in crate::linux) fn kind(text: &[u8]) -> Option<&[u8]> {
    let at = text.windows(2).position(|two| two == b":[")?;
    let number = text[at + 2..].strip_suffix(b"]")?;
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    (is_number && !text[..at].contains(&b'/')).then_some(&text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_recognised() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(kind(text.as_bytes()), expect.map(str::as_bytes), "{text}");
        };
        check("pipe:[123]", Some("pipe"));
        check("net:[4026531840]", Some("net"));
        check("pid_for_children:[1]", Some("pid_for_children"));
        check("anon_inode:[eventfd]", None);
        check("/tmp/pipe:[1]", None);
        check("pipe:[]", None);
        check("pipe:[1", None);
    }
}
