//! Takes source files from a checkout into the store, without reading the files that have not changed.
//!
//! Files are stored while they are hashed, and actions see the stored tree and never the
//! checkout. So an editor that saves a file in the middle of a build can at worst make the build fail; it
//! can't put wrong bytes under a right key. If the store has lost a blob, it is taken from the checkout
//! again, provided that the file still has the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cache::{Digest, DiskStore, Entry, StoreError, Tree, TreeError};

use crate::Artifact;
use crate::clock::{FileSystemClocks, Stamped};
use crate::parallel;
use crate::stat::Stat;
use crate::stat_cache::{FileContent, StatCache};

/// The number of files from which on several threads hash them.
const PARALLEL_HASHES: usize = 2;

/// The number of attempts to read a file that changes while it is read.
const ATTEMPTS: usize = 3;

/// One file of a checkout and its place in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The path in the tree: relative, `/` between names.
    pub path: String,
    /// The absolute path of the file on disk, or of a symlink that leads to one.
    pub file: PathBuf,
}

/// The reason why source files could not be taken into the store.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file is missing or can't be read.
    #[error("can't read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The path is a folder, a FIFO, a socket or a device, or a symlink to one.
    #[error("`{}` is not a file", .0.display())]
    NotAFile(PathBuf),
    /// The file has more bytes than it may have.
    #[error("`{}` has {length} bytes", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The number of bytes that it has.
        length: u64,
    },
    /// A symlink leads out of the folder that the files have to lie in.
    #[error("the symlink `{}` leads to `{}`, outside of the project", .link.display(), .target.display())]
    Escapes {
        /// The symlink.
        link: PathBuf,
        /// The path that it leads to, in which all symlinks are resolved.
        target: PathBuf,
    },
    /// The file was changed each time that it was read.
    #[error("`{}` keeps changing while it is read", .0.display())]
    Unstable(PathBuf),
    /// The file no longer has the bytes with which the build began.
    #[error("`{}` was changed during the build", .0.display())]
    Changed(PathBuf),
    /// Two files have the same path in the tree, or a path is not a plain relative one.
    #[error("can't put the source files into one tree")]
    Tree(#[from] TreeError),
    /// The store failed.
    #[error("can't put the source files into the store")]
    Store(#[from] StoreError),
}

/// Turns files of a checkout into artifacts of the store. Belongs to a [`State`](crate::State).
#[derive(Debug)]
pub struct Sources {
    store: DiskStore,
    clocks: FileSystemClocks,
    stats: StatCache,
    /// The origin of every artifact that was taken by this process, so that it can be taken again.
    taken: BTreeMap<Digest, CheckoutOrigin>,
}

/// The origin of an artifact in the checkout.
#[derive(Debug)]
enum CheckoutOrigin {
    File(PathBuf),
    Tree { tree: Tree, files: Vec<(Digest, PathBuf)> },
}

/// A source file whose stat was read.
struct SourceFacts {
    facts: FileFacts,
    /// The file's own path, if the source is a symlink to it.
    real: Option<PathBuf>,
}

/// The facts about a file that `stat` shows.
#[derive(Clone, Copy)]
struct FileFacts {
    stat: Stat,
    /// The device that it lies on.
    device: u64,
    executable: bool,
}

impl Sources {
    /// Makes the sources of a project. `home` is a folder that may be written to.
    pub(crate) const fn new(store: DiskStore, home: PathBuf, stats: StatCache) -> Self {
        Self { store, clocks: FileSystemClocks::new(home), stats, taken: BTreeMap::new() }
    }

    pub(crate) const fn stats(&mut self) -> &mut StatCache {
        &mut self.stats
    }

    /// Returns the tree of these files. Files that are new or have changed are put into the store.
    ///
    /// Only contents, names and executable bits count. A symlink is followed, and the tree has the
    /// file that it leads to, because a tool may see only a part of the tree, and a link could lead out of that part.
    ///
    /// # Errors
    /// If a file can't be read or is not a regular file, or two files have the same path in the tree.
    pub fn tree(&mut self, files: &[SourceFile]) -> Result<Digest, SourceError> {
        self.tree_of(files, Tree::default(), None)
    }

    /// Returns the tree of these files and of `rest`, whose blobs the caller has put into the store. Symlinks
    /// have to lead to files in the folder `within`, a path without symlinks.
    ///
    /// # Errors
    /// As [`tree`](Self::tree); also if a symlink leads out of `within`, or if a file and an entry of
    /// `rest` have the same path.
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
        let seen = parallel::map(files, parallel::STATS, |source| look_at(source, within));
        let seen = seen.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (contents, all_known) = self.contents(files, &seen)?;
        let mut tree = Tree::default();
        let mut origins = Vec::with_capacity(files.len());
        for ((source, seen), FileContent { digest, executable }) in
            files.iter().zip(seen).zip(contents)
        {
            origins.push((digest, seen.real.unwrap_or_else(|| source.file.clone())));
            tree.insert(&source.path, Entry::File { digest, executable })?;
        }
        tree.merge(rest)?;
        let (digest, _) = tree.digest(self.store.function())?;
        if !all_known || !self.stats.has_tree(&digest) {
            self.store.put_tree(&tree)?;
            self.stats.add_tree(digest);
        }
        self.taken.insert(digest, CheckoutOrigin::Tree { tree, files: origins });
        Ok(digest)
    }

    /// Returns a single file as an artifact. A symlink is followed.
    ///
    /// # Errors
    /// If it can't be read, is no file, or has more bytes than `longest`.
    pub fn file(&mut self, path: &Path, longest: u64) -> Result<Artifact, SourceError> {
        let mut taken = self.files(vec![path.to_owned()], longest);
        taken.pop().expect("one file gives one artifact")
    }

    /// Returns single files as artifacts, in the order of the paths. Symlinks are followed.
    ///
    /// Taking many files at once is faster than one by one: several threads look at them and hash what has changed.
    ///
    /// # Errors
    /// As [`file`](Self::file), for each file.
    pub fn files(
        &mut self,
        paths: Vec<PathBuf>,
        longest: u64,
    ) -> Vec<Result<Artifact, SourceError>> {
        let seen = parallel::map(&paths, parallel::STATS, |path| look_at_single(path, longest));
        let mut contents: Vec<Result<Option<FileContent>, SourceError>> = Vec::new();
        let mut unknown = Vec::new();
        for (path, seen) in paths.iter().zip(seen) {
            contents.push(seen.map(|facts| {
                let known = self.stats.get(path, &facts.stat);
                if known.is_none() {
                    unknown.push((path.as_path(), facts));
                }
                known
            }));
        }
        let mut hashed = self.hash(&unknown).into_iter();
        let artifact = |(path, content): (PathBuf, Result<Option<FileContent>, SourceError>)| {
            let FileContent { digest, executable } = match content? {
                Some(known) => known,
                None => hashed.next().expect("what is unknown is hashed")?,
            };
            self.taken.insert(digest, CheckoutOrigin::File(path));
            Ok(Artifact::File { digest, executable })
        };
        paths.into_iter().zip(contents).map(artifact).collect()
    }

    /// Lists the files that were taken by this process since [`forget`](Self::forget). A file that a symlink leads to is listed
    /// in place of the link.
    pub fn taken(&self) -> impl Iterator<Item = &Path> {
        self.taken
            .values()
            .flat_map(|origin| match origin {
                CheckoutOrigin::File(path) => std::slice::from_ref(path).iter().collect::<Vec<_>>(),
                CheckoutOrigin::Tree { files, .. } => files.iter().map(|(_, path)| path).collect(),
            })
            .map(PathBuf::as_path)
    }

    /// Forgets where artifacts came from. A process that plans the same project again and again calls it before each plan,
    /// which takes everything that it needs anew.
    pub fn forget(&mut self) {
        self.taken.clear();
    }

    /// Restores the blobs that the store has lost of an artifact that was taken by this process. Returns `false` if
    /// the artifact does not come from the checkout.
    ///
    /// # Errors
    /// [`SourceError::Changed`] if the file in the checkout has other bytes by now.
    pub(crate) fn repair(&self, digest: &Digest) -> Result<bool, SourceError> {
        match self.taken.get(digest) {
            None => return Ok(false),
            Some(CheckoutOrigin::File(path)) => self.retake(digest, path)?,
            Some(CheckoutOrigin::Tree { tree, files }) => {
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

    /// Returns the content of each file, and `true` if all of them were known without reading.
    fn contents(
        &mut self,
        files: &[SourceFile],
        seen: &[SourceFacts],
    ) -> Result<(Vec<FileContent>, bool), SourceError> {
        let mut contents = vec![None; files.len()];
        let (mut unknown, mut places) = (Vec::new(), Vec::new());
        for (place, (source, seen)) in files.iter().zip(seen).enumerate() {
            let path = seen.real.as_deref().unwrap_or(&source.file);
            contents[place] = self.stats.get(path, &seen.facts.stat);
            if contents[place].is_none() {
                unknown.push((path, seen.facts));
                places.push(place);
            }
        }
        for (place, known) in places.iter().zip(self.hash(&unknown)) {
            contents[*place] = Some(known?);
        }
        let contents = contents.into_iter().map(|known| known.expect("what was unknown is hashed"));
        Ok((contents.collect(), unknown.is_empty()))
    }

    /// Puts files into the store, and remembers those whose stats can be trusted next time.
    fn hash(&mut self, files: &[(&Path, FileFacts)]) -> Vec<Result<FileContent, SourceError>> {
        if files.is_empty() {
            return Vec::new();
        }
        let stamped = |&(path, ref facts): &(_, FileFacts)| {
            let FileFacts { device, stat, .. } = *facts;
            Stamped { path, device, stat }
        };
        // The clocks are read before any of the files.
        let moments = self.clocks.now(files.iter().map(stamped));
        let store = &self.store;
        let hashed =
            parallel::map(files, PARALLEL_HASHES, |(path, facts)| take(store, path, *facts));
        let mut remember = |path: &Path, facts: FileFacts, known: FileContent| {
            let moment = moments.get(&facts.device);
            if moment.is_some_and(|moment| facts.stat.is_settled(*moment)) {
                self.stats.insert(path, facts.stat, known);
            }
            known
        };
        let hashed = files.iter().zip(hashed).map(|((path, _), hashed)| {
            let (facts, known) = hashed?;
            Ok(remember(path, facts, known))
        });
        hashed.collect()
    }
}

/// Puts one file into the store, and makes sure that the stored bytes belong to the stat that is returned.
fn take(
    store: &DiskStore,
    path: &Path,
    mut facts: FileFacts,
) -> Result<(FileFacts, FileContent), SourceError> {
    for _ in 0..ATTEMPTS {
        let digest = store.put_file(path)?;
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
        let after = FileFacts::of(&metadata);
        if after.stat == facts.stat && digest.size() == facts.stat.size {
            return Ok((facts, FileContent { digest, executable: facts.executable }));
        }
        facts = after;
    }
    Err(SourceError::Unstable(path.to_owned()))
}

fn look_at(source: &SourceFile, within: Option<&Path>) -> Result<SourceFacts, SourceError> {
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
    let facts = regular(&metadata).ok_or_else(|| SourceError::NotAFile(path.clone()))?;
    Ok(SourceFacts { facts, real })
}

/// Looks at a file that is taken alone. A symlink is followed.
fn look_at_single(path: &Path, longest: u64) -> Result<FileFacts, SourceError> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    let facts = regular(&metadata).ok_or_else(|| SourceError::NotAFile(path.to_owned()))?;
    if facts.stat.size > longest {
        return Err(SourceError::TooLong { path: path.to_owned(), length: facts.stat.size });
    }
    Ok(facts)
}

fn regular(metadata: &fs::Metadata) -> Option<FileFacts> {
    metadata.is_file().then(|| FileFacts::of(metadata))
}

impl FileFacts {
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
