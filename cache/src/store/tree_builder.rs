//! Puts the folders of one tree on disk: first all folders, and then their files and links, with several threads.
//!
//! A file is a hard link to its blob's file where that is possible, and else a copy (see `materialise`). Everything is
//! stamped with its mode and the fixed time last, so that a later change shows. The caller gives the finished folder
//! its final name.

use std::collections::HashSet;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::content::ContentStore;
use super::error::{IoErrorContext, StoreError};
use super::folders::TreeFolder;
use super::stamp::{FOLDER_MODE, file_mode, stamp};
use crate::digest::Digest;
use crate::tree::Entry;

/// Creates the tree at `root`, which must not exist, and stamps everything in it.
pub(super) fn build_tree(
    store: &ContentStore,
    root: &Path,
    folders: &[TreeFolder],
) -> Result<(), StoreError> {
    for folder in folders {
        let path = root.join(&folder.path);
        rustix::fs::mkdir(&path, Mode::RWXU).at("create", &path)?;
    }
    let builder = TreeBuilder { store, linked: Mutex::new(HashSet::new()) };
    folders.par_iter().try_for_each(|folder| builder.fill(root.join(&folder.path), folder))
}

struct TreeBuilder<'a> {
    store: &'a ContentStore,
    /// The blobs that the tree has a hard link to already, each with its "executable" bit.
    linked: Mutex<HashSet<(Digest, bool)>>,
}

struct OpenFolder {
    fd: OwnedFd,
    path: PathBuf,
}

impl TreeBuilder<'_> {
    /// Creates the files and links in a folder. Its subfolders exist already.
    fn fill(&self, path: PathBuf, folder: &TreeFolder) -> Result<(), StoreError> {
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

    /// Tells if the file may be a hard link: it may if it is the tree's first file with this content. Empty files are never
    /// linked.
    fn may_link(&self, digest: &Digest, executable: bool) -> bool {
        let linked = || self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        digest.size() > 0 && linked().insert((*digest, executable))
    }

    /// Tells if a file has reached the limit of hard links. The integer type of link counts differs between architectures.
    fn is_at_link_limit(&self, links: impl Into<u64>) -> bool {
        links.into() >= self.store.inner.link_limit
    }

    /// Makes a hard link to the blob's file. Returns `false` if the file can't have another link.
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
            // The blob's file was replaced or quarantined at this moment; the copy that follows finds out which.
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error).at("link", &path),
        }
    }
}
