//! Remembers the stats and digests of source files, and the trees of them that are in the store. It does not touch the
//! disk: [`Sources`](crate::Sources) does that.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use cache::Digest;

use crate::stat::Stat;

/// The number of saves for which an unused entry is kept.
const KEEP: u32 = 32;

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileContent {
    pub(crate) digest: Digest,
    pub(crate) executable: bool,
}

/// One remembered file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RememberedFile {
    pub(crate) stat: Stat,
    pub(crate) content: FileContent,
    /// The number of saves since the entry was last used.
    pub(crate) age: u32,
}

/// The remembered files and trees.
#[derive(Debug, Default)]
pub(crate) struct StatCache {
    /// The files by the bytes of their paths, which are compared faster than paths.
    files: BTreeMap<Vec<u8>, RememberedFile>,
    /// The trees with their ages, which are numbers of saves.
    trees: BTreeMap<Digest, u32>,
    changed: bool,
}

impl StatCache {
    pub(crate) fn new(
        files: impl IntoIterator<Item = (Vec<u8>, RememberedFile)>,
        trees: impl IntoIterator<Item = (Digest, u32)>,
    ) -> Self {
        let (files, trees) = (files.into_iter().collect(), trees.into_iter().collect());
        Self { files, trees, changed: false }
    }

    /// Returns the content of the file at `path`, if its stat is still the remembered one.
    pub(crate) fn get(&mut self, path: &Path, stat: &Stat) -> Option<FileContent> {
        let file = self.files.get_mut(path.as_os_str().as_bytes())?;
        file.age = 0;
        (file.stat == *stat).then_some(file.content)
    }

    pub(crate) fn insert(&mut self, path: &Path, stat: Stat, content: FileContent) {
        let path = path.as_os_str().as_bytes().to_vec();
        self.files.insert(path, RememberedFile { stat, content, age: 0 });
        self.changed = true;
    }

    /// Tells if a tree was put into the store by an earlier call or build.
    pub(crate) fn has_tree(&mut self, tree: &Digest) -> bool {
        self.trees.get_mut(tree).map(|age| *age = 0).is_some()
    }

    pub(crate) fn add_tree(&mut self, tree: Digest) {
        self.trees.insert(tree, 0);
        self.changed = true;
    }

    /// Tells if there is anything new to save.
    pub(crate) const fn is_changed(&self) -> bool {
        self.changed
    }

    /// Lists the files to save, each with an age that is greater by one.
    pub(crate) fn aged_files(&self) -> impl Iterator<Item = (&[u8], RememberedFile)> {
        let aged = self
            .files
            .iter()
            .map(|(path, file)| (path.as_slice(), RememberedFile { age: file.age + 1, ..*file }));
        aged.filter(|(_, file)| file.age <= KEEP)
    }

    /// Lists the trees to save, each with an age that is greater by one.
    pub(crate) fn aged_trees(&self) -> impl Iterator<Item = (&Digest, u32)> {
        self.trees.iter().map(|(tree, age)| (tree, age + 1)).filter(|(_, age)| *age <= KEEP)
    }

    pub(crate) const fn saved(&mut self) {
        self.changed = false;
    }
}
