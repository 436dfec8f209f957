//! Turns the mounts of a specification, which come in any order, into a list that is carried out
//! from front to back.
//!
//! Outer folders come first. A read-only tree may lack the folder or file on which another mount
//! inside it goes. Then the tree is opened up: a new folder takes its place, and its entries are
//! mounted there one by one, so that there is room for the other mount beside them. `/etc` is
//! always opened up, because the sandbox adds its own files there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::spec::FIXED_FILES;
use crate::{Mount, MountSource, SandboxError};

/// Describes one entry of the file tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TreeEntry {
    pub target: PathBuf,
    pub kind: EntryKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// It is a new empty folder, into which other entries go.
    Folder,
    ReadOnly(PathBuf),
    Writable(PathBuf),
    Scratch {
        lower: PathBuf,
        upper: PathBuf,
    },
    Symlink(OsString),
}

/// Puts `mounts` in order and opens up the trees that need it.
pub(super) fn lay_out(mounts: &[Mount]) -> Result<Vec<TreeEntry>, SandboxError> {
    let mut tree: BTreeMap<PathBuf, EntryKind> =
        mounts.iter().map(|mount| (clean(&mount.target), EntryKind::from(&mount.source))).collect();
    if let Some(EntryKind::ReadOnly(source)) = tree.get(Path::new("/etc")).cloned() {
        open_up(&mut tree, Path::new("/etc"), &source)?;
        FIXED_FILES.iter().for_each(|file| drop(tree.remove(Path::new(file))));
    }
    while let Some((outer, source)) = lacks_place(&tree) {
        open_up(&mut tree, &outer, &source)?;
    }
    Ok(tree.into_iter().map(|(target, kind)| TreeEntry { target, kind }).collect())
}

/// Removes a slash at the end, so that equal paths are equal strings.
fn clean(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Finds a read-only tree in which another mount lies without a mount point. Returns its target and
/// its source.
fn lacks_place(tree: &BTreeMap<PathBuf, EntryKind>) -> Option<(PathBuf, PathBuf)> {
    tree.iter().find_map(|(target, kind)| {
        let outer = target.ancestors().skip(1).find(|outer| tree.contains_key(*outer))?;
        let EntryKind::ReadOnly(source) = &tree[outer] else { return None };
        let inner = target.strip_prefix(outer).ok()?;
        (!has_place(source, inner, kind)).then(|| (outer.to_owned(), source.clone()))
    })
}

/// Returns whether `source` has something at `inner` that an entry of this kind can be mounted on.
/// Every folder on the way to it must be a real folder and no link.
fn has_place(source: &Path, inner: &Path, kind: &EntryKind) -> bool {
    let is_folder = |path: &Path| path.symlink_metadata().is_ok_and(|data| data.is_dir());
    let parents = inner.ancestors().skip(1);
    let place = source.join(inner);
    parents.into_iter().all(|parent| is_folder(&source.join(parent)))
        && match kind {
            EntryKind::Folder | EntryKind::Symlink(_) => false,
            EntryKind::Writable(_) | EntryKind::Scratch { .. } => is_folder(&place),
            EntryKind::ReadOnly(host) if is_folder(host) => is_folder(&place),
            EntryKind::ReadOnly(_) => place.symlink_metadata().is_ok_and(|data| data.is_file()),
        }
}

/// Replaces a read-only tree by a new folder with its entries. Explicit mounts there win.
fn open_up(
    tree: &mut BTreeMap<PathBuf, EntryKind>,
    target: &Path,
    source: &Path,
) -> Result<(), SandboxError> {
    let entries = entries(source).map_err(|error| SandboxError::Mount {
        target: target.to_owned(),
        host: Some(source.to_owned()),
        step: "reading the folder",
        source: error,
    })?;
    tree.insert(target.to_owned(), EntryKind::Folder);
    for (name, kind) in entries {
        tree.entry(target.join(name)).or_insert(kind);
    }
    Ok(())
}

fn entries(folder: &Path) -> io::Result<Vec<(OsString, EntryKind)>> {
    fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            let kind = match entry.file_type()?.is_symlink() {
                true => EntryKind::Symlink(fs::read_link(entry.path())?.into_os_string()),
                false => EntryKind::ReadOnly(entry.path()),
            };
            Ok((entry.file_name(), kind))
        })
        .collect()
}

impl From<&MountSource> for EntryKind {
    fn from(source: &MountSource) -> Self {
        match source.clone() {
            MountSource::ReadOnly(path) => Self::ReadOnly(path),
            MountSource::Writable(path) => Self::Writable(path),
            MountSource::Scratch { lower, upper } => Self::Scratch { lower, upper },
            MountSource::Symlink(text) => Self::Symlink(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds a folder of the host with `src/{a.rs,link,sub/b.rs}`.
    struct Host(PathBuf);

    impl Host {
        fn new(name: &str) -> Self {
            let root =
                std::env::temp_dir().join(format!("sandbox-layout-{name}-{}", std::process::id()));
            fs::create_dir_all(root.join("src/sub")).unwrap();
            fs::write(root.join("src/a.rs"), "").unwrap();
            fs::write(root.join("src/sub/b.rs"), "").unwrap();
            std::os::unix::fs::symlink("a.rs", root.join("src/link")).unwrap();
            Self(root)
        }

        /// Returns the layout with one line for each entry, without the path of the host's folder.
        fn lay_out(&self, mounts: &[(&str, MountSource)]) -> Vec<String> {
            let mounts: Vec<Mount> = mounts
                .iter()
                .map(|(target, source)| Mount { target: target.into(), source: source.clone() })
                .collect();
            let root = self.0.to_str().unwrap();
            let show = |entry: &TreeEntry| format!("{} {:?}", entry.target.display(), entry.kind);
            let lines = lay_out(&mounts).unwrap();
            lines.iter().map(|entry| show(entry).replace(root, "")).collect()
        }

        fn read_only(&self, path: &str) -> MountSource {
            MountSource::ReadOnly(self.0.join(path))
        }
    }

    impl Drop for Host {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn parents_come_first() {
        let host = Host::new("order");
        let src = || host.read_only("src");
        let lines = host.lay_out(&[("/src/sub", src()), ("/deps/a", src()), ("/src", src())]);
        let expect = [
            r#"/deps/a ReadOnly("/src")"#,
            r#"/src ReadOnly("/src")"#,
            r#"/src/sub ReadOnly("/src")"#,
        ];
        assert_eq!(lines, expect);
    }

    #[test]
    fn a_tree_without_a_place_is_opened_up() {
        let host = Host::new("open");
        let lines = host.lay_out(&[
            ("/src", host.read_only("src")),
            ("/src/sub/wit", MountSource::Writable("/out".into())),
        ]);
        let expect = [
            "/src Folder",
            r#"/src/a.rs ReadOnly("/src/a.rs")"#,
            r#"/src/link Symlink("a.rs")"#,
            "/src/sub Folder",
            r#"/src/sub/b.rs ReadOnly("/src/sub/b.rs")"#,
            r#"/src/sub/wit Writable("/out")"#,
        ];
        assert_eq!(lines, expect);
    }

    #[test]
    fn a_file_is_no_place_for_a_folder() {
        let host = Host::new("kind");
        let source = host.read_only("src");
        let lines = host.lay_out(&[("/src", source.clone()), ("/src/a.rs", source)]);
        assert_eq!(lines[..2], ["/src Folder", r#"/src/a.rs ReadOnly("/src")"#]);
        let file = host.read_only("src/a.rs");
        let lines = host.lay_out(&[("/src", host.read_only("src")), ("/src/a.rs", file)]);
        assert_eq!(lines, [r#"/src ReadOnly("/src")"#, r#"/src/a.rs ReadOnly("/src/a.rs")"#]);
    }

    #[test]
    fn etc_is_opened_up_and_keeps_the_fixed_files() {
        let host = Host::new("etc");
        fs::write(host.0.join("src/passwd"), "").unwrap();
        let lines = host.lay_out(&[("/etc", host.read_only("src"))]);
        assert_eq!(lines[0], "/etc Folder");
        assert!(lines.iter().any(|line| line.starts_with("/etc/a.rs")));
        assert!(!lines.iter().any(|line| line.contains("passwd")));
    }
}
