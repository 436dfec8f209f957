//! A completed WIT folder in the store: what actions that need its texts read again.

use cache::{Digest, DiskStore, Entry, Tree};
use engine::BuiltinError;

use super::WitFile;

/// The files of a completed folder in the store. `place` is the folder of the project that it
/// stands for: messages say it in front of the component's own files.
pub(crate) fn files(
    store: &DiskStore,
    folder: &Digest,
    place: &str,
) -> Result<Vec<WitFile>, BuiltinError> {
    let tree = store.tree(folder)?.ok_or(BuiltinError::Missing(*folder))?;
    let mut files = Vec::new();
    add(store, &tree, "", place, &mut files)?;
    Ok(files)
}

/// A file of a completed folder, with the path that messages give it.
pub(crate) fn file(path: String, text: String, place: &str) -> WitFile {
    let own = !path.contains('/') && !place.is_empty();
    let origin = if own { format!("{place}/{path}") } else { path.clone() };
    WitFile { path, text: text.into(), origin }
}

fn add(
    store: &DiskStore,
    tree: &Tree,
    above: &str,
    place: &str,
    files: &mut Vec<WitFile>,
) -> Result<(), BuiltinError> {
    for (name, entry) in &tree.entries {
        let path = format!("{above}{name}");
        match entry {
            Entry::Directory(inner) => add(store, inner, &format!("{path}/"), place, files)?,
            Entry::File { digest, .. } => files.push(file(path, text(store, digest)?, place)),
            Entry::Subtree(_) | Entry::Symlink { .. } => {}
        }
    }
    Ok(())
}

fn text(store: &DiskStore, digest: &Digest) -> Result<String, BuiltinError> {
    let bytes = store.get(digest)?.ok_or(BuiltinError::Missing(*digest))?;
    String::from_utf8(bytes).map_err(|error| BuiltinError::failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_read_from_the_store() {
        let root = tempfile::tempdir().unwrap();
        let store = DiskStore::open(root.path(), cache::DigestFunction::Blake3).unwrap();
        let mut tree = Tree::default();
        for path in ["world.wit", "deps/a-b/package.wit"] {
            let digest = store.put(path.as_bytes()).unwrap();
            tree.insert(path, Entry::File { digest, executable: false }).unwrap();
        }
        let folder = store.put_tree(&tree).unwrap();
        let files = files(&store, &folder, "wit").unwrap();
        let found: Vec<_> =
            files.iter().map(|file| (&*file.path, &*file.text, &*file.origin)).collect();
        let package = "deps/a-b/package.wit";
        assert_eq!(
            found,
            [(package, package, package), ("world.wit", "world.wit", "wit/world.wit")]
        );
        let missing = Digest::of(store.function(), b"elsewhere");
        let error = super::files(&store, &missing, "").unwrap_err();
        assert!(matches!(error, BuiltinError::Missing(digest) if digest == missing));
    }
}
