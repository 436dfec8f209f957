//! The private folder in which one process writes files before it publishes them in the store.
//!
//! Each open store owns `tmp/<name>/` and holds an flock on `tmp/<name>.lock`. The kernel drops the
//! lock when the process ends, in whatever way. This works across PID namespaces too, where neither process
//! ids nor start times identify a process. If another process can take the lock of a session, the session's process is
//! dead, and its folder is removed.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, FlockOperation, RenameFlags};
use rustix::io::Errno;

use super::blob::open_no_follow;
use super::layout::{create_private, random_name};
use super::remove::remove_tree;

/// A folder below `tmp/` that belongs to one process. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct WriterSession {
    folder: PathBuf,
    lock_path: PathBuf,
    /// The open lock file, which holds the flock.
    _lock: File,
    next: AtomicU64,
}

impl WriterSession {
    /// Creates a session. The lock file is created before the folder and removed after it, so that a folder without a
    /// lock file belongs to no process.
    pub(super) fn create(tmp: &Path) -> io::Result<Self> {
        loop {
            let folder = tmp.join(format!("{}-{}", std::process::id(), random_name()?));
            debug_assert!(is_of_a_session(&folder));
            let lock_path = folder.with_extension("lock");
            let lock = File::create_new(&lock_path)?;
            if !take_lock(&lock)? {
                continue;
            }
            create_private(&folder)?;
            return Ok(Self { folder, lock_path, _lock: lock, next: AtomicU64::new(0) });
        }
    }

    /// Returns the path of the session's lock file.
    pub(super) fn lock_path(&self) -> &Path {
        &self.lock_path
    }

    /// Returns a path in the session's folder that was never used before.
    pub(super) fn fresh_path(&self) -> PathBuf {
        self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Returns a file name that no other session uses.
    pub(super) fn unique_name(&self) -> String {
        let session = self.folder.file_name().expect("a session folder has a name");
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", session.display())
    }

    /// Creates a new file to write to.
    pub(super) fn create_file(&self) -> io::Result<TempFile> {
        let path = self.fresh_path();
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok(TempFile { file, path, published: false })
    }
}

impl Drop for WriterSession {
    fn drop(&mut self) {
        // A folder that can't be removed now is swept later, as its lock is free then.
        if remove_tree(&self.folder).is_ok() {
            _ = std::fs::remove_file(&self.lock_path);
        }
    }
}

/// A file in a session's folder. It is removed when this is dropped, unless it was published.
#[derive(Debug)]
pub(super) struct TempFile {
    pub(super) file: File,
    path: PathBuf,
    published: bool,
}

impl TempFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its final name. If a file of that name exists, that one stays, so
    /// that a process that is about to link to it does not find it gone.
    pub(super) fn publish(mut self, to: &Path) -> io::Result<()> {
        match self.rename(to, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => return Ok(()),
            // The file system supports only the plain rename.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                self.rename(to, RenameFlags::empty())?;
            }
            other => other?,
        }
        self.published = true;
        Ok(())
    }

    /// Gives the file its final name, and atomically replaces a file that has that name.
    pub(super) fn replace(mut self, to: &Path) -> io::Result<()> {
        self.rename(to, RenameFlags::empty())?;
        self.published = true;
        Ok(())
    }

    /// Renames the file, and creates the folder that it goes to if that is missing.
    fn rename(&self, to: &Path, flags: RenameFlags) -> Result<(), Errno> {
        let rename = || rustix::fs::renameat_with(CWD, &self.path, CWD, to, flags);
        match rename() {
            Err(Errno::NOENT) => {
                let folder = to.parent().unwrap_or(to);
                std::fs::create_dir_all(folder)
                    .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
                rename()
            }
            other => other,
        }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.published {
            _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes the sessions of dead processes below `tmp`. Goes on if one of them can't be removed, and
/// returns the first such error.
pub(super) fn sweep(tmp: &Path) -> io::Result<()> {
    let mut result = Ok(());
    for entry in std::fs::read_dir(tmp)? {
        let path = entry?.path();
        // A file with another kind of name was not made by a store, so it is left alone.
        let swept = if is_of_a_session(&path) { sweep_entry(&path) } else { Ok(()) };
        result = result.and(swept);
    }
    result
}

/// Lists the lock files of sessions below `tmp`, as far as it can be read.
pub(super) fn sessions(tmp: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(tmp).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some() && is_of_a_session(path)).collect()
}

/// Tells if a process holds the lock of a session.
pub(super) fn is_held(lock: &Path) -> bool {
    let file = open_no_follow(lock).ok().flatten();
    file.is_some_and(|file| try_lock(&file).is_ok_and(|taken| !taken))
}

/// Tells if a path has the name of a session's folder or lock file: a process id and 128 bits in hexadecimal.
fn is_of_a_session(path: &Path) -> bool {
    let name = path.with_extension("");
    let parts = name.file_name().and_then(OsStr::to_str).and_then(|name| name.split_once('-'));
    let is_extension = path.extension().is_none_or(|extension| extension == "lock");
    is_extension
        && parts.is_some_and(|(pid, random)| {
            !pid.is_empty()
                && pid.bytes().all(|b| b.is_ascii_digit())
                && random.len() == 32
                && random.bytes().all(|b| b.is_ascii_hexdigit())
        })
}

fn sweep_entry(path: &Path) -> io::Result<()> {
    if path.extension().is_none_or(|extension| extension != "lock") {
        let locked = path.with_extension("lock").try_exists()?;
        return if locked { Ok(()) } else { remove_tree(path) };
    }
    let held = match open_no_follow(path) {
        Ok(Some(lock)) => !try_lock(&lock)?,
        Ok(None) => return Ok(()),
        // The lock file of a session is never a symbolic link or a socket.
        Err(Errno::LOOP | Errno::NXIO) => false,
        Err(error) => return Err(error.into()),
    };
    if held {
        return Ok(());
    }
    remove_tree(&path.with_extension(""))?;
    remove_tree(path)
}

/// Takes the lock of a lock file. Returns `false` if another process holds it, or has removed the file in the meantime.
pub(super) fn take_lock(lock: &File) -> io::Result<bool> {
    Ok(try_lock(lock)? && lock.metadata()?.nlink() > 0)
}

fn try_lock(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tmp: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(tmp).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Makes what a killed process leaves: its folder and its lock file, unlocked.
    fn leave_behind(tmp: &Path, name: &str) {
        std::fs::create_dir_all(tmp.join(name).join("7/deep")).unwrap();
        std::fs::write(tmp.join(name).join("7/deep/file"), "x").unwrap();
        std::fs::write(tmp.join(format!("{name}.lock")), "").unwrap();
    }

    #[test]
    fn a_dropped_session_leaves_nothing() {
        let tmp = tempfile::tempdir().unwrap();
        let session = WriterSession::create(tmp.path()).unwrap();
        std::fs::write(session.fresh_path(), "x").unwrap();
        drop(session);
        assert_eq!(names(tmp.path()), Vec::<String>::new());
    }

    #[test]
    fn sweep_takes_the_dead_and_spares_the_living() {
        let tmp = tempfile::tempdir().unwrap();
        let living = WriterSession::create(tmp.path()).unwrap();
        let before = names(tmp.path());
        let session = |pid: u32| format!("{pid}-{}", random_name().unwrap());
        leave_behind(tmp.path(), &session(1));
        std::fs::create_dir(tmp.path().join(session(2))).unwrap();
        std::fs::write(tmp.path().join(session(3) + ".lock"), "").unwrap();
        sweep(tmp.path()).unwrap();
        assert_eq!(names(tmp.path()), before);
        // Names that no session has stay.
        let others = ["1-abc", "Documents", "notes.lock", "x-0123456789abcdef0123456789abcdef"];
        others.iter().for_each(|name| leave_behind(tmp.path(), name));
        sweep(tmp.path()).unwrap();
        assert_eq!(names(tmp.path()).len(), before.len() + 2 * others.len());
        drop(living);
    }

    #[test]
    fn a_lock_file_that_a_sweep_took_is_not_owned() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("1.lock");
        let lock = File::create_new(&path).unwrap();
        let sweeping = File::open(&path).unwrap();
        assert!(try_lock(&sweeping).unwrap());
        assert!(!take_lock(&lock).unwrap(), "being removed");
        std::fs::remove_file(&path).unwrap();
        drop(sweeping);
        assert!(!take_lock(&lock).unwrap(), "removed");
        let lock = File::create_new(&path).unwrap();
        assert!(take_lock(&lock).unwrap());
    }

    #[test]
    fn sessions_survive_sweeps_that_race_with_their_creation() {
        let tmp = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let sweeper = scope.spawn(|| (0..300).try_for_each(|_| sweep(tmp.path())));
            for _ in 0..300 {
                let session = WriterSession::create(tmp.path()).unwrap();
                std::fs::write(session.fresh_path(), "x").unwrap();
            }
            sweeper.join().unwrap().unwrap();
        });
        assert_eq!(names(tmp.path()), Vec::<String>::new());
    }
}
