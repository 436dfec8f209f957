//! What is remembered of source files: their stats, their digests, and which trees of them are in
//! the store. Knows no disk: [`Sources`](crate::Sources) looks, this remembers.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use cache::Digest;

use crate::stat::Stat;

/// For how many saves an entry is kept that nobody asks for.
const KEEP: u32 = 32;

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) digest: Digest,
    pub(crate) executable: bool,
}

/// One remembered file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) stat: Stat,
    pub(crate) known: Known,
    /// For how many saves nobody has asked for it.
    pub(crate) age: u32,
}

/// Files and trees by name.
#[derive(Debug, Default)]
pub(crate) struct StatCache {
    /// By the bytes of the path, which compare faster than paths.
    files: BTreeMap<Vec<u8>, Remembered>,
    /// With their ages.
    trees: BTreeMap<Digest, u32>,
    changed: bool,
}

impl StatCache {
    pub(crate) fn new(
        files: impl IntoIterator<Item = (Vec<u8>, Remembered)>,
        trees: impl IntoIterator<Item = (Digest, u32)>,
    ) -> Self {
        let (files, trees) = (files.into_iter().collect(), trees.into_iter().collect());
        Self { files, trees, changed: false }
    }

    /// The content of `path`, if its stat is still the remembered one.
    pub(crate) fn get(&mut self, path: &Path, stat: &Stat) -> Option<Known> {
        let file = self.files.get_mut(path.as_os_str().as_bytes())?;
        file.age = 0;
        (file.stat == *stat).then_some(file.known)
    }

    pub(crate) fn insert(&mut self, path: &Path, stat: Stat, known: Known) {
        let path = path.as_os_str().as_bytes().to_vec();
        self.files.insert(path, Remembered { stat, known, age: 0 });
        self.changed = true;
    }

    /// Whether a tree was put into the store, as far as is known.
    pub(crate) fn has_tree(&mut self, tree: &Digest) -> bool {
        self.trees.get_mut(tree).map(|age| *age = 0).is_some()
    }

    pub(crate) fn add_tree(&mut self, tree: Digest) {
        self.trees.insert(tree, 0);
        self.changed = true;
    }

    /// Whether there is anything new to be saved.
    pub(crate) const fn is_changed(&self) -> bool {
        self.changed
    }

    /// Everything worth saving, a save older.
    pub(crate) fn aged_files(&self) -> impl Iterator<Item = (&[u8], Remembered)> {
        let aged = self
            .files
            .iter()
            .map(|(path, file)| (path.as_slice(), Remembered { age: file.age + 1, ..*file }));
        aged.filter(|(_, file)| file.age <= KEEP)
    }

    /// The trees worth saving, a save older.
    pub(crate) fn aged_trees(&self) -> impl Iterator<Item = (&Digest, u32)> {
        self.trees.iter().map(|(tree, age)| (tree, age + 1)).filter(|(_, age)| *age <= KEEP)
    }

    pub(crate) const fn saved(&mut self) {
        self.changed = false;
    }
}
