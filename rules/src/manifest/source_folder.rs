//! A folder of the project that holds files which run.toml names.
//!
//! Thousands of components may lie in one folder. After the first few, the folder is listed once, which takes a fraction of the
//! time of looking at each file. The list only says which regular files there are; everything else is looked at singly.

use std::cell::{Cell, OnceCell};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// The number of files that are looked at singly before the folder is listed.
const FEW: u32 = 64;

/// The largest number of entries that are listed, so that a folder with a million files is not listed for some of them.
const MOST: usize = 1 << 16;

/// A folder in which files are looked for.
pub(super) struct SourceFolder {
    /// The path with all symbolic links resolved.
    pub(super) real: PathBuf,
    /// True if this path lies in the project.
    pub(super) is_inside: bool,
    /// The number of files that were looked for.
    looks: Cell<u32>,
    /// The regular files, once the folder was listed.
    files: OnceCell<HashSet<OsString>>,
}

impl SourceFolder {
    /// Makes a folder of its path without symbolic links, and that of the project.
    pub(super) fn new(real: PathBuf, project: &Path) -> Self {
        let is_inside = real.starts_with(project);
        Self { real, is_inside, looks: Cell::new(0), files: OnceCell::new() }
    }

    /// Returns whether the folder is known to have a regular file of this name. If not, it may have one all the same.
    pub(super) fn is_known_to_have(&self, name: &str) -> bool {
        self.looks.set(self.looks.get().saturating_add(1));
        let is_listed = self.looks.get() > FEW;
        is_listed && self.files.get_or_init(|| regular_files(&self.real)).contains(OsStr::new(name))
    }
}

/// Lists the regular files in a folder. The list is incomplete if the folder is very large or can't be read.
fn regular_files(folder: &Path) -> HashSet<OsString> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MOST).flatten();
    let is_file = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
    entries.filter(is_file).map(|entry| entry.file_name()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_regular_files_only_and_is_made_after_a_few_looks() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        std::os::unix::fs::symlink("file", folder.path().join("link")).unwrap();
        let folder = SourceFolder::new(folder.path().to_owned(), folder.path());
        for _ in 0..FEW {
            assert!(!folder.is_known_to_have("file"));
        }
        assert!(folder.is_known_to_have("file"));
        for other in ["folder", "link", "missing", ""] {
            assert!(!folder.is_known_to_have(other), "{other}");
        }
    }
}
