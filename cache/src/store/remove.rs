//! Removes whole folders, whoever has made them.
//!
//! The files of an action may lie in read-only or unreadable folders (overlayfs itself makes one of mode 0000),
//! may have other owners, and may be nested deeper than descriptors, stack or `PATH_MAX` allow. So
//! folders are made accessible on the way, everything is named relative to an open folder, symbolic
//! links are never followed, and folders that lie too deep are first moved up to the top.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

/// The largest number of nested folders that are open at the same time.
const MAX_OPEN: usize = 32;

/// Removes the file or folder at `path` with everything in it. It is no error if something is missing already,
/// so that several processes may remove one tree.
///
/// Goes on if something can't be removed, and returns the first error.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let not_a_file = match rustix::fs::unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(error @ (Errno::ISDIR | Errno::PERM | Errno::ACCESS)) => error,
        Err(error) => return Err(error.into()),
    };
    let top = match open_folder(CWD, path) {
        Ok(Some(top)) => top,
        Ok(None) => return Ok(()),
        // The path is a file, which this process may not remove.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(not_a_file.into());
        }
        Err(error) => return Err(error),
    };
    let mut clearing = Clearing { top: top.as_fd(), moved: 0 };
    loop {
        let moved_before = clearing.moved;
        clearing.clear(top.as_fd(), 0)?;
        if clearing.moved == moved_before {
            break;
        }
    }
    ignore_missing(rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR))
}

struct Clearing<'top> {
    top: BorrowedFd<'top>,
    /// The number of folders that were moved up to the top so far.
    moved: u64,
}

impl Clearing<'_> {
    /// Empties `folder`.
    fn clear(&mut self, folder: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
        let mut result = Ok(());
        for (name, kind) in read_names(folder)? {
            let removed = match kind {
                FileType::Directory => self.remove_folder(folder, &name, depth),
                _ => ignore_missing(rustix::fs::unlinkat(folder, &name, AtFlags::empty())),
            };
            result = result.and(removed);
        }
        result
    }

    fn remove_folder(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        depth: usize,
    ) -> io::Result<()> {
        let Some(folder) = open_folder(parent, name)? else { return Ok(()) };
        if depth >= MAX_OPEN {
            return self.move_up(parent, name);
        }
        self.clear(folder.as_fd(), depth + 1)?;
        ignore_missing(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR))
    }

    fn move_up(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        loop {
            self.moved += 1;
            let free = format!(".moved-{}", self.moved);
            match rustix::fs::renameat(parent, name, self.top, &free) {
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                other => return ignore_missing(other),
            }
        }
    }
}

/// Opens a folder, and first changes its mode if it can't be read or written. Returns `None` if
/// the folder is gone.
fn open_folder(
    parent: BorrowedFd<'_>,
    name: impl rustix::path::Arg + Copy,
) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut opened = rustix::fs::openat(parent, name, flags, Mode::empty());
    if opened.as_ref().err() == Some(&Errno::ACCESS) {
        rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
        opened = rustix::fs::openat(parent, name, flags, Mode::empty());
    }
    let folder = match opened {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !Mode::from_raw_mode(rustix::fs::fstat(&folder)?.st_mode).contains(Mode::RWXU) {
        // This may fail for root, who needs no permission but may not be the owner. If the permission was needed,
        // removing fails with an error.
        _ = rustix::fs::fchmod(&folder, Mode::RWXU);
    }
    Ok(Some(folder))
}

fn read_names(folder: BorrowedFd<'_>) -> io::Result<Vec<(CString, FileType)>> {
    let mut names = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); 8192];
    rustix::fs::seek(folder, rustix::fs::SeekFrom::Start(0))?;
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        names.push((name.to_owned(), kind));
    }
    Ok(names)
}

fn ignore_missing(result: Result<(), Errno>) -> io::Result<()> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::store::tests::{as_nobody, as_root};

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn missing_is_fine_and_a_file_goes_too() {
        let dir = tempfile::tempdir().unwrap();
        remove_tree(&dir.path().join("missing")).unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        remove_tree(&file).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn a_file_that_may_not_be_removed_says_so() {
        as_nobody(|dir| {
            fs::write(dir.join("file"), "x").unwrap();
            chmod(dir, 0o555);
            let error = remove_tree(&dir.join("file")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        });
    }

    #[test]
    fn links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (outside, tree) = (dir.path().join("outside"), dir.path().join("tree"));
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "x").unwrap();
        fs::create_dir(&tree).unwrap();
        symlink(&outside, tree.join("link")).unwrap();
        symlink(&outside, dir.path().join("top")).unwrap();
        remove_tree(&tree).unwrap();
        remove_tree(&dir.path().join("top")).unwrap();
        assert!(!tree.exists());
        assert!(outside.join("file").exists());
    }

    #[test]
    fn modes_don_t_matter_to_their_owner() {
        as_nobody(|dir| {
            let tree = dir.join("tree");
            fs::create_dir_all(tree.join("closed/inner")).unwrap();
            fs::create_dir_all(tree.join("readonly")).unwrap();
            fs::write(tree.join("closed/inner/file"), "x").unwrap();
            fs::write(tree.join("readonly/file"), "x").unwrap();
            chmod(&tree.join("closed/inner"), 0o000);
            chmod(&tree.join("closed"), 0o000);
            chmod(&tree.join("readonly"), 0o555);
            chmod(&tree, 0o500);
            remove_tree(&tree).unwrap();
            assert!(!tree.exists());
        });
    }

    /// Runs on a small stack, which a recursion over all levels would exhaust.
    #[test]
    fn nesting_beyond_path_max_goes() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let mut folder = open_folder(CWD, &tree).unwrap().unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&folder, "nested", Mode::RWXU).unwrap();
            folder = open_folder(folder.as_fd(), c"nested").unwrap().unwrap();
        }
        rustix::fs::mkdirat(&folder, ".moved-1", Mode::RWXU).unwrap();
        drop(folder);
        let small = std::thread::Builder::new().stack_size(256 << 10);
        let target = tree.clone();
        small.spawn(move || remove_tree(&target)).unwrap().join().unwrap().unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn what_belongs_to_others_is_an_error_and_the_rest_goes() {
        as_nobody(|dir| {
            let tree = dir.join("tree");
            fs::create_dir_all(tree.join("mine")).unwrap();
            if !as_root(|| fs::create_dir_all(tree.join("theirs/inner")).unwrap()) {
                return;
            }
            let error = remove_tree(&tree).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(!tree.join("mine").exists());
            assert!(tree.join("theirs/inner").exists());
        });
    }
}
