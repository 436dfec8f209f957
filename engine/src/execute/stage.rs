//! Stages the inputs of an action: turns their digests into the mounts of a sandbox.
//!
//! Every input is one mount of a tree or blob that lies read-only in the store, so staging takes no
//! longer for ten thousand files than for ten. A tree whose entries stand at the root becomes one mount
//! for each entry; several such trees are merged by digest before that.
//!
//! Each file of a tree is checked before the results of its use count. A command need not wait for that: it can be
//! staged with [unchecked trees](TreeChecks::Meanwhile), which another thread checks while it runs. Its results are
//! thrown away if one of the trees turns out to be changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cache::{
    Digest, DiskStore, Entry, FolderIdentity, MaterialiseError, StoreError, TreeError, TreeOnDisk,
};
use sandbox::{Mount, MountSource};

use crate::{Access, Action, Artifact};

/// The top-level names that the sandbox makes itself, so that an image's entries of these names are left out.
pub(super) const OWN: [&str; 5] = ["dev", "out", "proc", "sys", "tmp"];

/// The reason why inputs could not be staged.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    /// The store lacks a blob of an input.
    #[error("the store lacks {0}")]
    Missing(Digest),
    /// An input that stands at the root is a file.
    #[error("an input at the root is a file, and only a tree can stand there")]
    RootFile,
    /// Two inputs claim one place.
    #[error("both an input and a toolchain image have `{0}`")]
    Taken(String),
    /// Two images have different files at one path.
    #[error("the toolchain images don't fit together")]
    Images(#[source] TreeError),
    /// A file is declared as a writable input, but only trees can be writable.
    #[error("`{0}` is a file, and only a folder can be a writable input")]
    WritableFile(String),
    /// The store failed.
    #[error("can't stage the inputs")]
    Store(#[source] StoreError),
}

impl From<StoreError> for StageError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(digest) => Self::Missing(digest),
            other => Self::Store(other),
        }
    }
}

impl From<MaterialiseError> for StageError {
    fn from(error: MaterialiseError) -> Self {
        match error {
            MaterialiseError::Missing(digest) => Self::Missing(digest),
            MaterialiseError::Store(error) => error.into(),
        }
    }
}

/// The time at which trees are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TreeChecks {
    /// Every tree is checked before the command starts, and is built again if it was changed.
    First,
    /// Trees that lie on disk are mounted unchecked. They are checked while the command runs.
    Meanwhile,
}

/// The mounts of a sandbox.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) mounts: Vec<Mount>,
    /// The trees among the mounts.
    pub(super) trees: Vec<StagedTree>,
}

/// A tree that is mounted.
#[derive(Debug)]
pub(super) struct StagedTree {
    tree: Digest,
    /// The folder that the tree had when it was staged.
    folder: Option<FolderIdentity>,
    /// True if the tree was checked before it was mounted.
    is_checked: bool,
}

impl StagedTree {
    /// Tells if the tree was checked before it was mounted. If not, [`Self::is_intact`] checks it.
    pub(super) const fn is_checked(&self) -> bool {
        self.is_checked
    }

    /// Checks the tree, unless that was done before it was mounted.
    pub(super) fn is_intact(&self, store: &DiskStore) -> bool {
        self.is_checked || store.is_intact(&self.tree).unwrap_or(false)
    }

    /// Tells if the tree still has the folder that it had when it was staged. The folder is exchanged if another process
    /// finds it damaged.
    pub(super) fn is_the_same(&self, store: &DiskStore) -> bool {
        self.folder.is_some() && store.folder_identity(&self.tree) == self.folder
    }
}

/// Stages an action's `inputs`. Changes of writable inputs go to folders below `scratch`.
pub(super) fn stage(
    store: &DiskStore,
    action: &Action,
    inputs: &[Artifact],
    scratch: &Path,
    tree_checks: TreeChecks,
) -> Result<Staged, StageError> {
    let mut stager = Stager { store, tree_checks, staged: Staged::default() };
    let mut images = Vec::new();
    for (place, (input, content)) in action.inputs.iter().zip(inputs).enumerate() {
        match (input.at.as_str(), content) {
            ("", Artifact::Tree(tree)) => images.push(*tree),
            ("", Artifact::File { .. }) => return Err(StageError::RootFile),
            (at, content) => {
                let upper = scratch.join(format!("scratch-{place}"));
                let source = stager.source(at, content, input.access, upper)?;
                stager.mount(Path::new("/").join(at), source);
            }
        }
    }
    let taken: BTreeSet<&str> = action.inputs.iter().map(|input| first_name(&input.at)).collect();
    stager.images(&images, &taken)?;
    Ok(stager.staged)
}

struct Stager<'a> {
    store: &'a DiskStore,
    tree_checks: TreeChecks,
    staged: Staged,
}

impl Stager<'_> {
    fn mount(&mut self, target: PathBuf, source: MountSource) {
        self.staged.mounts.push(Mount { target, source });
    }

    /// Returns the folder of a tree, and notes that it is mounted.
    fn tree(&mut self, tree: &Digest) -> Result<PathBuf, StageError> {
        let ahead = match self.tree_checks {
            TreeChecks::Meanwhile => self.store.on_disk(tree),
            TreeChecks::First => None,
        };
        let (path, is_checked) = match ahead {
            Some(TreeOnDisk { path, is_checked }) => (path, is_checked),
            None => (self.store.materialise(tree)?, true),
        };
        let folder = self.store.folder_identity(tree);
        self.staged.trees.push(StagedTree { tree: *tree, folder, is_checked });
        Ok(path)
    }

    fn source(
        &mut self,
        at: &str,
        content: &Artifact,
        access: Access,
        upper: PathBuf,
    ) -> Result<MountSource, StageError> {
        match (content, access) {
            (Artifact::Tree(tree), Access::ReadOnly) => Ok(MountSource::ReadOnly(self.tree(tree)?)),
            (Artifact::Tree(tree), Access::Scratch) => {
                Ok(MountSource::Scratch { lower: self.tree(tree)?, upper })
            }
            (Artifact::File { digest, executable }, Access::ReadOnly) => {
                let blob = self.store.blob_path(digest, *executable)?;
                blob.map(MountSource::ReadOnly).ok_or(StageError::Missing(*digest))
            }
            (Artifact::File { .. }, Access::Scratch) => {
                Err(StageError::WritableFile(at.to_owned()))
            }
        }
    }

    /// Mounts the entries of toolchain images at the root.
    fn images(&mut self, images: &[Digest], taken: &BTreeSet<&str>) -> Result<(), StageError> {
        let image = match images {
            [] => return Ok(()),
            [image] => *image,
            images => merge(self.store, images)?,
        };
        let directory = self.store.directory(&image)?.ok_or(StageError::Missing(image))?;
        let folder = self.tree(&image)?;
        for (name, entry) in directory.entries {
            if OWN.contains(&name.as_str()) {
                continue;
            }
            if taken.contains(name.as_str()) {
                return Err(StageError::Taken(name));
            }
            let source = match entry {
                Entry::Symlink { target } => MountSource::Symlink(target.into()),
                _ => MountSource::ReadOnly(folder.join(&name)),
            };
            self.mount(Path::new("/").join(name), source);
        }
        Ok(())
    }
}

pub(super) fn merge(store: &DiskStore, images: &[Digest]) -> Result<Digest, StageError> {
    store.merge_trees(images).map_err(|error| match error {
        StoreError::Tree(error) => StageError::Images(error),
        error => error.into(),
    })
}

/// Returns the first name of a path.
pub(super) fn first_name(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}
