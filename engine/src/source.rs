//! Source files: from a checkout to tree digests, without reading what has not changed.
//!
//! Files go into the store while they are hashed, and actions see the stored tree and never the
//! checkout. So an editor that saves in the middle of a build can make the build fail at worst; it
//! can't put wrong bytes under a right key. A blob that the store lost is taken from the checkout
//! again, if the file there still has those bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cache::{Digest, DiskStore, Entry, StoreError, Tree, TreeError};
use rayon::prelude::*;

use crate::Artifact;
use crate::clock::{Clocks, Stamped};
use crate::stat::Stat;
use crate::stat_cache::{Known, StatCache};

/// From how many files on several threads look at them; below, starting threads takes longer.
const PARALLEL_STATS: usize = 256;

/// The same for files to be hashed.
const PARALLEL_HASHES: usize = 2;

/// How often a file that changes while it is read is read again.
const ATTEMPTS: usize = 3;

/// One file of a checkout and its place in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The path in the tree: relative, `/` between names.
    pub path: String,
    /// The absolute path of the file on disk, or of a symlink that leads to one.
    pub file: PathBuf,
}

/// Why source files could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file is missing or can't be read.
    #[error("can't read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It is a folder, a FIFO, a socket or a device, or a symlink to one.
    #[error("`{}` is not a file", .0.display())]
    NotAFile(PathBuf),
    /// A symlink leads out of the folder that the files have to lie in.
    #[error("the symlink `{}` leads to `{}`, outside of the project", .link.display(), .target.display())]
    Escapes {
        /// The symlink.
        link: PathBuf,
        /// The path without symlinks that it leads to.
        target: PathBuf,
    },
    /// The file was written to each time it was being read.
    #[error("`{}` keeps changing while it is read", .0.display())]
    Unstable(PathBuf),
    /// The file does not have the bytes any more with which the build began.
    #[error("`{}` was changed during the build", .0.display())]
    Changed(PathBuf),
    /// Two files claim one place in the tree, or a place is no plain relative path.
    #[error("the source files make no tree")]
    Tree(#[from] TreeError),
    /// The store can't take them.
    #[error("can't put the source files into the store")]
    Store(#[from] StoreError),
}

/// Turns files of a checkout into artifacts of the store. Belongs to a [`State`](crate::State).
#[derive(Debug)]
pub struct Sources {
    store: DiskStore,
    clocks: Clocks,
    stats: StatCache,
    /// What was taken in this session, to be able to take it again.
    taken: BTreeMap<Digest, Taken>,
}

/// Where an artifact came from.
#[derive(Debug)]
enum Taken {
    File(PathBuf),
    Tree { tree: Tree, files: Vec<(Digest, PathBuf)> },
}

/// A source file that was looked at.
struct Seen {
    looked: Looked,
    /// The file's own path, if the source is a symlink to it.
    real: Option<PathBuf>,
}

/// A file as `stat` describes it.
#[derive(Clone, Copy)]
struct Looked {
    stat: Stat,
    /// The device that it lies on.
    device: u64,
    executable: bool,
}

impl Sources {
    /// `home` is a folder that may be written to.
    pub(crate) const fn new(store: DiskStore, home: PathBuf, stats: StatCache) -> Self {
        Self { store, clocks: Clocks::new(home), stats, taken: BTreeMap::new() }
    }

    pub(crate) const fn stats(&mut self) -> &mut StatCache {
        &mut self.stats
    }

    /// The tree of these files. Files that are new or have changed are put into the store.
    ///
    /// Only contents, names and executable bits count. A symlink is followed: in the tree stands the
    /// file that it leads to. A tool may see only a part of the tree, and a link could lead out of that.
    ///
    /// # Errors
    /// If a file can't be read or is none, or two files claim one place.
    pub fn tree(&mut self, files: &[SourceFile]) -> Result<Digest, SourceError> {
        self.tree_of(files, Tree::default(), None)
    }

    /// The tree of these files and of `rest`, whose blobs the caller has put into the store. Symlinks
    /// have to lead to files in the folder `within`, a path without symlinks.
    ///
    /// # Errors
    /// As [`tree`](Self::tree); also if a symlink leads out of `within`, or if a file and something of
    /// `rest` claim one place.
    pub fn tree_with(
        &mut self,
        files: &[SourceFile],
        rest: Tree,
        within: &Path,
    ) -> Result<Digest, SourceError> {
        self.tree_of(files, rest, Some(within))
    }

    fn tree_of(
        &mut self,
        files: &[SourceFile],
        rest: Tree,
        within: Option<&Path>,
    ) -> Result<Digest, SourceError> {
        let seen = each(files, PARALLEL_STATS, |source| look_at(source, within))?;
        let (contents, all_known) = self.contents(files, &seen)?;
        let mut tree = Tree::default();
        let mut origins = Vec::with_capacity(files.len());
        for ((source, seen), Known { digest, executable }) in files.iter().zip(seen).zip(contents) {
            origins.push((digest, seen.real.unwrap_or_else(|| source.file.clone())));
            tree.insert(&source.path, Entry::File { digest, executable })?;
        }
        tree.merge(rest)?;
        let (digest, _) = tree.digest(self.store.function())?;
        if !all_known || !self.stats.has_tree(&digest) {
            self.store.put_tree(&tree)?;
            self.stats.add_tree(digest);
        }
        self.taken.insert(digest, Taken::Tree { tree, files: origins });
        Ok(digest)
    }

    /// One file by itself. A symlink is followed: it is the file that is meant.
    ///
    /// # Errors
    /// If it can't be read or is no file.
    pub fn file(&mut self, path: &Path) -> Result<Artifact, SourceError> {
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
        let Some(looked) = regular(&metadata) else {
            return Err(SourceError::NotAFile(path.to_owned()));
        };
        let known = match self.stats.get(path, &looked.stat) {
            Some(known) => known,
            None => self.hash(&[(path, looked)])?[0],
        };
        self.taken.insert(known.digest, Taken::File(path.to_owned()));
        Ok(Artifact::File { digest: known.digest, executable: known.executable })
    }

    /// Brings back what the store lost of an artifact that was taken in this session. `false` if
    /// it was not.
    ///
    /// # Errors
    /// [`SourceError::Changed`] if the checkout has other bytes by now.
    pub(crate) fn repair(&self, digest: &Digest) -> Result<bool, SourceError> {
        match self.taken.get(digest) {
            None => return Ok(false),
            Some(Taken::File(path)) => self.retake(digest, path)?,
            Some(Taken::Tree { tree, files }) => {
                for (digest, path) in files {
                    self.retake(digest, path)?;
                }
                self.store.put_tree(tree)?;
            }
        }
        Ok(true)
    }

    fn retake(&self, digest: &Digest, path: &Path) -> Result<(), SourceError> {
        if self.store.contains(digest) || self.store.put_file(path)? == *digest {
            return Ok(());
        }
        Err(SourceError::Changed(path.to_owned()))
    }

    /// The content of each file, and whether all of it was known.
    fn contents(
        &mut self,
        files: &[SourceFile],
        seen: &[Seen],
    ) -> Result<(Vec<Known>, bool), SourceError> {
        let mut contents = vec![None; files.len()];
        let (mut unknown, mut places) = (Vec::new(), Vec::new());
        for (place, (source, seen)) in files.iter().zip(seen).enumerate() {
            let path = seen.real.as_deref().unwrap_or(&source.file);
            contents[place] = self.stats.get(path, &seen.looked.stat);
            if contents[place].is_none() {
                unknown.push((path, seen.looked));
                places.push(place);
            }
        }
        for (place, known) in places.iter().zip(self.hash(&unknown)?) {
            contents[*place] = Some(known);
        }
        let contents = contents.into_iter().map(|known| known.expect("what was unknown is hashed"));
        Ok((contents.collect(), unknown.is_empty()))
    }

    /// Puts files into the store, and remembers those whose stats can be trusted next time.
    fn hash(&mut self, files: &[(&Path, Looked)]) -> Result<Vec<Known>, SourceError> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let stamped = |&(path, ref looked): &(_, Looked)| {
            let Looked { device, stat, .. } = *looked;
            Stamped { path, device, stat }
        };
        // Before anything is read.
        let moments = self.clocks.now(files.iter().map(stamped));
        let store = &self.store;
        let hashed = each(files, PARALLEL_HASHES, |file| take(store, *file))?;
        for ((path, _), (looked, known)) in files.iter().zip(&hashed) {
            let moment = moments.get(&looked.device);
            if moment.is_some_and(|moment| looked.stat.is_settled(*moment)) {
                self.stats.insert(path, looked.stat, *known);
            }
        }
        Ok(hashed.into_iter().map(|(_, known)| known).collect())
    }
}

/// Puts one file into the store such that the bytes belong to the stat that is returned.
fn take(
    store: &DiskStore,
    (path, mut looked): (&Path, Looked),
) -> Result<(Looked, Known), SourceError> {
    for _ in 0..ATTEMPTS {
        let digest = store.put_file(path)?;
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
        let after = Looked::of(&metadata);
        if after.stat == looked.stat && digest.size() == looked.stat.size {
            return Ok((looked, Known { digest, executable: looked.executable }));
        }
        looked = after;
    }
    Err(SourceError::Unstable(path.to_owned()))
}

fn look_at(source: &SourceFile, within: Option<&Path>) -> Result<Seen, SourceError> {
    let path = &source.file;
    let failed = |error| unreadable(path, error);
    let mut metadata = fs::symlink_metadata(path).map_err(failed)?;
    let mut real = None;
    if metadata.is_symlink() {
        let target = path.canonicalize().map_err(failed)?;
        if within.is_some_and(|within| !target.starts_with(within)) {
            return Err(SourceError::Escapes { link: path.clone(), target });
        }
        metadata = fs::metadata(&target).map_err(failed)?;
        real = Some(target);
    }
    let looked = regular(&metadata).ok_or_else(|| SourceError::NotAFile(path.clone()))?;
    Ok(Seen { looked, real })
}

fn regular(metadata: &fs::Metadata) -> Option<Looked> {
    metadata.is_file().then(|| Looked::of(metadata))
}

impl Looked {
    fn of(metadata: &fs::Metadata) -> Self {
        let (stat, executable) = (Stat::of(metadata), is_executable(metadata));
        Self { stat, device: metadata.dev(), executable }
    }
}

fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

fn unreadable(path: &Path, source: io::Error) -> SourceError {
    SourceError::Read { path: path.to_owned(), source }
}

/// Maps every item, on several threads if there are at least `parallel`. The first error in the
/// order of the items is the one returned, whichever came first in time.
fn each<T: Sync, R: Send>(
    items: &[T],
    parallel: usize,
    map: impl Fn(&T) -> Result<R, SourceError> + Sync,
) -> Result<Vec<R>, SourceError> {
    if items.len() < parallel {
        return items.iter().map(map).collect();
    }
    let results: Vec<Result<R, SourceError>> = items.par_iter().map(&map).collect();
    results.into_iter().collect()
}
