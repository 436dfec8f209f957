//! Reads those links of `/proc` that identify a pipe, a socket or a namespace by a number of the
//! machine.
//!
//! They get the number that `fstat` has for the same thing.

use std::os::fd::AsFd;

use rustix::fs::{readlink, readlinkat};
use rustix::process::Pid;

use super::file::{File, FileArgument};
use super::inodes::Inodes;
use super::reply::written;
use crate::linux::sys::files;
use crate::linux::sys::notify::Answer;
use crate::linux::sys::trace::write_memory;

/// Holds the arguments of `readlink`.
pub(super) struct ReadLink {
    pub file: FileArgument,
    /// The address for the text.
    pub to: u64,
    /// The number of bytes that fit there.
    pub size: u64,
}

/// Answers a thread that reads a link.
pub(super) fn read(pid: Pid, arguments: &ReadLink, inodes: &mut Inodes) -> Answer {
    let &ReadLink { file, to, size } = arguments;
    let file = match File::at(pid, file, libc::AT_SYMLINK_NOFOLLOW) {
        Ok(file) => file,
        Err(answer) => return answer,
    };
    match text(&file, inodes) {
        Some(text) if size > 0 => {
            let text = &text[..text.len().min(size as usize)];
            written(write_memory(pid, to, text), text.len() as i64)
        }
        _ => Answer::Continue,
    }
}

/// Returns the text that replaces the link's own text, if there is one.
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

/// Returns `pipe` for `pipe:[123]`, and `None` for texts that are not like this.
pub(in crate::linux::inside) fn kind(text: &[u8]) -> Option<&[u8]> {
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
