//! Finds out what a path means in the file tree of a command, link by link.

use std::collections::VecDeque;

use rustix::fs::{CWD, readlinkat};
use rustix::io::{Errno, Result};

use crate::linux::view::tree::{Tree, below, strip};

/// The meaning of a path: one path of the tree and one of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux::inside) struct Place {
    /// The path of the tree. The part of it that exists has no links.
    pub shown: Vec<u8>,
    pub host: Vec<u8>,
    pub is_writable: bool,
}

/// The kernel, too, fails after this many links.
const MOST_LINKS: usize = 40;

/// The kernel shows processes in this folder.
const PROCESSES: &[u8] = b"/proc";

/// Shows those parts of `/proc` that differ from thread to thread.
pub(in crate::linux::inside) trait ProcView {
    /// Returns whether the thread may see the process with this number.
    fn may_see(&self, process: i32) -> bool;

    /// Returns what one of the links in `/proc` leads to, or the error that the thread gets.
    fn link(&self, path: &[u8]) -> Result<LinkTarget>;
}

/// The target of a link in `/proc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux::inside) enum LinkTarget {
    /// It leads to this path of the tree.
    Path(Vec<u8>),
    /// It leads to a pipe, a socket or memory, which has no path.
    Nameless,
    /// It leads to a file of the host that is not in the tree.
    Foreign,
}

/// Says whether a link at the very end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux::inside) enum LastLink {
    Followed,
    Kept,
}

/// A path as a thread gives it.
#[derive(Clone, Copy, Debug)]
pub(in crate::linux::inside) struct Path<'a> {
    /// The folder of the tree at which the path begins. For an absolute path it is the root.
    pub begin: &'a [u8],
    pub text: &'a [u8],
    pub last: LastLink,
}

/// Finds out what `path` means to a thread.
pub(in crate::linux::inside) fn walk(
    tree: &Tree,
    path: Path<'_>,
    thread: &dyn ProcView,
) -> Result<Place> {
    let Path { begin, text, last } = path;
    let is_folder = text.ends_with(b"/");
    let walk = Walk {
        tree,
        thread,
        at: strip(begin).to_vec(),
        rest: names(text).collect(),
        last: if is_folder { LastLink::Followed } else { last },
        links: 0,
    };
    let mut place = walk.find()?;
    if is_folder && !place.host.ends_with(b"/") {
        place.host.push(b'/');
    }
    Ok(place)
}

/// The state of a walk along a path.
struct Walk<'a> {
    tree: &'a Tree,
    thread: &'a dyn ProcView,
    /// The folder that was reached; it is empty at the root.
    at: Vec<u8>,
    /// The names that are still to come.
    rest: VecDeque<Vec<u8>>,
    last: LastLink,
    links: usize,
}

impl Walk<'_> {
    fn find(mut self) -> Result<Place> {
        while let Some(name) = self.rest.pop_front() {
            match name.as_slice() {
                b"." => {}
                b".." => self.leave(),
                _ if below(&self.at, PROCESSES).is_some() => {
                    if let Some(place) = self.enter_process(&name)? {
                        return Ok(place);
                    }
                }
                _ => self.enter(&name)?,
            }
        }
        let shown = if self.at.is_empty() { b"/".to_vec() } else { self.at };
        let (host, is_writable) = self.tree.host_of(&shown).ok_or(Errno::NOENT)?;
        Ok(Place { shown, host, is_writable })
    }

    fn leave(&mut self) {
        let end = self.at.iter().rposition(|byte| *byte == b'/');
        self.at.truncate(end.unwrap_or(0));
    }

    /// Returns whether a link is followed that the walk reaches now.
    fn follows(&self) -> bool {
        !self.rest.is_empty() || self.last == LastLink::Followed
    }

    fn enter(&mut self, name: &[u8]) -> Result<()> {
        push(&mut self.at, name);
        if !self.follows() {
            return Ok(());
        }
        let (host, _) = self.tree.host_of(&self.at).ok_or(Errno::NOENT)?;
        match readlinkat(CWD, host.as_slice(), Vec::new()) {
            Ok(text) => {
                self.links += 1;
                if self.links > MOST_LINKS {
                    return Err(Errno::LOOP);
                }
                self.leave();
                self.follow(text.to_bytes());
            }
            // The file exists and is not a link.
            Err(Errno::INVAL) => {}
            // The file may be about to be created.
            Err(Errno::NOENT) if self.rest.is_empty() => {}
            // The kernel might find a link there, because it can begin at an open folder.
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn follow(&mut self, text: &[u8]) {
        if text.starts_with(b"/") {
            self.at.clear();
        }
        for name in names(text).collect::<Vec<_>>().into_iter().rev() {
            self.rest.push_front(name);
        }
    }

    /// Enters a name below `/proc`. Returns a place if only the kernel can say what the rest of the
    /// path means.
    fn enter_process(&mut self, name: &[u8]) -> Result<Option<Place>> {
        let kind = in_processes(&self.at, name, self.thread)?;
        push(&mut self.at, name);
        let is_last = self.rest.is_empty();
        // All of `/proc` is read-only, including the links themselves.
        let is_writable = match kind {
            ProcEntry::Entry => return Ok(None),
            ProcEntry::Root => {
                self.at.clear();
                return Ok(None);
            }
            ProcEntry::Link | ProcEntry::Program if !self.follows() => false,
            ProcEntry::Link | ProcEntry::Program => match self.thread.link(&self.at)? {
                // The file may have lost its name, or another file may have it now. So at the end
                // of a path the link itself counts. It does not say whether the file may be
                // changed.
                LinkTarget::Path(path) if is_last && kind == ProcEntry::Link => {
                    self.tree.host_of(&path).is_some_and(|(_, is_writable)| is_writable)
                }
                LinkTarget::Path(path) => {
                    self.at = strip(&path).to_vec();
                    return Ok(None);
                }
                LinkTarget::Nameless if is_last => true,
                LinkTarget::Nameless => return Err(Errno::NOTDIR),
                LinkTarget::Foreign if is_last => false,
                LinkTarget::Foreign => return Err(Errno::NOENT),
            },
        };
        let path = std::mem::take(&mut self.at);
        Ok(Some(Place { host: path.clone(), shown: path, is_writable }))
    }
}

impl Place {
    /// Returns whether something exists there, even if it is a link to nowhere.
    pub(super) fn exists(&self) -> bool {
        rustix::fs::lstat(self.host.as_slice()).is_ok()
    }
}

/// Says what a name in `/proc` is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProcEntry {
    /// It is a file or a folder.
    Entry,
    /// It is the link to the root of a process.
    Root,
    /// It is the link to the program of a process.
    Program,
    /// It is a link that refers to an open file, and not to a path.
    Link,
}

fn in_processes(at: &[u8], name: &[u8], thread: &dyn ProcView) -> Result<ProcEntry> {
    let number = |name: &[u8]| std::str::from_utf8(name).ok()?.parse::<i32>().ok();
    let mut folders = names(at).skip(1);
    let Some(process) = folders.next() else {
        return match number(name) {
            Some(number) if !thread.may_see(number) => Err(Errno::NOENT),
            _ => Ok(ProcEntry::Entry),
        };
    };
    if number(&process).is_none() && !process.ends_with(b"self") {
        return Ok(ProcEntry::Entry);
    }
    Ok(match (folders.last().as_deref(), name) {
        (Some(b"fd" | b"map_files" | b"ns"), _) => ProcEntry::Link,
        (_, b"root") => ProcEntry::Root,
        (_, b"exe") => ProcEntry::Program,
        (_, b"cwd") => ProcEntry::Link,
        _ => ProcEntry::Entry,
    })
}

fn names(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).map(<[u8]>::to_vec)
}

fn push(path: &mut Vec<u8>, name: &[u8]) {
    path.push(b'/');
    path.extend_from_slice(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thread;

    impl ProcView for Thread {
        fn may_see(&self, process: i32) -> bool {
            process == 7
        }

        fn link(&self, path: &[u8]) -> Result<LinkTarget> {
            match path {
                b"/proc/self/cwd" => Ok(LinkTarget::Path(b"/src/sub".to_vec())),
                b"/proc/self/fd/3" => Ok(LinkTarget::Path(b"/out/file".to_vec())),
                b"/proc/self/fd/4" => Ok(LinkTarget::Nameless),
                b"/proc/self/fd/5" => Ok(LinkTarget::Foreign),
                _ => Err(Errno::ACCESS),
            }
        }
    }

    #[test]
    fn paths() {
        let host = std::env::temp_dir().join(format!("sandbox-tree-{}", std::process::id()));
        let root = |path: &str| host.join(path).into_os_string().into_encoded_bytes();
        for folder in ["root/src", "in/sub", "out"] {
            std::fs::create_dir_all(host.join(folder)).unwrap();
        }
        std::fs::write(host.join("in/file"), "").unwrap();
        for (text, link) in [("/src/file", "in/to-file"), ("..", "in/up"), ("round", "in/round")] {
            std::os::unix::fs::symlink(text, host.join(link)).unwrap();
        }
        let mut tree = Tree::default();
        tree.add(b"/", &root("root"), false);
        tree.add(b"/proc", b"/proc", false);
        tree.add(b"/src", &root("in"), false);
        tree.add(b"/out", &root("out"), true);
        let check = |path: &str, last, expect: Result<(&str, &str)>| {
            let begin: &[u8] = if path.starts_with('/') { b"/" } else { b"/src" };
            let found = walk(&tree, Path { begin, text: path.as_bytes(), last }, &Thread);
            let found = found.map(|place| (place.shown, place.host));
            let bytes = |path: &str| match path.strip_prefix("/proc") {
                Some(_) => path.as_bytes().to_vec(),
                None => root(path),
            };
            assert_eq!(
                found,
                expect.map(|(shown, host)| (shown.into(), bytes(host))),
                "{path} {last:?}"
            );
        };
        use LastLink::{Followed, Kept};
        check("file", Followed, Ok(("/src/file", "in/file")));
        check("to-file", Followed, Ok(("/src/file", "in/file")));
        check("to-file", Kept, Ok(("/src/to-file", "in/to-file")));
        check("sub/", Kept, Ok(("/src/sub", "in/sub/")));
        check("up/out/new", Kept, Ok(("/out/new", "out/new")));
        check("../../../src/./sub/../file", Followed, Ok(("/src/file", "in/file")));
        check("/none/of/it", Followed, Err(Errno::NOENT));
        check("file/below/it", Followed, Err(Errno::NOTDIR));
        check("round", Followed, Err(Errno::LOOP));
        check("/proc/self/cwd/../file", Followed, Ok(("/src/file", "in/file")));
        check("/proc/self/root/out", Followed, Ok(("/out", "out")));
        check("/proc/self/fd/3", Followed, Ok(("/proc/self/fd/3", "/proc/self/fd/3")));
        check("/proc/7/stat", Followed, Ok(("/proc/7/stat", "/proc/7/stat")));
        check("/proc/8/stat", Followed, Err(Errno::NOENT));
        check("/proc/self/fd/4/x", Followed, Err(Errno::NOTDIR));
        check("/proc/self/fd/5/x", Followed, Err(Errno::NOENT));
        check("/proc/self/fd/6", Followed, Err(Errno::ACCESS));
        check("/proc/self/exe", Followed, Err(Errno::ACCESS));
        let is_writable = |text: &[u8], last| {
            walk(&tree, Path { begin: b"/", text, last }, &Thread).unwrap().is_writable
        };
        assert!(is_writable(b"out/x", Kept));
        assert!(!is_writable(b"src/x", Kept));
        for (link, expect) in
            [("fd/3", true), ("fd/4", true), ("fd/5", false), ("cwd", false), ("cwd/.", false)]
        {
            let path = format!("proc/self/{link}");
            assert_eq!(is_writable(path.as_bytes(), Followed), expect, "{path}");
            assert!(!is_writable(path.as_bytes(), Kept));
        }
        assert_eq!(tree.shown(&root("in/sub")), Some(b"/src/sub".to_vec()));
        assert_eq!(tree.shown(&root("root")), Some(b"/".to_vec()));
        assert_eq!(tree.shown(&root("elsewhere")), None);
        std::fs::remove_dir_all(host).unwrap();
    }
}
