//! Prepares the folders that a command may write to: gives them to the command's user before the
//! run, and makes them usable for the caller after it.
//!
//! No process of the command is alive while these functions run, so nothing changes under them.

use std::ffi::CStr;
use std::fs::{self, DirEntry, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat,
    removexattr, setxattr, statat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::walk::{Visitor, walk};
use crate::linux::wire::plan::Account;

/// Gives a folder and everything in it to the command's user, unless that is the caller.
pub(super) fn hand_over(folder: &Path, account: Account) -> io::Result<()> {
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    if account.is_caller {
        return Ok(());
    }
    walk(folder, &HandOver(account))
}

struct HandOver(Account);

impl HandOver {
    fn give(&self, at: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.0.uid), Gid::from_raw(self.0.gid));
        Ok(chownat(at, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

impl Visitor for HandOver {
    fn enter(&self, at: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        self.give(at, name)
    }

    fn visit(&self, at: BorrowedFd<'_>, name: &CStr, _: FileType) -> io::Result<()> {
        self.give(at, name)
    }

    fn leave(&self, _: BorrowedFd<'_>, _: &CStr) -> io::Result<()> {
        Ok(())
    }
}

/// Makes everything in a folder that a command has written to readable and removable for the
/// caller.
///
/// [`Sandbox::run`](crate::Sandbox::run) does this when the command has ended. Folders that a
/// killed caller has left behind need it before they can be removed, because commands, and the
/// kernel's overlays, create folders that nobody may enter.
pub fn reclaim(folder: &Path) -> io::Result<()> {
    // Root needs no permission. An ordinary user owns what its commands have written.
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    walk(folder, &Reclaim)
}

struct Reclaim;

impl Visitor for Reclaim {
    fn enter(&self, at: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        allow(at, name, 0o700)
    }

    fn visit(&self, at: BorrowedFd<'_>, name: &CStr, kind: FileType) -> io::Result<()> {
        if kind.is_file() { allow(at, name, 0o400) } else { Ok(()) }
    }

    fn leave(&self, _: BorrowedFd<'_>, _: &CStr) -> io::Result<()> {
        Ok(())
    }
}

/// Adds permission bits. A file of another user existed before the run, and stays as it is.
fn allow(at: BorrowedFd<'_>, name: &CStr, bits: u32) -> io::Result<()> {
    let stat = statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let is_own = stat.st_uid == rustix::process::geteuid().as_raw();
    if !is_own || stat.st_mode & bits == bits {
        return Ok(());
    }
    // This is not a link, as only files and folders get here.
    Ok(chmodat(at, name, Mode::from_raw_mode(stat.st_mode & 0o7777 | bits), AtFlags::empty())?)
}

/// Removes a folder that a command has written to, with everything in it, at any depth.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    walk(folder, &Remove)
}

struct Remove;

impl Visitor for Remove {
    fn enter(&self, at: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        allow(at, name, 0o700)
    }

    fn visit(&self, at: BorrowedFd<'_>, name: &CStr, _: FileType) -> io::Result<()> {
        Ok(unlinkat(at, name, AtFlags::empty())?)
    }

    fn leave(&self, at: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        Ok(unlinkat(at, name, AtFlags::REMOVEDIR)?)
    }
}

fn each_entry(folder: &Path, each: &dyn Fn(&DirEntry) -> io::Result<()>) -> io::Result<()> {
    fs::read_dir(folder)?.try_for_each(|entry| each(&entry?))
}

/// Returns whether an overlay can mark removed files in this folder. An overlay can be mounted
/// without marks, but fails when it has to write one. This happens on a tmpfs before Linux 6.6.
pub(super) fn takes_marks(upper: &Path) -> bool {
    const MARK: &str = "user.overlay.trial";
    // A missing folder is an error of its own, which comes later.
    let marked = setxattr(upper, MARK, b"y", XattrFlags::empty());
    marked != Err(Errno::OPNOTSUPP) && removexattr(upper, MARK) != Err(Errno::OPNOTSUPP)
}

/// Creates the two folders that an overlay writes to. What an earlier run has written stays.
pub(super) fn prepare_upper(upper: &Path, account: Account) -> io::Result<()> {
    let work = upper.join("work");
    if work.exists() {
        // The kernel refuses a work folder that was in use before.
        remove(&work)?;
    }
    make_folder(&work)?;
    make_folder(&upper.join("upper"))?;
    hand_over(upper, account)
}

/// Creates `copy`, a writable folder with the content, the modes and the times of `lower`.
///
/// If an earlier run has created and changed it, it stays as it is.
pub(super) fn copy_lower(lower: &Path, copy: &Path, account: Account) -> io::Result<()> {
    if !copy.exists() {
        // The copy has another name until it is complete.
        let part = copy.with_extension("part");
        copy_tree(lower, &part)?;
        fs::rename(&part, copy)?;
    }
    hand_over(copy, account)
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    make_folder(to)?;
    each_entry(from, &|entry| {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type()? {
            kind if kind.is_dir() => copy_tree(&from, &to),
            kind if kind.is_symlink() => {
                symlink(fs::read_link(&from)?, &to)?;
                copy_times(&entry.metadata()?, &to)
            }
            kind if kind.is_file() => copy_file(&from, &to),
            _ => Err(io::Error::new(
                ErrorKind::Unsupported,
                format!("`{}` is neither a file nor a folder nor a link", from.display()),
            )),
        }
    })?;
    let data = fs::symlink_metadata(from)?;
    fs::set_permissions(to, data.permissions())?;
    copy_times(&data, to)
}

/// Copies a file as a reflink if the file system can do that, and byte by byte otherwise.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let (source, target) = (File::open(from)?, File::create_new(to)?);
    if rustix::fs::ioctl_ficlone(&target, &source).is_err() {
        io::copy(&mut &source, &mut &target)?;
    }
    let data = source.metadata()?;
    target.set_permissions(data.permissions())?;
    copy_times(&data, to)
}

fn copy_times(data: &Metadata, to: &Path) -> io::Result<()> {
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    let times = Timestamps {
        last_access: time(data.atime(), data.atime_nsec()),
        last_modification: time(data.mtime(), data.mtime_nsec()),
    };
    Ok(utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}
