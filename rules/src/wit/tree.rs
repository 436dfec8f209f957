//! Reads a completed WIT folder back from the store, for actions that need its texts.
//!
//! The store knows nothing of where a file came from, so the origins are kept beside the tree.

use std::collections::BTreeMap;

use cache::{ContentStore, Digest, Entry, Tree};
use engine::BuiltinError;
use serde::{Deserialize, Serialize};

use super::WitFile;

/// The places that the files of a completed folder come from, by the path of each file in the folder.
/// Messages show these places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origins(BTreeMap<String, String>);

impl Origins {
    /// Returns the origins of the files of a completed folder.
    pub(crate) fn of(files: &[WitFile]) -> Self {
        Self(files.iter().map(|file| (file.path.clone(), file.origin.clone())).collect())
    }

    /// Returns whether a package of WASI 0.3 is among the files, whose functions are asynchronous.
    pub(crate) fn uses_wasi_3(&self) -> bool {
        self.0.keys().any(|path| {
            let folder = path.strip_prefix("deps/wasi-").and_then(|path| path.split_once('/'));
            folder.is_some_and(|(folder, _)| folder.contains("-0.3."))
        })
    }

    /// Iterates over the files: the path of each in the folder, and the place that it comes from.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, origin)| (path.as_str(), origin.as_str()))
    }

    /// Makes a file of the folder, with its origin.
    pub(crate) fn file(&self, path: String, text: String) -> WitFile {
        let origin = self.0.get(&path).unwrap_or(&path).clone();
        WitFile { path, text: text.into(), origin }
    }
}

/// Reads the files of a completed folder from the store.
pub(crate) fn files(
    store: &ContentStore,
    folder: &Digest,
    origins: &Origins,
) -> Result<Vec<WitFile>, BuiltinError> {
    let tree = store.tree(folder)?.ok_or(BuiltinError::Missing(*folder))?;
    let mut files = Vec::new();
    add(store, &tree, "", origins, &mut files)?;
    Ok(files)
}

fn add(
    store: &ContentStore,
    tree: &Tree,
    above: &str,
    origins: &Origins,
    files: &mut Vec<WitFile>,
) -> Result<(), BuiltinError> {
    for (name, entry) in &tree.entries {
        let path = format!("{above}{name}");
        match entry {
            Entry::Directory(inner) => add(store, inner, &format!("{path}/"), origins, files)?,
            Entry::File { digest, .. } => files.push(origins.file(path, text(store, digest)?)),
            Entry::Subtree(_) | Entry::Symlink { .. } => {}
        }
    }
    Ok(())
}

fn text(store: &ContentStore, digest: &Digest) -> Result<String, BuiltinError> {
    let bytes = store.get(digest)?.ok_or(BuiltinError::Missing(*digest))?;
    String::from_utf8(bytes).map_err(|error| BuiltinError::failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_read_from_the_store() {
        let root = tempfile::tempdir().unwrap();
        let store = ContentStore::open(root.path(), cache::DigestFunction::Blake3).unwrap();
        let mut tree = Tree::default();
        for path in ["world.wit", "deps/a-b/package.wit"] {
            let digest = store.put(path.as_bytes()).unwrap();
            tree.insert(path, Entry::File { digest, executable: false }).unwrap();
        }
        let folder = store.put_tree(&tree).unwrap();
        let origins = [("world.wit", "wit/world.wit"), ("deps/a-b/package.wit", "shared/b.wit")];
        let origins = origins.map(|(path, origin)| (path.to_owned(), origin.to_owned()));
        let files = files(&store, &folder, &Origins(origins.into())).unwrap();
        let found: Vec<_> =
            files.iter().map(|file| (&*file.path, &*file.text, &*file.origin)).collect();
        let package = "deps/a-b/package.wit";
        assert_eq!(
            found,
            [(package, package, "shared/b.wit"), ("world.wit", "world.wit", "wit/world.wit")]
        );
        let missing = Digest::of(store.function(), b"elsewhere");
        let error = super::files(&store, &missing, &Origins::default()).unwrap_err();
        assert!(matches!(error, BuiltinError::Missing(digest) if digest == missing));
    }
}
