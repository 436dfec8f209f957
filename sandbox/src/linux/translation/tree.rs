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

    /// What `path` means, which begins at the folder `begin`. `is_ours` says whether the process with a
    /// number may be seen, `program` is the one that the thread runs.
    pub(in crate::linux) fn walk(
        &self,
        begin: &[u8],
        path: &[u8],
        last: Last,
        (is_ours, program): (&dyn Fn(i32) -> bool, Option<&[u8]>),
    ) -> Result<Place> {
        let mut at = strip(begin).to_vec();
        let mut rest: VecDeque<Vec<u8>> = names(path).collect();
        let is_folder = path.ends_with(b"/");
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            match name.as_slice() {
                b"." => continue,
                b".." => {
                    at.truncate(at.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            if below(&at, PROCESSES).is_some() {
                match process_link(&at, &name, is_ours)? {
                    InProc::Entry => {}
                    InProc::Root => {
                        at.clear();
                        continue;
                    }
                    InProc::Program if (last == Last::Followed || !rest.is_empty()) => {
                        if let Some(program) = program {
                            at = program.to_vec();
                            continue;
                        }
                    }
                    // Where it leads to is for the kernel to say.
                    InProc::Program | InProc::Link => {
                        let names = std::iter::once(name).chain(rest);
                        names.for_each(|name| push(&mut at, &name));
                        return Ok(Place { host: at.clone(), shown: at, is_writable: true });
                    }
                }
                push(&mut at, &name);
                continue;
            }
            push(&mut at, &name);
            if rest.is_empty() && last == Last::Kept && !is_folder {
                break;
            }
            let (host, _) = self.host_of(&at).ok_or(Errno::NOENT)?;
            match readlinkat(CWD, host.as_slice(), Vec::new()) {
                Ok(text) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP);
                    }
                    let text = text.into_bytes();
                    let end = at.len() - name.len() - 1;
                    at.truncate(if text.starts_with(b"/") { 0 } else { end });
                    for name in names(&text).collect::<Vec<_>>().into_iter().rev() {
                        rest.push_front(name);
                    }
                }
                // It is there and no link.
                Err(Errno::INVAL) => {}
                Err(error) if !rest.is_empty() => return Err(error),
                // It may be about to be made.
                Err(_) => {}
            }
        }
        let shown = if at.is_empty() { b"/".to_vec() } else { at };
        let (mut host, is_writable) = self.host_of(&shown).ok_or(Errno::NOENT)?;
        if is_folder && !host.ends_with(b"/") {
            host.push(b'/');
        }
        Ok(Place { shown, host, is_writable })
    }
}

impl Place {
    /// Whether there is anything, be it a link to nowhere.
    pub(super) fn exists(&self) -> bool {
        rustix::fs::lstat(self.host.as_slice()).is_ok()
    }
}

/// What a name in `/proc` is.
enum InProc {
    /// A file, or a folder.
    Entry,
    /// The root of a process.
    Root,
    /// The program of the process that asks.
    Program,
    /// A link that is more than its text.
    Link,
}

fn process_link(at: &[u8], name: &[u8], is_ours: &dyn Fn(i32) -> bool) -> Result<InProc> {
    let number = |name: &[u8]| std::str::from_utf8(name).ok()?.parse::<i32>().ok();
    let mut folders = names(at).skip(1);
    let Some(process) = folders.next() else {
        return match number(name) {
            Some(number) if !is_ours(number) => Err(Errno::NOENT),
            _ => Ok(InProc::Entry),
        };
    };
    let is_process = number(&process).is_some() || process.ends_with(b"self");
    let parent = folders.last();
    Ok(match (parent.as_deref(), name) {
        _ if !is_process => InProc::Entry,
        (Some(b"fd" | b"map_files" | b"ns"), _) => InProc::Link,
        (_, b"root") => InProc::Root,
        (_, b"exe") if process.ends_with(b"self") => InProc::Program,
        (_, b"cwd" | b"exe") => InProc::Link,
        _ => InProc::Entry,
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
