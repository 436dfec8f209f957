//! Makes the file tree of a command without namespaces on disk: a folder for its root, in which
//! each part of the tree has a mount point, and the folders and files that the sandbox itself
//! provides.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::folders;
use super::layout::{EntryKind, TreeEntry};
use super::plan::path;
use crate::View;
use crate::linux::view::covers::{Content, Cover};
use crate::linux::view::devices::{DEVICE_LINKS, DEVICES};
use crate::linux::view::tree::Tree;
use crate::linux::wire::plan::{PlannedKind, PlannedMount};
use crate::linux::wire::step::Step;

/// The file tree of a command. Its folder is removed when this value is dropped.
#[derive(Debug)]
pub(super) struct Root {
    folder: PathBuf,
    mounts: Vec<PlannedMount>,
}

/// Says why a file tree could not be made.
#[derive(Debug)]
pub(super) struct RootError {
    /// The folder of the tree.
    pub folder: PathBuf,
    /// The position of the entry that could not be shown, and the step that failed. `None` if the
    /// error is not about an entry.
    pub entry: Option<(usize, Step)>,
    pub source: io::Error,
}

impl Root {
    /// Makes the tree with these entries in `folder`, which must not exist. The covers hide what
    /// the kernel shows.
    pub(super) fn make(
        folder: PathBuf,
        entries: &[TreeEntry],
        view: &View,
        covers: &[Cover],
    ) -> Result<Self, RootError> {
        let not_made = |entry, source| RootError { folder: folder.clone(), entry, source };
        let building = Building::begin(folder.clone(), view, covers);
        let mut building = building.map_err(|error| not_made(None, error))?;
        for (index, entry) in entries.iter().enumerate() {
            let added = building.add(entry);
            added.map_err(|(step, error)| not_made(Some((index, step)), error))?;
        }
        Ok(building.root)
    }

    /// Lists the parts of the tree, outer folders first. All of them are read-only or writable.
    pub(super) fn mounts(&self) -> &[PlannedMount] {
        &self.mounts
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // What can't be removed is removed with the folder that it lies in.
        let _ = folders::remove(&self.folder);
    }
}

/// Holds a tree while entries are added to it.
struct Building {
    root: Root,
    tree: Tree,
}

impl Building {
    /// Makes what every command sees.
    fn begin(folder: PathBuf, view: &View, covers: &[Cover]) -> io::Result<Self> {
        fs::create_dir(&folder)?;
        let mut building = Self {
            root: Root { folder: folder.clone(), mounts: Vec::new() },
            tree: Tree::default(),
        };
        let new = |name: &str| {
            let folder = folder.join(name);
            fs::create_dir(&folder).map(|()| folder)
        };
        let root = new("root")?;
        ["etc", "dev", "proc", "tmp"]
            .iter()
            .try_for_each(|name| fs::create_dir(root.join(name)))?;
        for (path, content) in view.system_files() {
            fs::write(root.join(&path[1..]), content)?;
        }
        building.show(Path::new("/"), PlannedKind::ReadOnly(self::path(&root)));
        let dev = Path::new("/dev");
        for device in DEVICES {
            let device = dev.join(text(device));
            building.add_own(&device, EntryKind::Writable(device.clone()))?;
        }
        for (link, to) in DEVICE_LINKS {
            building.add_own(&dev.join(text(link)), EntryKind::Symlink(text(to).into()))?;
        }
        for (target, own) in [("/tmp", "tmp"), ("/dev/shm", "shm")] {
            let own = new(own)?;
            fs::set_permissions(&own, Permissions::from_mode(0o1777))?;
            let kind = EntryKind::Writable(own);
            building.add_own(Path::new(target), kind)?;
        }
        building.show(Path::new("/proc"), PlannedKind::ReadOnly(c"/proc".into()));
        building.cover(&new("hidden")?, covers)?;
        Ok(building)
    }

    /// Covers files and folders that exist by others, which are created in `folder`.
    fn cover(&mut self, folder: &Path, covers: &[Cover]) -> io::Result<()> {
        let (empty, none) = (folder.join("empty"), folder.join("none"));
        fs::write(&empty, "")?;
        fs::create_dir(&none)?;
        for (number, Cover { path, content }) in covers.iter().enumerate() {
            let target = Path::new(text(path));
            if !target.exists() {
                continue;
            }
            let place = folder.join(number.to_string());
            let place = match content {
                Content::File(bytes) if bytes.is_empty() => &empty,
                Content::Folder(files) if files.is_empty() => &none,
                Content::File(bytes) => fs::write(&place, bytes).map(|()| &place)?,
                Content::Folder(files) => {
                    fs::create_dir(&place)?;
                    for (file, bytes) in files {
                        let file = Path::new(text(file)).strip_prefix(target);
                        let file = place.join(file.map_err(io::Error::other)?);
                        match bytes {
                            Some(bytes) => fs::write(file, bytes)?,
                            None => fs::create_dir(file)?,
                        }
                    }
                    &place
                }
            };
            self.show(target, PlannedKind::ReadOnly(self::path(place)));
        }
        Ok(())
    }

    fn show(&mut self, target: &Path, kind: PlannedKind) {
        if let Some((host, is_writable)) = kind.shown() {
            self.tree.add(target.as_os_str().as_bytes(), host.to_bytes(), is_writable);
        }
        self.root.mounts.push(PlannedMount { target: path(target), kind });
    }

    fn add_own(&mut self, target: &Path, kind: EntryKind) -> io::Result<()> {
        self.add(&TreeEntry { target: target.into(), kind }).map_err(|(_, error)| error)
    }

    /// Makes the mount point of an entry and shows the entry there.
    fn add(&mut self, entry: &TreeEntry) -> Result<(), (Step, io::Error)> {
        let not_opened = |error| (Step::Open, error);
        let not_made = |error| (Step::MountPoint, error);
        let target = &entry.target;
        let (place, _) = self
            .tree
            .host_of(target.as_os_str().as_bytes())
            .ok_or_else(|| not_made(io::ErrorKind::NotFound.into()))?;
        let place = Path::new(OsStr::from_bytes(&place)).to_owned();
        if let Some(parent) = place.parent().filter(|parent| !parent.exists()) {
            fs::create_dir_all(parent).map_err(not_made)?;
        }
        let is_there = fs::symlink_metadata(&place).is_ok();
        let kind = match &entry.kind {
            EntryKind::Folder if is_there => return Ok(()),
            EntryKind::Folder => return fs::create_dir(&place).map_err(not_made),
            EntryKind::Symlink(text) => {
                return symlink(text, &place).map_err(|error| (Step::Symlink, error));
            }
            EntryKind::ReadOnly(host) => {
                PlannedKind::ReadOnly(true_path(host).map_err(not_opened)?)
            }
            EntryKind::Writable(host) | EntryKind::Scratch { lower: host, .. } => {
                PlannedKind::Writable(true_path(host).map_err(not_opened)?)
            }
        };
        if let (false, Some((host, _))) = (is_there, kind.shown()) {
            let host = Path::new(text(host));
            match fs::metadata(host).map_err(not_opened)?.is_dir() {
                true => fs::create_dir(&place),
                false => File::create_new(&place).map(drop),
            }
            .map_err(not_made)?;
        }
        self.show(target, kind);
        Ok(())
    }
}

/// Returns the path without links. The kernel names open files by such paths, which are then looked
/// up in the tree.
fn true_path(host: &Path) -> io::Result<CString> {
    fs::canonicalize(host).map(|host| path(&host))
}

fn text(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}
