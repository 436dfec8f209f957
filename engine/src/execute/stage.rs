//! Staging: from the digests of an action's inputs to the mounts of its sandbox.
//!
//! Every input is one mount of a tree or blob that lies read-only in the store, so staging takes as
//! long for ten thousand files as for ten. A tree whose entries stand at the root becomes one mount
//! for each of them; several such trees are merged by digest before that.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cache::{Digest, DiskStore, Entry, MaterialiseError, StoreError, TreeError};
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

/// The mounts for an action's `inputs`. Writable ones keep what is written to them below `scratch`.
pub(super) fn mounts(
    store: &DiskStore,
    action: &Action,
    inputs: &[Artifact],
    scratch: &Path,
) -> Result<Vec<Mount>, StageError> {
    let (mut images, mut mounts) = (Vec::new(), Vec::new());
    for (place, (input, content)) in action.inputs.iter().zip(inputs).enumerate() {
        match (input.at.as_str(), content) {
            ("", Artifact::Tree(tree)) => images.push(*tree),
            ("", Artifact::File { .. }) => return Err(StageError::RootFile),
            (at, content) => {
                let upper = scratch.join(format!("scratch-{place}"));
                let source = source(store, at, content, (input.access, upper))?;
                mounts.push(Mount { target: Path::new("/").join(at), source });
            }
        }
    }
    let taken: BTreeSet<&str> = action.inputs.iter().map(|input| first_name(&input.at)).collect();
    mounts.extend(image_mounts(store, &images, &taken)?);
    Ok(mounts)
}

fn source(
    store: &DiskStore,
    at: &str,
    content: &Artifact,
    (access, upper): (Access, PathBuf),
) -> Result<MountSource, StageError> {
    match (content, access) {
        (Artifact::Tree(tree), Access::ReadOnly) => {
            Ok(MountSource::ReadOnly(store.materialise(tree)?))
        }
        (Artifact::Tree(tree), Access::Scratch) => {
            Ok(MountSource::Scratch { lower: store.materialise(tree)?, upper })
        }
        (Artifact::File { digest, executable }, Access::ReadOnly) => {
            let blob = store.blob_path(digest, *executable)?;
            blob.map(MountSource::ReadOnly).ok_or(StageError::Missing(*digest))
        }
        (Artifact::File { .. }, Access::Scratch) => Err(StageError::WritableFile(at.to_owned())),
    }
}

/// The mounts for trees whose entries stand at the root.
fn image_mounts(
    store: &DiskStore,
    images: &[Digest],
    taken: &BTreeSet<&str>,
) -> Result<Vec<Mount>, StageError> {
    let image = match images {
        [] => return Ok(Vec::new()),
        [image] => *image,
        images => merge(store, images)?,
    };
    let directory = store.directory(&image)?.ok_or(StageError::Missing(image))?;
    let folder = store.materialise(&image)?;
    let mut mounts = Vec::new();
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
        mounts.push(Mount { target: Path::new("/").join(name), source });
    }
    Ok(mounts)
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
