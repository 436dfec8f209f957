//! The source tree of an action, which is its folder `/src`: files of the checkout, generated files and
//! completed WIT, each at the path that it has in the project.
//!
//! It refuses files that symlinks would take from outside the project, because a checkout may be hostile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use cache::{ContentStore, Digest, Entry, StoreError, Tree, TreeError};
use engine::{SourceError, SourceFile, Sources};

use super::walk::Walk;
use crate::path::{PathError, ProjectPath};

/// The files of the project that an action sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceTree {
    files: BTreeSet<ProjectPath>,
    generated: BTreeMap<ProjectPath, Vec<u8>>,
    subtrees: BTreeMap<ProjectPath, Digest>,
    /// A tree that is there as well. Whatever else is added at a path takes precedence over it.
    base: Option<Rc<Skeleton>>,
    /// The files of the base that are left out.
    removed: BTreeSet<ProjectPath>,
}

/// A stored tree that is part of many other trees. A tree on top of it only costs what is added and the
/// entries of the folders that are added to.
#[derive(Debug)]
pub(crate) struct Skeleton {
    pub(crate) digest: Digest,
    /// The files and symlinks.
    entries: BTreeMap<String, Entry>,
    folders: BTreeMap<String, Self>,
}

impl Skeleton {
    /// Reads the tree with this digest from the store.
    pub(crate) fn read(digest: Digest, store: &ContentStore) -> Result<Self, StoreError> {
        let tree = store.directory(&digest)?.ok_or(StoreError::Missing(digest))?;
        let (mut entries, mut folders) = (BTreeMap::new(), BTreeMap::new());
        for (name, entry) in tree.entries {
            match entry {
                Entry::Subtree(inner) => _ = folders.insert(name, Self::read(inner, store)?),
                entry => _ = entries.insert(name, entry),
            }
        }
        Ok(Self { digest, entries, folders })
    }

    /// Returns the tree without `hidden` files and folders. The folders in `opened` are returned as
    /// directories in memory, so that something can be put into them.
    fn without(
        &self,
        here: &ProjectPath,
        opened: &BTreeSet<ProjectPath>,
        hidden: &BTreeSet<&ProjectPath>,
    ) -> Tree {
        let mut tree = Tree::default();
        for (name, entry) in &self.entries {
            if !hidden.contains(&here.join(name)) {
                tree.entries.insert(name.clone(), entry.clone());
            }
        }
        for (name, folder) in &self.folders {
            let path = here.join(name);
            if hidden.contains(&path) {
                continue;
            }
            if !opened.contains(&path) {
                tree.entries.insert(name.clone(), Entry::Subtree(folder.digest));
                continue;
            }
            let inner = folder.without(&path, opened, hidden);
            if !inner.entries.is_empty() {
                tree.entries.insert(name.clone(), Entry::Directory(inner));
            }
        }
        tree
    }
}

/// The reason why the files of an action can't be listed or taken.
#[derive(Debug, thiserror::Error)]
pub enum SourceTreeError {
    /// A folder can't be read.
    #[error("cannot list `{path}`")]
    Walk {
        /// The path of the folder.
        path: ProjectPath,
        /// The error of the walk.
        source: walkdir::Error,
    },
    /// The target of a path can't be found out.
    #[error("cannot read `{path}`")]
    Link {
        /// The path that can't be resolved.
        path: ProjectPath,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A folder is a symlink out of the project, or is reached through one.
    #[error("`{path}` is a symlink that leads to `{}`, outside of the project", .target.display())]
    Outside {
        /// The path of the folder.
        path: ProjectPath,
        /// The path that it leads to.
        target: PathBuf,
    },
    /// Folders link to each other so often that the walk does not end.
    #[error("`{path}`: too many symlinks to folders are found on the way")]
    TooManyLinks {
        /// The link at which the walk gave up.
        path: ProjectPath,
    },
    /// A name in the checkout can't be part of a project path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A source file can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Two entries have the same path.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The store refused a blob.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SourceTreeError {
    /// Returns a hint on what the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Outside { .. } | Self::Source(SourceError::Escapes { .. }) => Some(
                "a build sees the project alone: put a copy of what the link leads to into the project, or \
                 run.toml into a folder that holds both"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// Names of folders that never hold sources: build outputs, caches and virtual environments.
pub(crate) const NEVER_SOURCES: [&str; 5] =
    ["target", "node_modules", "__pycache__", "venv", "site-packages"];

impl SourceTree {
    /// Makes a tree on top of a skeleton.
    pub(crate) fn on(base: Rc<Skeleton>) -> Self {
        Self { base: Some(base), ..Self::default() }
    }

    /// Leaves a file of the skeleton out.
    pub(crate) fn remove(&mut self, path: ProjectPath) {
        self.removed.insert(path);
    }

    /// Adds one file of the checkout.
    pub(crate) fn file(&mut self, path: ProjectPath) {
        self.files.insert(path);
    }

    /// Adds one file of the checkout, if it exists.
    pub(crate) fn optional_file(&mut self, project: &Path, path: ProjectPath) {
        if path.on_disk(project).is_file() {
            self.files.insert(path);
        }
    }

    /// Adds the files below `folder` that `wanted` accepts, also those behind symlinks that stay in the
    /// project. Hidden entries, build outputs and the folders in `without` are left out.
    pub(crate) fn folder(
        &mut self,
        project: &Path,
        folder: &ProjectPath,
        without: &Without<'_>,
        wanted: &dyn Fn(&ProjectPath) -> bool,
    ) -> Result<(), SourceTreeError> {
        let walk = Walk {
            project,
            takes: &|path, is_folder| without.takes(project, path, is_folder),
            follows: &|folder| without.follows(folder),
            skips_unreadable: false,
        };
        walk.files(folder, &mut |path| {
            self.files.extend(ProjectPath::of_wanted(project, path, wanted)?);
            Ok(())
        })
    }

    /// Iterates over the files of the checkout that were added, sorted.
    pub(crate) fn files(&self) -> impl Iterator<Item = &ProjectPath> {
        self.files.iter()
    }

    /// Adds a file that is not in the checkout. It replaces a file of the checkout at that path.
    pub(crate) fn generated(&mut self, path: ProjectPath, bytes: impl Into<Vec<u8>>) {
        self.generated.insert(path, bytes.into());
    }

    /// Adds a stored tree at `path`. It replaces what the checkout has there.
    pub(crate) fn subtree(&mut self, path: ProjectPath, tree: Digest) {
        self.subtrees.insert(path, tree);
    }

    /// Returns the files of the checkout that were added.
    pub(crate) fn into_files(self) -> BTreeSet<ProjectPath> {
        self.files
    }

    /// Takes everything into the store and returns the digest of the tree.
    pub(crate) fn store(
        mut self,
        project: &Path,
        sources: &mut Sources,
        store: &ContentStore,
    ) -> Result<Digest, SourceTreeError> {
        let hidden = |path: &ProjectPath| {
            let mut folders = std::iter::once(path.clone()).chain(path.ancestors());
            !self.subtrees.is_empty() && folders.any(|folder| self.subtrees.contains_key(&folder))
        };
        self.generated.retain(|path, _| !hidden(path));
        self.files.retain(|path| !hidden(path) && !self.generated.contains_key(path));
        let failed = |source| SourceTreeError::Link { path: ProjectPath::root(), source };
        let real = project.canonicalize().map_err(failed)?;
        check_folders(project, &real, self.files.iter())?;
        let files: Vec<SourceFile> = self
            .files
            .iter()
            .map(|path| SourceFile { path: path.to_string(), file: path.on_disk(project) })
            .collect();
        let mut rest = self.rest();
        for (path, bytes) in &self.generated {
            let digest = store.put(bytes)?;
            rest.insert(path.as_str(), Entry::File { digest, executable: false })?;
        }
        for (path, digest) in &self.subtrees {
            rest.insert(path.as_str(), Entry::Subtree(*digest))?;
        }
        Ok(sources.tree_with(&files, rest, &real)?)
    }

    /// Returns the part of the base that nothing replaces.
    fn rest(&self) -> Tree {
        let Some(base) = &self.base else { return Tree::default() };
        let added = self.files.iter().chain(self.generated.keys()).chain(self.subtrees.keys());
        let hidden: BTreeSet<&ProjectPath> = added.chain(&self.removed).collect();
        let opened = hidden.iter().flat_map(|path| path.ancestors()).collect();
        base.without(&ProjectPath::root(), &opened, &hidden)
    }
}

/// The entries that a walk leaves out.
pub(crate) struct Without<'a> {
    /// The folders to leave out.
    pub(crate) folders: &'a BTreeSet<ProjectPath>,
    /// A file name that marks folders to leave out: those that hold such a file, except the root of the walk.
    pub(crate) marker: Option<&'static str>,
}

impl Without<'_> {
    fn takes(&self, project: &Path, path: &Path, is_folder: bool) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            return false;
        }
        if !is_folder {
            return true;
        }
        let marked = self.marker.is_some_and(|marker| path.join(marker).is_file());
        let excluded =
            ProjectPath::of(project, path).is_ok_and(|path| self.folders.contains(&path));
        !marked && !excluded && !NEVER_SOURCES.contains(&name.as_ref())
    }

    /// Returns whether a folder that a symlink leads to may hold sources.
    fn follows(&self, folder: &ProjectPath) -> bool {
        let never = |part: &str| part.starts_with('.') || NEVER_SOURCES.contains(&part);
        !folder.parts().any(never) && !self.folders.iter().any(|out| folder.is_in(out))
    }
}

/// Refuses files if a symlink among the folders above them leads out of the project. `real` is the project
/// folder with all symlinks resolved. The file itself is checked when it is taken.
fn check_folders<'a>(
    project: &Path,
    real: &Path,
    files: impl Iterator<Item = &'a ProjectPath>,
) -> Result<(), SourceTreeError> {
    let mut seen = BTreeSet::new();
    for file in files {
        for folder in file.ancestors() {
            if folder.is_root() || seen.contains(&folder) {
                break;
            }
            let on_disk = folder.on_disk(project);
            if on_disk.is_symlink() {
                let failed = |source| SourceTreeError::Link { path: folder.clone(), source };
                let target = on_disk.canonicalize().map_err(failed)?;
                if !target.starts_with(real) {
                    return Err(SourceTreeError::Outside { path: folder, target });
                }
            }
            seen.insert(folder);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is behind a symlink is taken at the link's own path, and an edit there is noticed. What is
    /// outside the project is refused, whichever part of the path is the link.
    #[test]
    fn files_behind_links_are_taken_if_they_lie_in_the_project() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("project");
        let link = std::os::unix::fs::symlink;
        for folder in ["project/common/deep", "project/src", "away"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for file in ["project/common/deep/a.h", "away/b.h"] {
            std::fs::write(dir.path().join(file), "a").unwrap();
        }
        link("../common/deep/a.h", project.join("src/a.h")).unwrap();
        link("../common", project.join("src/inc")).unwrap();
        link("../../away", project.join("src/away")).unwrap();
        link("../../away/b.h", project.join("src/b.h")).unwrap();
        let store =
            cache::DiskStore::open(&dir.path().join("store"), cache::DigestFunction::Blake3);
        let store = store.unwrap();
        let mut state = engine::State::open(&store, &dir.path().join("state"));
        let mut stored = |files: &[&str]| {
            let mut tree = SourceTree::default();
            files.iter().for_each(|file| tree.file(ProjectPath::parse(file).unwrap()));
            tree.store(&project, state.sources(), &store).map_err(|error| error.to_string())
        };
        let files = ["src/a.h", "src/inc/deep/a.h"];
        let first = stored(&files).unwrap();
        let tree = store.tree(&first).unwrap().unwrap();
        let real = Digest::of(store.function(), b"a");
        for file in files {
            let expect = Entry::File { digest: real, executable: false };
            assert_eq!(tree.get(file), Some(&expect), "{file}");
        }
        std::fs::write(project.join("common/deep/a.h"), "edited").unwrap();
        assert_ne!(stored(&files).unwrap(), first);
        for file in ["src/away/b.h", "src/b.h"] {
            let error = stored(&[file]).unwrap_err();
            assert!(error.ends_with("outside of the project"), "{error}");
        }
    }

    /// A tree has the same digest, and so gives the same keys, whether it is built on a skeleton or from
    /// nothing.
    #[test]
    fn a_tree_on_a_skeleton_is_the_same_as_one_from_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("project");
        let path = |text: &str| ProjectPath::parse(text).unwrap();
        for name in
            ["a/Cargo.toml", "b/Cargo.toml", "a/src/main.rs", "a/src/deep/x.rs", "b/src/lib.rs"]
        {
            let file = path(name).on_disk(&project);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, name).unwrap();
        }
        let store =
            cache::DiskStore::open(&folder.path().join("store"), cache::DigestFunction::Blake3);
        let store = store.unwrap();
        let mut state = engine::State::open(&store, &folder.path().join("state"));
        let sources = state.sources();
        let manifests = |tree: &mut SourceTree| {
            ["a/Cargo.toml", "b/Cargo.toml"].iter().for_each(|name| tree.file(path(name)));
        };
        let stubs = ["a/src/main.rs", "a/tests/t.rs", "b/src/lib.rs", "b/src/bin/c/main.rs"];
        let mut skeleton = SourceTree::default();
        manifests(&mut skeleton);
        stubs.iter().for_each(|name| skeleton.generated(path(name), ""));
        let skeleton = skeleton.store(&project, sources, &store).unwrap();
        let skeleton = Rc::new(Skeleton::read(skeleton, &store).unwrap());
        let wit = store.put_tree(&Tree::default()).unwrap();
        let add = |tree: &mut SourceTree, own: &str| {
            let without = Without { folders: &BTreeSet::new(), marker: None };
            tree.folder(&project, &path(&format!("{own}/src")), &without, &|_| true).unwrap();
            tree.file(path("b/Cargo.toml"));
            tree.generated(path("a/Cargo.toml"), "other");
            tree.subtree(path("b/wit"), wit);
        };
        for own in ["a", "b"] {
            let mut whole = SourceTree::default();
            manifests(&mut whole);
            let mut on_top = SourceTree::on(Rc::clone(&skeleton));
            for stub in stubs {
                match stub.starts_with(&format!("{own}/")) {
                    true => on_top.remove(path(stub)),
                    false => whole.generated(path(stub), ""),
                }
            }
            add(&mut whole, own);
            add(&mut on_top, own);
            let whole = whole.store(&project, sources, &store).unwrap();
            assert_eq!(on_top.store(&project, sources, &store).unwrap(), whole, "{own}");
        }
    }
}
