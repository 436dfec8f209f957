//! Starts programs with the loader or the interpreter of the command's file tree.
//!
//! The kernel would take both from the host. So a script is started as its interpreter with the
//! script as an argument, as the kernel does it, too. A program with a loader is started from a
//! copy, at whose end the host's path of the tree's loader is written. In memory, the program finds
//! the old path where it always was.

use std::collections::HashMap;
use std::ffi::CStr;
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use rustix::fs::{Access, access, ioctl_ficlone, readlink};
use rustix::io::{Errno, Result};
use rustix::process::Pid;

use super::walk::Place;
use crate::linux::sys::trace::read_memory;
use crate::linux::view::tree::Tree;

/// Describes a program that is to be started.
pub(super) struct Program {
    pub shown: Vec<u8>,
    host: Vec<u8>,
    /// The words that replace the first argument, if the program is an interpreter.
    pub before: Vec<Vec<u8>>,
    loader: Option<Loader>,
}

/// Describes the loader that a program names.
struct Loader {
    host: Vec<u8>,
    /// The position in the program's file of the header of the segment that names the loader.
    header: u64,
}

/// Manages the changed copies of programs.
pub(super) struct Programs {
    folder: PathBuf,
    /// The original of each copy, as a path of the tree.
    originals: HashMap<Vec<u8>, Vec<u8>>,
}

/// If an interpreter has an interpreter, and so on, the kernel fails after this many.
const MOST_INTERPRETERS: usize = 5;

/// The kernel looks for the name of an interpreter in this many bytes at the beginning of a file.
const HEAD: usize = 256;

/// Finds the program that is started for `path`, which means `place`. `find` says what other paths
/// mean.
pub(super) fn find(
    mut path: Vec<u8>,
    mut place: Place,
    find: &dyn Fn(&[u8]) -> Result<Place>,
) -> Result<Program> {
    let mut before = Vec::new();
    for _ in 0..MOST_INTERPRETERS {
        let file = open(&place.host)?;
        let mut head = [0; HEAD];
        let length = read(&file, &mut head, 0)?;
        let head = &head[..length];
        let Some(line) = head.strip_prefix(b"#!") else {
            let loader = loader(&file, head)?;
            let loader = loader.map(|(path, header)| {
                find(&path).map(|Place { host, .. }| Loader { host, header })
            });
            let Place { shown, host, .. } = place;
            return Ok(Program { shown, host, before, loader: loader.transpose()? });
        };
        let (interpreter, argument) = interpreter(line).ok_or(Errno::NOEXEC)?;
        if before.is_empty() {
            before.push(path);
        }
        if let Some(argument) = argument {
            before.insert(0, argument);
        }
        before.insert(0, interpreter.clone());
        place = find(&interpreter)?;
        path = interpreter;
    }
    Err(Errno::LOOP)
}

/// Parses the interpreter and its argument in the first line of a script, without `#!`.
fn interpreter(line: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let line = line.split(|byte| *byte == b'\n').next()?.trim_ascii();
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let end = line.iter().position(is_space).unwrap_or(line.len());
    let (interpreter, argument) = line.split_at(end);
    let argument = argument.trim_ascii();
    let argument = (!argument.is_empty()).then(|| argument.to_vec());
    (!interpreter.is_empty()).then(|| (interpreter.to_vec(), argument))
}

/// Reads the path of the loader that a program names, and the position of the header of that
/// segment: see `elf(5)`.
fn loader(file: &File, head: &[u8]) -> Result<Option<(Vec<u8>, u64)>> {
    const FILE_HEADER: usize = 64;
    const SEGMENT_HEADER: u64 = 56;
    const IS_LOADER: u64 = 3;
    if !head.starts_with(b"\x7fELF\x02\x01") || head.len() < FILE_HEADER {
        return Ok(None);
    }
    let number = |bytes: &[u8], at: usize, size: usize| {
        let mut number = [0; 8];
        number[..size].copy_from_slice(&bytes[at..at + size]);
        u64::from_le_bytes(number)
    };
    let (table, count) = (number(head, 32, 8), number(head, 56, 2));
    for index in 0..count {
        let header = table.saturating_add(index * SEGMENT_HEADER);
        let mut segment = [0; SEGMENT_HEADER as usize];
        if read(file, &mut segment, header)? < segment.len() {
            return Err(Errno::NOEXEC);
        }
        if number(&segment, 0, 4) == IS_LOADER {
            let (at, size) = (number(&segment, 8, 8), number(&segment, 32, 8));
            let mut path = vec![0; size.min(4096) as usize];
            let length = read(file, &mut path, at)?;
            path.truncate(length);
            let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::NOEXEC)?;
            return Ok(Some((path.to_bytes().to_vec(), header)));
        }
    }
    Ok(None)
}

/// Opens a program.
fn open(path: &[u8]) -> Result<File> {
    access(path, Access::EXEC_OK)?;
    // Without this flag, a pipe would make this process wait.
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
    let path = std::ffi::OsStr::from_bytes(path);
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(errno)?;
    if file.metadata().map_err(errno)?.is_file() { Ok(file) } else { Err(Errno::ACCESS) }
}

fn read(file: &File, buffer: &mut [u8], at: u64) -> Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], at + length as u64).map_err(errno)? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

impl Programs {
    pub(super) fn new(folder: &CStr) -> Self {
        let folder = std::ffi::OsStr::from_bytes(folder.to_bytes()).into();
        Self { folder, originals: HashMap::new() }
    }

    /// Returns the original of a copy, as a path of the tree.
    pub(super) fn original(&self, copy: &[u8]) -> Option<Vec<u8>> {
        self.originals.get(copy).cloned()
    }

    /// Returns what is started for a program: the program itself, or a copy that names the tree's
    /// loader.
    pub(super) fn load(&mut self, program: &Program, tree: &Tree) -> Result<Vec<u8>> {
        let Some(loader) = &program.loader else { return Ok(program.host.clone()) };
        let (file, of_loader) = (open(&program.host)?, open(&loader.host)?);
        // Somebody may have exchanged the files in the meantime.
        if !is_in(&file, tree) || !is_in(&of_loader, tree) {
            return Err(Errno::ACCESS);
        }
        let (data, of_loader) =
            (file.metadata().map_err(errno)?, of_loader.metadata().map_err(errno)?);
        let copy = self.folder.join(format!("{}-{}", name(&data), name(&of_loader)));
        if !copy.exists() {
            make_copy(&file, loader, &copy).map_err(errno)?;
        }
        let copy = copy.into_os_string().into_encoded_bytes();
        self.originals.insert(copy.clone(), program.shown.clone());
        Ok(copy)
    }
}

/// Returns a name for a file in its present state: writing to the file changes its name.
fn name(data: &Metadata) -> String {
    let (device, inode, seconds, nanoseconds) =
        (data.dev(), data.ino(), data.ctime(), data.ctime_nsec());
    format!("{device:x}.{inode:x}.{seconds:x}.{nanoseconds:x}")
}

/// Returns whether an open file lies in the tree.
fn is_in(file: &File, tree: &Tree) -> bool {
    let link = readlink(format!("/proc/self/fd/{}", file.as_raw_fd()), Vec::new());
    link.is_ok_and(|path| tree.shown(path.as_bytes()).is_some())
}

/// Makes `copy`, at whose end the path of the loader on the host is written.
fn make_copy(file: &File, loader: &Loader, copy: &PathBuf) -> io::Result<()> {
    // Another process may be making the same copy.
    let part = copy.with_extension(format!("part-{}", std::process::id()));
    let target = File::create(&part)?;
    if ioctl_ficlone(&target, file).is_err() {
        io::copy(&mut &*file, &mut &target)?;
    }
    let end = target.metadata()?.len();
    let path = [&loader.host[..], &[0]].concat();
    target.write_all_at(&path, end)?;
    let size = path.len() as u64;
    target.write_all_at(&end.to_le_bytes(), loader.header + 8)?;
    // These are the sizes in the file and in memory.
    target.write_all_at(&[size.to_le_bytes(), size.to_le_bytes()].concat(), loader.header + 32)?;
    target.set_permissions(Permissions::from_mode(0o555))?;
    drop(target);
    fs::rename(part, copy)
}

/// Reads the addresses in a list of strings, which ends with a null. Returns `None` if it can't be
/// read.
pub(super) fn strings(pid: Pid, mut at: u64) -> Option<Vec<u64>> {
    /// No program can have so many.
    const MOST: usize = 1 << 22;
    let mut addresses = Vec::new();
    if at == 0 {
        return Some(addresses);
    }
    while addresses.len() < MOST {
        let mut word = [0; 8];
        if read_memory(pid, at, &mut word) != Ok(word.len()) {
            return None;
        }
        match u64::from_ne_bytes(word) {
            0 => return Some(addresses),
            address => addresses.push(address),
        }
        at += 8;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters() {
        let check = |line: &[u8], expect: Option<(&str, Option<&str>)>| {
            let owned = |text: &str| text.as_bytes().to_vec();
            let expect = expect.map(|(path, argument)| (owned(path), argument.map(owned)));
            assert_eq!(interpreter(line), expect, "{line:?}");
        };
        check(b"/bin/sh\necho", Some(("/bin/sh", None)));
        check(b" /usr/bin/env  python3 -u \nx", Some(("/usr/bin/env", Some("python3 -u"))));
        check(b"\n", None);
    }

    #[test]
    fn the_loader_of_this_program() {
        let this = std::env::current_exe().unwrap();
        let file = File::open(this).unwrap();
        let mut head = [0; HEAD];
        let length = read(&file, &mut head, 0).unwrap();
        let (path, _) = loader(&file, &head[..length]).unwrap().unwrap();
        assert!(String::from_utf8(path).unwrap().contains("/ld-"));
    }
}
