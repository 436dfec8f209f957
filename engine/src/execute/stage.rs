//! Staging: from the digests of an action's inputs to the mounts of its sandbox.
//!
//! Every input is one mount of a tree or blob that lies read-only in the store, so staging takes as
//! long for ten thousand files as for ten. A tree whose entries stand at the root becomes one mount
//! for each of them; several such trees are merged by digest before that.
//!
//! Before a tree is used it is checked, file by file. A command need not wait for that: it can be
//! [staged ahead](Haste::Ahead) while somebody checks the trees, and whatever it gives is thrown away
//! if one of them turns out to be touched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cache::{Digest, DiskStore, Entry, MaterialiseError, OnDisk, StoreError, TreeError, Which};
use sandbox::{Mount, MountSource};

use crate::{Access, Action, Artifact};

/// Top-level names of an image that the sandbox makes itself.
const OWN: [&str; 5] = ["dev", "out", "proc", "sys", "tmp"];

/// Why inputs could not be staged.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    /// The store lacks a blob of an input.
    #[error("the store lacks {0}")]
    Missing(Digest),
    /// An input that stands at the root is a file.
    #[error("a file can't be the root")]
    RootFile,
    /// Two inputs claim one place.
    #[error("both an input and a toolchain image have `{0}`")]
    Taken(String),
    /// Two images have different files at one path.
    #[error("the toolchain images don't fit together")]
    Images(#[source] TreeError),
    /// A file is to be written to; only trees can be.
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

/// Whether staging waits for the checks of trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    /// Every tree is checked, and built anew if it was touched.
    None,
    /// Trees that lie on disk are taken as they are.
    Ahead,
}

/// What a sandbox mounts.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) mounts: Vec<Mount>,
    /// The trees among them.
    pub(super) trees: Vec<StagedTree>,
}

/// A tree that is mounted.
#[derive(Debug)]
pub(super) struct StagedTree {
    tree: Digest,
    /// The folder that it had beforehand.
    folder: Option<Which>,
    /// Whether somebody has checked it already.
    is_checked: bool,
}

impl StagedTree {
    /// Whether this is still to be found out: [`Self::is_intact`].
    pub(super) const fn is_checked(&self) -> bool {
        self.is_checked
    }

    /// Checks it.
    pub(super) fn is_intact(&self, store: &DiskStore) -> bool {
        self.is_checked || store.is_intact(&self.tree).unwrap_or(false)
    }

    /// Whether it was not exchanged since it was staged, as somebody else had found it damaged.
    pub(super) fn is_the_same(&self, store: &DiskStore) -> bool {
        self.folder.is_some() && store.which(&self.tree) == self.folder
    }
}

/// Stages an action's `inputs`. Writable ones keep what is written to them below `scratch`.
pub(super) fn stage(
    store: &DiskStore,
    action: &Action,
    inputs: &[Artifact],
    scratch: &Path,
    haste: Haste,
) -> Result<Staged, StageError> {
    let mut stage = Stage { store, haste, staged: Staged::default() };
    let mut images = Vec::new();
    for (place, (input, content)) in action.inputs.iter().zip(inputs).enumerate() {
        match (input.at.as_str(), content) {
            ("", Artifact::Tree(tree)) => images.push(*tree),
            ("", Artifact::File { .. }) => return Err(StageError::RootFile),
            (at, content) => {
                let upper = scratch.join(format!("scratch-{place}"));
                let source = stage.source(at, content, (input.access, upper))?;
                stage.mount(Path::new("/").join(at), source);
            }
        }
    }
    let taken: BTreeSet<&str> = action.inputs.iter().map(|input| first_name(&input.at)).collect();
    stage.images(&images, &taken)?;
    Ok(stage.staged)
}

struct Stage<'a> {
    store: &'a DiskStore,
    haste: Haste,
    staged: Staged,
}

impl Stage<'_> {
    fn mount(&mut self, target: PathBuf, source: MountSource) {
        self.staged.mounts.push(Mount { target, source });
    }

    /// The folder of a tree.
    fn tree(&mut self, tree: &Digest) -> Result<PathBuf, StageError> {
        let ahead = match self.haste {
            Haste::Ahead => self.store.on_disk(tree),
            Haste::None => None,
        };
        let (path, is_checked) = match ahead {
            Some(OnDisk { path, is_checked }) => (path, is_checked),
            None => (self.store.materialise(tree)?, true),
        };
        let folder = self.store.which(tree);
        self.staged.trees.push(StagedTree { tree: *tree, folder, is_checked });
        Ok(path)
    }

    fn source(
        &mut self,
        at: &str,
        content: &Artifact,
        (access, upper): (Access, PathBuf),
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

    /// Trees whose entries stand at the root.
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

fn merge(store: &DiskStore, images: &[Digest]) -> Result<Digest, StageError> {
    store.merge_trees(images).map_err(|error| match error {
        StoreError::Tree(error) => StageError::Images(error),
        error => error.into(),
    })
}

/// The first name of a path.
fn first_name(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}
