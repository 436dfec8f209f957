//! Finds the files that paths and descriptors among the arguments of a call mean.
//!
//! The kernel may be able to read what this process can't read: memory that may only be written to
//! or is secret, and memory and links of a process that is not dumpable. If something can't be
//! read, the thread gets an error and the call is not made.

use rustix::fs::readlink;
use rustix::io::{Errno, Result};
use rustix::process::Pid;

use super::calls::PathArgument;
use super::changes::Verdict;
use super::programs::{Program, Programs};
use super::threads::Threads;
use super::walk::{LastLink, LinkTarget, Path, Place, ProcView, walk};
use crate::linux::sys::trace::path_at;
use crate::linux::view::tree::Tree;

/// Holds a path from the arguments of a call, and what it means.
pub(super) struct NamedFile {
    pub text: Vec<u8>,
    /// True if the path means the same to the kernel: it leads down from an open folder, over no
    /// link and into no other part of the tree. Then the thread need not stop after the call.
    pub is_understood: bool,
    pub place: Place,
}

/// Says what stands in the place of a path among the arguments.
pub(super) enum PathMeaning {
    /// It is a path.
    Path(NamedFile),
    /// It is empty or null, and means this descriptor or the working directory.
    Descriptor(i32),
}

/// Holds everything that is needed to find out what the paths of a command mean.
pub(super) struct Places {
    tree: Tree,
    programs: Programs,
    pub threads: Threads,
    /// True if a thread may only see processes of its own command.
    is_guarded: bool,
}

impl Places {
    pub(super) fn new(tree: Tree, programs: Programs, first: Pid, is_guarded: bool) -> Self {
        Self { tree, programs, threads: Threads::new(first), is_guarded }
    }

    /// Returns the path of the tree for a path of the host, if the tree holds it.
    pub(super) fn shown(&self, host: &[u8]) -> Option<Vec<u8>> {
        self.programs.original(host).or_else(|| self.tree.shown(host))
    }

    /// Returns the path of the host at which a program is started.
    pub(super) fn load(&mut self, program: &Program) -> Result<Vec<u8>> {
        self.programs.load(program, &self.tree)
    }

    /// Finds out what the arguments of a call mean by one of its paths.
    pub(super) fn place(
        &self,
        pid: Pid,
        arguments: [u64; 6],
        path: &PathArgument,
    ) -> Result<PathMeaning> {
        let folder = path.folder.map(|at| arguments[at] as i32);
        let text = match (arguments[path.at], folder) {
            (0, Some(fd)) if path.may_be_null => return Ok(PathMeaning::Descriptor(fd)),
            (at, _) => path_at(pid, at)?.into_bytes(),
        };
        match folder {
            Some(fd) if text.is_empty() => Ok(PathMeaning::Descriptor(fd)),
            _ => self.named(pid, text, folder, path.last(arguments)).map(PathMeaning::Path),
        }
    }

    /// Finds out what a path means that begins at an open folder, or at the working directory.
    pub(super) fn named(
        &self,
        pid: Pid,
        text: Vec<u8>,
        folder: Option<i32>,
        last: LastLink,
    ) -> Result<NamedFile> {
        let begin = self.beginning(pid, &text, folder)?;
        let place = self.walk(pid, &begin, &text, last)?;
        let below = self.tree.host_of(&begin).map(|(host, _)| [&host[..], b"/", &text].concat());
        let is_understood = !text.starts_with(b"/") && below.as_ref() == Some(&place.host);
        Ok(NamedFile { text, is_understood, place })
    }

    /// Returns the folder of the tree at which a path begins.
    fn beginning(&self, pid: Pid, text: &[u8], folder: Option<i32>) -> Result<Vec<u8>> {
        match text.first() {
            None => Err(Errno::NOENT),
            Some(b'/') => Ok(b"/".to_vec()),
            Some(_) => match self.file(pid, folder.unwrap_or(libc::AT_FDCWD))? {
                LinkTarget::Path(path) => Ok(path),
                LinkTarget::Nameless => Err(Errno::NOTDIR),
                LinkTarget::Foreign => Err(Errno::NOENT),
            },
        }
    }

    pub(super) fn walk(
        &self,
        pid: Pid,
        begin: &[u8],
        text: &[u8],
        last: LastLink,
    ) -> Result<Place> {
        walk(&self.tree, Path { begin, text, last }, &ThreadView { places: self, pid })
    }

    /// Returns the file that a thread has open under this number, or its working directory.
    pub(super) fn file(&self, pid: Pid, fd: i32) -> Result<LinkTarget> {
        let text = match fd {
            libc::AT_FDCWD => link(pid, "cwd")?,
            fd => link(pid, &format!("fd/{fd}")).map_err(|error| match error {
                Errno::NOENT => Errno::BADF,
                error => error,
            })?,
        };
        Ok(self.target(&text))
    }

    /// Returns what the text of a link in `/proc` refers to.
    fn target(&self, text: &[u8]) -> LinkTarget {
        match self.shown(text) {
            Some(path) => LinkTarget::Path(path),
            None if is_nameless(text) => LinkTarget::Nameless,
            // Without a guard a command can have such files open, for example a terminal.
            None if !self.is_guarded => LinkTarget::Nameless,
            None => LinkTarget::Foreign,
        }
    }

    /// Decides about a call that changes the owner, the permissions or the times of an open file.
    /// Landlock does not restrict these.
    pub(super) fn change_of(&self, pid: Pid, fd: i32) -> Verdict {
        match self.file(pid, fd) {
            Ok(LinkTarget::Path(path)) => match self.tree.host_of(&path) {
                Some((_, true)) => Verdict::Unchanged,
                Some((_, false)) | None => Errno::ROFS.into(),
            },
            Ok(LinkTarget::Nameless) => Verdict::Unchanged,
            Ok(LinkTarget::Foreign) => Errno::ROFS.into(),
            Err(error) => error.into(),
        }
    }

    /// Returns the text that a link in `/proc` has for the command.
    pub(super) fn shown_link(&self, link: &[u8], text: Vec<u8>) -> Vec<u8> {
        self.threads.program_of(link).or_else(|| self.shown(&text)).unwrap_or(text)
    }

    /// Returns a path of the host as this process sees it: "self" is another process here.
    pub(super) fn seen_here(&self, pid: Pid, host: Vec<u8>) -> Vec<u8> {
        let (name, number) = match &host {
            own if own.starts_with(b"/proc/self/") => {
                (&b"/proc/self"[..], self.threads.process_of(pid))
            }
            own if own.starts_with(b"/proc/thread-self/") => {
                (&b"/proc/thread-self"[..], pid.as_raw_nonzero().get())
            }
            _ => return host,
        };
        [format!("/proc/{number}").as_bytes(), &host[name.len()..]].concat()
    }
}

/// Returns whether the text of a link in `/proc` stands for something without a path: a pipe, a
/// socket or memory.
fn is_nameless(text: &[u8]) -> bool {
    match text.first() {
        Some(b'/') => text.starts_with(b"/memfd:"),
        // The text is "(unreachable)".
        Some(b'(') | None => false,
        Some(_) => true,
    }
}

/// Returns the text of one of the links that the kernel has for a thread.
pub(super) fn link(pid: Pid, name: &str) -> Result<Vec<u8>> {
    Ok(readlink(format!("/proc/{}/{name}", pid.as_raw_nonzero()), Vec::new())?.into_bytes())
}

/// Shows `/proc` as one thread sees it.
struct ThreadView<'a> {
    places: &'a Places,
    pid: Pid,
}

impl ProcView for ThreadView<'_> {
    fn may_see(&self, process: i32) -> bool {
        !self.places.is_guarded || self.places.threads.has(process)
    }

    fn link(&self, path: &[u8]) -> Result<LinkTarget> {
        let path = self.places.seen_here(self.pid, path.to_vec());
        let text = readlink(path.as_slice(), Vec::new())?.into_bytes();
        match self.places.threads.program_of(&path) {
            Some(program) => Ok(LinkTarget::Path(program)),
            None => Ok(self.places.target(&text)),
        }
    }
}
