//! Walks through a folder that a command has written, at any depth.
//!
//! A command can nest folders more deeply than a path may be long, a process may have files open,
//! or a stack has room. So every name is relative to the one folder that is open, and `..` leads
//! back. No process of the command is alive during the walk, so nothing changes under it. It does
//! not follow symbolic links.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, open, openat, statat};

/// Acts on everything that the walk finds. `at` is the folder that holds the name.
pub(super) trait Visitor {
    /// Deals with a folder before it is opened.
    fn enter(&self, at: BorrowedFd<'_>, name: &CStr) -> io::Result<()>;

    /// Deals with an entry that is not a folder.
    fn visit(&self, at: BorrowedFd<'_>, name: &CStr, kind: FileType) -> io::Result<()>;

    /// Deals with a folder after everything in it was visited.
    fn leave(&self, at: BorrowedFd<'_>, name: &CStr) -> io::Result<()>;
}

/// A folder on the way, and the names of its subfolders that are still to be entered.
struct Level {
    name: CString,
    rest: Vec<CString>,
}

/// Visits everything in the folder `top`, and enters and leaves `top` itself.
pub(super) fn walk(top: &Path, visitor: &impl Visitor) -> io::Result<()> {
    let top = CString::new(top.as_os_str().as_encoded_bytes())?;
    visitor.enter(CWD, &top)?;
    let mut folder = open(&top, FOLDER, Mode::empty())?;
    let mut levels = vec![Level { rest: look(&folder, visitor)?, name: top }];
    loop {
        let level = levels.last_mut().expect("the loop ends with the first");
        if let Some(name) = level.rest.pop() {
            visitor.enter(folder.as_fd(), &name)?;
            folder = openat(&folder, &name, FOLDER, Mode::empty())?;
            levels.push(Level { rest: look(&folder, visitor)?, name });
            continue;
        }
        let Some(Level { name, .. }) = levels.pop() else { return Ok(()) };
        if levels.is_empty() {
            return visitor.leave(CWD, &name);
        }
        folder = openat(&folder, c"..", FOLDER, Mode::empty())?;
        visitor.leave(folder.as_fd(), &name)?;
    }
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Visits everything that is not a folder, and returns the names of the folders.
fn look(folder: &OwnedFd, visitor: &impl Visitor) -> io::Result<Vec<CString>> {
    let mut entries = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut listing = RawDir::new(folder, &mut buffer);
    while let Some(entry) = listing.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        entries.push((name.to_owned(), kind));
    }
    let mut folders = Vec::new();
    for (name, kind) in entries {
        match kind {
            FileType::Directory => folders.push(name),
            kind => visitor.visit(folder.as_fd(), &name, kind)?,
        }
    }
    Ok(folders)
}
