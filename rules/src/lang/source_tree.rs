//! The folder `/src` of an action: files of the checkout, generated files and completed WIT, each
//! at the path it has in the project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cache::{Digest, DiskStore, Entry, StoreError, Tree, TreeError};
use engine::{SourceError, SourceFile, Sources};
use walkdir::{DirEntry, WalkDir};

use crate::path::{PathError, ProjectPath};

/// What an action sees of the project.
#[derive(Debug, Default)]
pub(crate) struct SourceTree {
    files: BTreeSet<ProjectPath>,
    generated: BTreeMap<ProjectPath, Vec<u8>>,
    subtrees: BTreeMap<ProjectPath, Digest>,
}

/// Why the files of an action can't be listed or taken.
#[derive(Debug, thiserror::Error)]
pub enum SourceTreeError {
    /// A folder can't be read.
    #[error("cannot list `{path}`")]
    Walk {
        /// The folder.
        path: ProjectPath,
        /// Why.
        source: walkdir::Error,
    },
    /// A name in the checkout is not usable.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A source file can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Two things claim one path.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The store refused a blob.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Folders that never hold sources: version control, build outputs, caches, virtual environments.
pub(crate) const NEVER_SOURCES: [&str; 5] =
    ["target", "node_modules", "__pycache__", "venv", "site-packages"];

impl SourceTree {
    /// Adds one file of the checkout.
    pub(crate) fn file(&mut self, path: ProjectPath) {
        self.files.insert(path);
    }

    /// Adds one file of the checkout, if there is one.
    pub(crate) fn optional_file(&mut self, project: &Path, path: ProjectPath) {
        if path.on_disk(project).is_file() {
            self.files.insert(path);
        }
    }

    /// Adds the files below `folder` that `wanted` picks. Hidden entries, build outputs and the
    /// folders in `without` are left out.
    pub(crate) fn folder(
        &mut self,
        project: &Path,
        folder: &ProjectPath,
        without: &Without<'_>,
        wanted: &dyn Fn(&ProjectPath) -> bool,
    ) -> Result<(), SourceTreeError> {
        let root = folder.on_disk(project);
        let walk = WalkDir::new(&root).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| is_source(project, entry, without)) {
            let failed = |source| SourceTreeError::Walk { path: folder.clone(), source };
            let entry = entry.map_err(failed)?;
            if entry.file_type().is_dir() {
                continue;
            }
            self.files.extend(ProjectPath::of_wanted(project, entry.path(), wanted)?);
        }
        Ok(())
    }

    /// The files of the checkout that were added, sorted.
    pub(crate) fn files(&self) -> impl Iterator<Item = &ProjectPath> {
        self.files.iter()
    }

    /// Adds a file that is not in the checkout. A file of the checkout at that path is hidden.
    pub(crate) fn generated(&mut self, path: ProjectPath, bytes: impl Into<Vec<u8>>) {
        self.generated.insert(path, bytes.into());
    }

    /// Puts a stored tree at `path`, in place of what the checkout has there.
    pub(crate) fn subtree(&mut self, path: ProjectPath, tree: Digest) {
        self.subtrees.insert(path, tree);
    }

    /// The files of the checkout in it.
    pub(crate) fn into_files(self) -> BTreeSet<ProjectPath> {
        self.files
    }

    /// Takes everything into the store and returns the tree's digest.
    pub(crate) fn store(
        mut self,
        project: &Path,
        sources: &mut Sources,
        store: &DiskStore,
    ) -> Result<Digest, SourceTreeError> {
        let hidden = |path: &ProjectPath| self.subtrees.keys().any(|folder| path.is_in(folder));
        self.generated.retain(|path, _| !hidden(path));
        self.files.retain(|path| !hidden(path) && !self.generated.contains_key(path));
        let files: Vec<SourceFile> = self
            .files
            .iter()
            .map(|path| SourceFile { path: path.to_string(), file: path.on_disk(project) })
            .collect();
        let mut rest = Tree::default();
        for (path, bytes) in &self.generated {
            let digest = store.put(bytes)?;
            rest.insert(path.as_str(), Entry::File { digest, executable: false })?;
        }
        for (path, digest) in &self.subtrees {
            rest.insert(path.as_str(), Entry::Subtree(*digest))?;
        }
        Ok(sources.tree_with(&files, rest)?)
    }
}

/// What a walk leaves out.
pub(crate) struct Without<'a> {
    /// These folders.
    pub(crate) folders: &'a [ProjectPath],
    /// Folders that hold a file of this name, other than the walk's own root.
    pub(crate) marker: Option<&'static str>,
}

fn is_source(project: &Path, entry: &DirEntry, without: &Without<'_>) -> bool {
    if entry.depth() == 0 {
        return true;
    }
    let name = entry.file_name().to_string_lossy();
    if name.starts_with('.') {
        return false;
    }
    if !entry.file_type().is_dir() {
        return true;
    }
    let marked = without.marker.is_some_and(|marker| entry.path().join(marker).is_file());
    let excluded =
        ProjectPath::of(project, entry.path()).is_ok_and(|path| without.folders.contains(&path));
    !marked && !excluded && !NEVER_SOURCES.contains(&name.as_ref())
}
