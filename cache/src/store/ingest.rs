//! Copies the outputs of an action into the store.
//!
//! An untrusted program has written the folder. Its processes must be dead by now; all the
//! same, everything is opened through a capability for the folder (cap-std), without following links
//! and without blocking. Files are hashed while they are copied, so that the digest is that of the
//! bytes stored. They are not moved or linked, because the action may have given them another
//! owner, or a second name in a folder that stays. All mode bits but the owner's "executable"
//! (also setuid), times and owners are dropped.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt};
use rayon::prelude::*;
use rustix::fs::{FileType, OFlags};

use super::blob::is_executable;
use super::content::ContentStore;
use super::error::StoreError;
use crate::digest::Digest;
use crate::link::LinkError;
use crate::tree::{Entry, MAX_DEPTH, Tree, TreeError, join};

/// The reason why outputs could not be stored. Paths are relative to the folder.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A name is not UTF-8, so it can't be part of a tree. The path is escaped.
    #[error("the name of `{0}` is not UTF-8")]
    NotUtf8(String),
    /// An output is something else than a file, a folder or a symbolic link.
    #[error("`{}` is a {kind}, which can't be an output", .path.escape_debug())]
    Kind {
        /// The path of the output.
        path: String,
        /// The kind of the output, as a noun.
        kind: &'static str,
    },
    /// A symbolic link leads out of the folder.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The tree can't be stored: it is nested too deeply, or has an unusable name.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The operating system refused an operation.
    #[error("cannot {action} output `{}`", .path.escape_debug())]
    Io {
        /// The operation that failed, as a verb.
        action: &'static str,
        /// The path of the output.
        path: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ContentStore {
    /// Stores a whole folder of outputs and returns the digest of its tree.
    ///
    /// Symbolic links are kept if they stay inside the folder. If several entries can't be stored, one of them
    /// is reported: first one of the wrong kind, then a bad link, then a file that can't be read. The blobs that were stored before that stay in the store, unused.
    pub fn ingest(&self, dir: &Path) -> Result<Digest, IngestError> {
        self.ingest_filtered(dir, &|_| false)
    }

    /// Stores a folder as [`ContentStore::ingest`] does, but without the files, links and whole folders for whose path
    /// (relative to `dir`) `leave_out` returns `true`.
    pub fn ingest_filtered(
        &self,
        dir: &Path,
        leave_out: &dyn Fn(&str) -> bool,
    ) -> Result<Digest, IngestError> {
        let root = open_root(dir)?;
        Ok(self.put_tree(&self.ingest_folder(&root, leave_out)?)?)
    }

    /// Stores one output, a file or a folder; a folder is returned as [`Entry::Subtree`]. Returns `None` if the output is
    /// absent. `path` consists of plain names separated by `/`.
    pub fn ingest_path(&self, dir: &Path, path: &str) -> Result<Option<Entry>, IngestError> {
        let root = open_root(dir)?;
        let metadata = match root.symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(failed("stat", path, error)),
        };
        if metadata.is_dir() {
            let folder = open_folder(&root, path, path)?;
            let tree = self.ingest_folder(&folder, &|_| false)?;
            return Ok(Some(Entry::Subtree(self.put_tree(&tree)?)));
        }
        self.ingest_regular(&root, path).map(Some)
    }

    fn ingest_folder(
        &self,
        root: &Dir,
        leave_out: &dyn Fn(&str) -> bool,
    ) -> Result<Tree, IngestError> {
        let mut listing = FolderListing { leave_out, tree: Tree::default(), files: Vec::new() };
        listing.add_folder(root, "", 0)?;
        listing.tree.check_links()?;
        let FolderListing { mut tree, files, .. } = listing;
        let entries: Vec<Entry> = files
            .par_iter()
            .map(|path| self.ingest_regular(root, path))
            .collect::<Result<_, _>>()?;
        for (path, entry) in files.iter().zip(entries) {
            tree.insert(path, entry)?;
        }
        Ok(tree)
    }

    fn ingest_regular(&self, root: &Dir, path: &str) -> Result<Entry, IngestError> {
        let file = open_file(root, path)?;
        let metadata = file.metadata().map_err(|error| failed("stat", path, error))?;
        if !metadata.is_file() {
            return Err(wrong_kind(path, metadata.mode()));
        }
        let digest = self.put_open_file(&file, &metadata, Path::new(path))?;
        Ok(Entry::File { digest, executable: is_executable(&metadata) })
    }
}

/// The entries of a folder, listed before any file is read.
struct FolderListing<'a> {
    leave_out: &'a dyn Fn(&str) -> bool,
    /// The folders and symbolic links.
    tree: Tree,
    /// The paths of the regular files, sorted within each folder.
    files: Vec<String>,
}

impl FolderListing<'_> {
    fn add_folder(&mut self, folder: &Dir, path: &str, depth: usize) -> Result<(), IngestError> {
        if depth > MAX_DEPTH {
            return Err(TreeError::TooDeep(path.to_owned()).into());
        }
        for (name, file_type) in read_names(folder, path)? {
            let path = join(path, &name);
            if (self.leave_out)(&path) {
                continue;
            }
            if file_type.is_file() {
                self.files.push(path);
            } else if file_type.is_dir() {
                self.tree.insert(&path, Entry::Directory(Tree::default()))?;
                self.add_folder(&open_folder(folder, &name, &path)?, &path, depth + 1)?;
            } else if file_type.is_symlink() {
                let target = read_link(folder, &name, &path)?;
                self.tree.insert(&path, Entry::Symlink { target })?;
            } else {
                let metadata = folder.symlink_metadata(&name);
                let metadata = metadata.map_err(|error| failed("stat", &path, error))?;
                return Err(wrong_kind(&path, metadata.mode()));
            }
        }
        Ok(())
    }
}

fn open_root(dir: &Path) -> Result<Dir, IngestError> {
    Dir::open_ambient_dir(dir, ambient_authority())
        .map_err(|source| StoreError::Io { action: "open", path: dir.to_owned(), source }.into())
}

/// Reads the folder's names and sorts them as a tree does, so that the same entry is always the first to be refused.
fn read_names(
    folder: &Dir,
    path: &str,
) -> Result<Vec<(String, cap_std::fs::FileType)>, IngestError> {
    let failed = |error| failed("list", if path.is_empty() { "." } else { path }, error);
    let mut names = Vec::new();
    for entry in folder.entries().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            let escaped = name.as_encoded_bytes().escape_ascii().to_string();
            return Err(IngestError::NotUtf8(join(path, &escaped)));
        };
        names.push((name.to_owned(), entry.file_type().map_err(failed)?));
    }
    names.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(names)
}

/// Opens a file, and makes it readable if its mode forbids reading. Root can read such a file anyway, and the result of
/// an action must not depend on the user.
fn open_file(root: &Dir, path: &str) -> Result<std::fs::File, IngestError> {
    open(root, path, path, OFlags::empty())
}

fn open_folder(parent: &Dir, name: &str, path: &str) -> Result<Dir, IngestError> {
    let folder = open(parent, name, path, OFlags::DIRECTORY)?;
    let mode = folder.metadata().map_err(|error| failed("stat", path, error))?.mode();
    if mode & 0o500 != 0o500 {
        let searchable = std::os::unix::fs::PermissionsExt::from_mode(mode | 0o500);
        folder.set_permissions(searchable).map_err(|error| failed("open", path, error))?;
    }
    Ok(Dir::from_std_file(folder))
}

/// Opens an entry of `parent`. `path` is for messages.
fn open(parent: &Dir, name: &str, path: &str, flags: OFlags) -> Result<std::fs::File, IngestError> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let error = match parent.open_with(name, &options) {
        Ok(file) => return Ok(file.into_std()),
        Err(error) => error,
    };
    let Ok(metadata) = parent.symlink_metadata(name) else {
        return Err(failed("open", path, error));
    };
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(wrong_kind(path, metadata.mode()));
    }
    if error.kind() != io::ErrorKind::PermissionDenied {
        return Err(failed("open", path, error));
    }
    let readable = Permissions::from_mode(metadata.mode() & 0o777 | 0o400);
    parent
        .set_permissions(name, readable)
        .and_then(|()| parent.open_with(name, &options))
        .map(cap_std::fs::File::into_std)
        .map_err(|error| failed("open", path, error))
}

fn read_link(folder: &Dir, name: &str, path: &str) -> Result<String, IngestError> {
    let target = folder.read_link_contents(name).map_err(|error| failed("read", path, error))?;
    PathBuf::into_os_string(target).into_string().map_err(|target| {
        let escaped = target.as_encoded_bytes().escape_ascii();
        IngestError::NotUtf8(format!("{path} -> {escaped}"))
    })
}

fn wrong_kind(path: &str, mode: u32) -> IngestError {
    let kind = match FileType::from_raw_mode(mode) {
        FileType::Fifo => "FIFO",
        FileType::Socket => "socket",
        FileType::BlockDevice => "block device",
        FileType::CharacterDevice => "character device",
        FileType::Symlink => "symbolic link",
        FileType::Directory => "folder",
        _ => "file of unknown kind",
    };
    IngestError::Kind { path: path.to_owned(), kind }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn failed(action: &'static str, path: &str, source: io::Error) -> IngestError {
    IngestError::Io { action, path: path.to_owned(), source }
}
