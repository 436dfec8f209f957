//! Putting the folders of one tree on disk, in parallel.

use std::collections::HashSet;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::disk::{At, DiskStore, StoreError};
use super::folders::Folder;
use super::stamp::{FOLDER_MODE, file_mode, stamp};
use crate::digest::Digest;
use crate::tree::Entry;

/// Creates the tree at `root`, which must not exist, and stamps everything in it.
pub(super) fn build_tree(
    store: &DiskStore,
    root: &Path,
    folders: &[Folder],
) -> Result<(), StoreError> {
    for folder in folders {
        let path = root.join(&folder.path);
        rustix::fs::mkdir(&path, Mode::RWXU).at("create", &path)?;
    }
    let build = Build { store, linked: Mutex::new(HashSet::new()) };
    folders.par_iter().try_for_each(|folder| build.fill(root.join(&folder.path), folder))
}

struct Build<'a> {
    store: &'a DiskStore,
    /// The blobs' files that the tree has a name of already.
    linked: Mutex<HashSet<(Digest, bool)>>,
}

struct OpenFolder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Build<'_> {
    /// Creates everything in a folder but its subfolders, which exist.
    fn fill(&self, path: PathBuf, folder: &Folder) -> Result<(), StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::empty()).at("open", &path)?;
        let open = OpenFolder { fd, path };
        for (name, entry) in &folder.tree.entries {
            match entry {
                Entry::File { digest, executable } => {
                    self.place_file(&open, name, digest, *executable)?;
                }
                Entry::Symlink { target } => {
                    let created = rustix::fs::symlinkat(target, &open.fd, name);
                    created.at("create", &open.path.join(name))?;
                }
                Entry::Directory(_) | Entry::Subtree(_) => {}
            }
        }
        stamp(&open.fd, FOLDER_MODE).at("stamp", &open.path)
    }

    fn place_file(
        &self,
        folder: &OpenFolder,
        name: &str,
        digest: &Digest,
        executable: bool,
    ) -> Result<(), StoreError> {
        if self.may_link(digest, executable) && self.link(folder, name, digest, executable)? {
            return Ok(());
        }
        let path = folder.path.join(name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder.fd, name, flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(file.at("create", &path)?);
        if !self.store.copy_blob(digest, &file)? {
            return Err(StoreError::Missing(*digest));
        }
        stamp(&file, file_mode(executable)).at("stamp", &path)
    }

    /// Whether this is the tree's first file with this content; an empty file never is.
    fn may_link(&self, digest: &Digest, executable: bool) -> bool {
        let linked = || self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        digest.size() > 0 && linked().insert((*digest, executable))
    }

    /// The width of link counts differs between architectures.
    fn is_at_link_limit(&self, links: impl Into<u64>) -> bool {
        links.into() >= self.store.inner.link_limit
    }

    /// Links the blob's file; false if it can't have another name.
    fn link(
        &self,
        folder: &OpenFolder,
        name: &str,
        digest: &Digest,
        executable: bool,
    ) -> Result<bool, StoreError> {
        let blob = self.store.ensure(digest, executable)?.ok_or(StoreError::Missing(*digest))?;
        if self.is_at_link_limit(blob.st_nlink) {
            return Ok(false);
        }
        let path = self.store.layout().blob(digest, executable);
        match rustix::fs::linkat(CWD, &path, &folder.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::MLINK | Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP) => Ok(false),
            // Replaced or quarantined this very moment: copying finds out which.
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error).at("link", &path),
        }
    }
}
