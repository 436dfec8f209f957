//! The files that paths and descriptors among the arguments of a call mean.
//!
//! The kernel may be able to read what this process can't: memory that may only be written to, or is secret;
//! memory and links of a process that is not dumpable. So whatever can't be read is an error that the
//! thread gets, and such a call is never made.

use rustix::fs::readlink;
use rustix::io::{Errno, Result};
use rustix::process::Pid;

use super::calls::{Last, PathArgument};
use super::tree::{Asker, Place, Target};
use super::{Translator, Verdict};
use crate::linux::sys::trace::path_at;

/// A path among the arguments of a call.
pub(super) struct Named {
    pub text: Vec<u8>,
    /// Whether the kernel understands the same by it: it goes down from an open folder, over no link and
    /// into no other part of the tree. Then the thread need not stop on its way out.
    pub is_understood: bool,
    pub place: Place,
}

/// What the place of a path among the arguments means.
pub(super) enum Meaning {
    /// It has a path.
    Path(Named),
    /// It is empty or null, and this descriptor is meant, or the working directory.
    Descriptor(i32),
}

impl Translator {
    /// What the arguments say with a path.
    pub(super) fn place(
        &self,
        pid: Pid,
        arguments: [u64; 6],
        path: &PathArgument,
    ) -> Result<Meaning> {
        let folder = path.folder.map(|at| arguments[at] as i32);
        let text = match (arguments[path.at], folder) {
            (0, Some(fd)) if path.may_be_null => return Ok(Meaning::Descriptor(fd)),
            (at, _) => path_at(pid, at)?.into_bytes(),
        };
        match folder {
            Some(fd) if text.is_empty() => Ok(Meaning::Descriptor(fd)),
            _ => self.named(pid, text, (folder, path.last(arguments))).map(Meaning::Path),
        }
    }

    /// What a path means that begins at an open folder, or at the working directory.
    pub(super) fn named(
        &self,
        pid: Pid,
        text: Vec<u8>,
        (folder, last): (Option<i32>, Last),
    ) -> Result<Named> {
        let begin = self.beginning(pid, &text, folder)?;
        let place = self.walk(pid, &begin, &text, last)?;
        let below = self.tree.host_of(&begin).map(|(host, _)| [&host[..], b"/", &text].concat());
        let is_understood = !text.starts_with(b"/") && below.as_ref() == Some(&place.host);
        Ok(Named { text, is_understood, place })
    }

    /// The folder of the tree that a path begins at.
    fn beginning(&self, pid: Pid, text: &[u8], folder: Option<i32>) -> Result<Vec<u8>> {
        match text.first() {
            None => Err(Errno::NOENT),
            Some(b'/') => Ok(b"/".to_vec()),
            Some(_) => match self.file(pid, folder.unwrap_or(libc::AT_FDCWD))? {
                Target::Path(path) => Ok(path),
                Target::Nameless => Err(Errno::NOTDIR),
                Target::Foreign => Err(Errno::NOENT),
            },
        }
    }

    pub(super) fn walk(&self, pid: Pid, begin: &[u8], text: &[u8], last: Last) -> Result<Place> {
        self.tree.walk(begin, text, last, &Walker { translator: self, pid })
    }

    /// The file that a thread has open, or its working directory.
    pub(super) fn file(&self, pid: Pid, fd: i32) -> Result<Target> {
        let text = match fd {
            libc::AT_FDCWD => link(pid, "cwd")?,
            fd => link(pid, &format!("fd/{fd}")).map_err(|error| match error {
                Errno::NOENT => Errno::BADF,
                error => error,
            })?,
        };
        Ok(self.target(&text))
    }

    /// What the text of a link in `/proc` says.
    fn target(&self, text: &[u8]) -> Target {
        match self.shown(text) {
            Some(path) => Target::Path(path),
            None if is_nameless(text) => Target::Nameless,
            // Without a guard there are ways to such files, and a terminal is one.
            None if !self.is_guarded => Target::Nameless,
            None => Target::Foreign,
        }
    }

    /// A thread changes owner, permissions or times of an open file, which Landlock says nothing about.
    pub(super) fn change_of(&self, pid: Pid, fd: i32) -> Verdict {
        match self.file(pid, fd) {
            Ok(Target::Path(path)) => match self.tree.host_of(&path) {
                Some((_, true)) => Verdict::Unchanged,
                Some((_, false)) | None => Errno::ROFS.into(),
            },
            Ok(Target::Nameless) => Verdict::Unchanged,
            Ok(Target::Foreign) => Errno::ROFS.into(),
            Err(error) => error.into(),
        }
    }

    /// What the text of a link in `/proc` is shown as.
    pub(super) fn shown_link(&self, link: &[u8], text: Vec<u8>) -> Vec<u8> {
        self.program_of(link).or_else(|| self.shown(&text)).unwrap_or(text)
    }

    /// The program of a thread, if the path is that of this link.
    fn program_of(&self, link: &[u8]) -> Option<Vec<u8>> {
        let number = link.strip_prefix(b"/proc/")?.strip_suffix(b"/exe")?;
        let pid = Pid::from_raw(std::str::from_utf8(number).ok()?.parse().ok()?)?;
        self.threads.get(&pid)?.program.clone()
    }

    /// A path of the host as this process sees it, where "self" is another one.
    pub(super) fn seen_here(&self, pid: Pid, host: Vec<u8>) -> Vec<u8> {
        let (name, number) = match &host {
            own if own.starts_with(b"/proc/self/") => (&b"/proc/self"[..], self.process_of(pid)),
            own if own.starts_with(b"/proc/thread-self/") => {
                (&b"/proc/thread-self"[..], pid.as_raw_nonzero().get())
            }
            _ => return host,
        };
        [format!("/proc/{number}").as_bytes(), &host[name.len()..]].concat()
    }

    /// The number of the process that a thread belongs to: the descriptors of "self" are those of its first
    /// thread. There is none with the number 0, and so no such path.
    fn process_of(&self, pid: Pid) -> i32 {
        let thread = self.threads.get(&pid);
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

/// Whether the text of a link in `/proc` is that of something without a path: a pipe, a socket, memory.
fn is_nameless(text: &[u8]) -> bool {
    match text.first() {
        Some(b'/') => text.starts_with(b"/memfd:"),
        // "(unreachable)"
        Some(b'(') | None => false,
        Some(_) => true,
    }
}

/// The text of one of the links that the kernel has for a thread.
pub(super) fn link(pid: Pid, name: &str) -> Result<Vec<u8>> {
    Ok(readlink(format!("/proc/{}/{name}", pid.as_raw_nonzero()), Vec::new())?.into_bytes())
}

/// A thread on the way along a path.
struct Walker<'a> {
    translator: &'a Translator,
    pid: Pid,
}

impl Asker for Walker<'_> {
    fn may_see(&self, process: i32) -> bool {
        !self.translator.is_guarded || self.translator.has(process)
    }

    fn link(&self, path: &[u8]) -> Result<Target> {
        let path = self.translator.seen_here(self.pid, path.to_vec());
        let text = readlink(path.as_slice(), Vec::new())?.into_bytes();
        match self.translator.program_of(&path) {
            Some(program) => Ok(Target::Path(program)),
            None => Ok(self.translator.target(&text)),
        }
    }
}
