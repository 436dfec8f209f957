//! The file tree of a command, as parts of that of the host.

use std::collections::VecDeque;

use rustix::fs::{CWD, readlinkat};
use rustix::io::{Errno, Result};

use super::calls::Last;

/// What stands where. Paths are absolute, without `.` and `..` and a slash at the end.
#[derive(Clone, Debug, Default)]
pub(in crate::linux) struct Tree {
    /// Inner parts come after those that they are in.
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    shown: Vec<u8>,
    host: Vec<u8>,
    is_writable: bool,
}

/// What a path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux) struct Place {
    /// Without links on the way, as far as it is there.
    pub shown: Vec<u8>,
    pub host: Vec<u8>,
    pub is_writable: bool,
}

/// More links than this on one way are a circle, as the kernel has it.
const MOST_LINKS: usize = 40;

/// Where the kernel shows processes.
const PROCESSES: &[u8] = b"/proc";

impl Tree {
    /// Has `host` stand at `shown`, over what was there.
    pub(in crate::linux) fn add(&mut self, shown: &[u8], host: &[u8], is_writable: bool) {
        self.parts.push(Part { shown: shown.to_vec(), host: host.to_vec(), is_writable });
    }

    /// The folder of the host that has the path, and whether it may be written to. Links on the way are
    /// not looked at.
    pub(in crate::linux) fn host_of(&self, shown: &[u8]) -> Option<(Vec<u8>, bool)> {
        self.parts.iter().rev().find_map(|part| {
            let rest = below(shown, &part.shown)?;
            Some(([&part.host, rest].concat(), part.is_writable))
        })
    }

    /// The path of the tree for one of the host. The innermost part that has it counts.
    pub(super) fn shown(&self, host: &[u8]) -> Option<Vec<u8>> {
        let parts = self.parts.iter().filter_map(|part| Some((part, below(host, &part.host)?)));
        let (part, rest) = parts.max_by_key(|(part, _)| part.host.len())?;
        let shown = [strip(&part.shown), rest].concat();
        Some(if shown.is_empty() { b"/".to_vec() } else { shown })
    }

    /// What `path` means to a thread. It begins at the folder `begin`, the root if it is absolute.
    pub(in crate::linux) fn walk(
        &self,
        begin: &[u8],
        path: &[u8],
        last: Last,
        thread: &dyn Asker,
    ) -> Result<Place> {
        let walk = Walk {
            tree: self,
            thread,
            at: strip(begin).to_vec(),
            rest: names(path).collect(),
            last: if path.ends_with(b"/") { Last::Followed } else { last },
            links: 0,
        };
        let mut place = walk.find()?;
        if path.ends_with(b"/") && !place.host.ends_with(b"/") {
            place.host.push(b'/');
        }
        Ok(place)
    }
}

/// What depends on who asks.
pub(in crate::linux) trait Asker {
    /// Whether it may see the process with this number.
    fn may_see(&self, process: i32) -> bool;

    /// What one of its links in `/proc` leads to. An error is one that the thread gets.
    fn link(&self, path: &[u8]) -> Result<Target>;
}

/// What a link in `/proc` leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux) enum Target {
    /// This path of the tree.
    Path(Vec<u8>),
    /// A pipe, a socket, memory: nothing that has a path.
    Nameless,
    /// A file of the host that is not in the tree.
    Foreign,
}

/// On the way along a path.
struct Walk<'a> {
    tree: &'a Tree,
    thread: &'a dyn Asker,
    /// The folder reached; empty at the root.
    at: Vec<u8>,
    /// The names still to come.
    rest: VecDeque<Vec<u8>>,
    last: Last,
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

    /// Whether a link that is reached now is followed.
    fn follows(&self) -> bool {
        !self.rest.is_empty() || self.last == Last::Followed
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
            // It is there and no link.
            Err(Errno::INVAL) => {}
            // It may be about to be made.
            Err(Errno::NOENT) if self.rest.is_empty() => {}
            // The kernel might find a link there, as it may go on from an open folder.
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

    /// The place, if from here on only the kernel can say what is meant.
    fn enter_process(&mut self, name: &[u8]) -> Result<Option<Place>> {
        let kind = in_processes(&self.at, name, self.thread)?;
        push(&mut self.at, name);
        let is_last = self.rest.is_empty();
        // All of `/proc` is read-only, the links themselves as well.
        let is_writable = match kind {
            Kind::Entry => return Ok(None),
            Kind::Root => {
                self.at.clear();
                return Ok(None);
            }
            Kind::Link | Kind::Program if !self.follows() => false,
            Kind::Link | Kind::Program => match self.thread.link(&self.at)? {
                // The file may have no name any more, or another one has it, so at the end the link itself
                // counts; what may be done to the file, it says nothing about.
                Target::Path(path) if is_last && kind == Kind::Link => {
                    self.tree.host_of(&path).is_some_and(|(_, is_writable)| is_writable)
                }
                Target::Path(path) => {
                    self.at = strip(&path).to_vec();
                    return Ok(None);
                }
                Target::Nameless if is_last => true,
                Target::Nameless => return Err(Errno::NOTDIR),
                Target::Foreign if is_last => false,
                Target::Foreign => return Err(Errno::NOENT),
            },
        };
        let path = std::mem::take(&mut self.at);
        Ok(Some(Place { host: path.clone(), shown: path, is_writable }))
    }
}

impl Place {
    /// Whether there is anything, be it a link to nowhere.
    pub(super) fn exists(&self) -> bool {
        rustix::fs::lstat(self.host.as_slice()).is_ok()
    }
}

/// What a name in `/proc` is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A file, or a folder.
    Entry,
    /// The root of a process.
    Root,
    /// The program of a process.
    Program,
    /// A link that is more than its text.
    Link,
}

fn in_processes(at: &[u8], name: &[u8], thread: &dyn Asker) -> Result<Kind> {
    let number = |name: &[u8]| std::str::from_utf8(name).ok()?.parse::<i32>().ok();
    let mut folders = names(at).skip(1);
    let Some(process) = folders.next() else {
        return match number(name) {
            Some(number) if !thread.may_see(number) => Err(Errno::NOENT),
            _ => Ok(Kind::Entry),
        };
    };
    if number(&process).is_none() && !process.ends_with(b"self") {
        return Ok(Kind::Entry);
    }
    Ok(match (folders.last().as_deref(), name) {
        (Some(b"fd" | b"map_files" | b"ns"), _) => Kind::Link,
        (_, b"root") => Kind::Root,
        (_, b"exe") => Kind::Program,
        (_, b"cwd") => Kind::Link,
        _ => Kind::Entry,
    })
}

/// What follows `folder` in `path`, if that is in there: nothing, or text that begins with a slash.
fn below<'a>(path: &'a [u8], folder: &[u8]) -> Option<&'a [u8]> {
    let rest = strip(path).strip_prefix(strip(folder))?;
    (rest.is_empty() || rest.starts_with(b"/")).then_some(rest)
}

/// Without the slash of the root.
fn strip(path: &[u8]) -> &[u8] {
    if path == b"/" { b"" } else { path }
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

    impl Asker for Thread {
        fn may_see(&self, process: i32) -> bool {
            process == 7
        }

        fn link(&self, path: &[u8]) -> Result<Target> {
            match path {
                b"/proc/self/cwd" => Ok(Target::Path(b"/src/sub".to_vec())),
                b"/proc/self/fd/3" => Ok(Target::Path(b"/out/file".to_vec())),
                b"/proc/self/fd/4" => Ok(Target::Nameless),
                b"/proc/self/fd/5" => Ok(Target::Foreign),
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
            let found = tree.walk(begin, path.as_bytes(), last, &Thread);
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
        use Last::{Followed, Kept};
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
        let is_writable =
            |path: &[u8], last| tree.walk(b"/", path, last, &Thread).unwrap().is_writable;
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
