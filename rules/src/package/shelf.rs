//! The shelf of unpacked packages. It finds the tree of a package that was fetched once by what pins the
//! package, whatever project asks for it.
//!
//! It knows nothing of the kinds of packages, and keeps nothing itself: an entry is a memo of the store.

use cache::{ContentStore, Digest, Memo, StoreError};

/// The place where the unpacked packages of one kind are found again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shelf {
    /// The kind of packages, and the version of the code that unpacks them into trees.
    kind: &'static str,
}

impl Shelf {
    /// Returns the shelf for a kind of packages, such as `cargo-crate 1`.
    pub(crate) const fn new(kind: &'static str) -> Self {
        Self { kind }
    }

    /// Returns the tree of the package with this pin. A tree that has lost blobs counts as missing, so its
    /// package has to be fetched again.
    pub(crate) fn find(
        self,
        store: &ContentStore,
        pin: &str,
    ) -> Result<Option<Digest>, StoreError> {
        let Some(Memo { tree, .. }) = store.memo(&self.key(store, pin)) else { return Ok(None) };
        Ok(store.contains_tree(&tree)?.then_some(tree))
    }

    /// Records the tree of the package with this pin.
    pub(crate) fn keep(
        self,
        store: &ContentStore,
        pin: &str,
        tree: Digest,
    ) -> Result<(), StoreError> {
        store.put_memo(&self.key(store, pin), &Memo { tree, text: String::new() })
    }

    /// Divides packages into those whose trees are here and those that have to be fetched. `pin` returns what
    /// pins a package.
    pub(crate) fn sort<'a, T>(
        self,
        store: &ContentStore,
        packages: impl IntoIterator<Item = &'a T>,
        pin: impl Fn(&T) -> String,
    ) -> Result<Sorted<'a, T>, StoreError> {
        let mut sorted = Sorted { here: Vec::new(), absent: Vec::new() };
        for package in packages {
            match self.find(store, &pin(package))? {
                Some(tree) => sorted.here.push((package, tree)),
                None => sorted.absent.push(package),
            }
        }
        Ok(sorted)
    }

    fn key(self, store: &ContentStore, pin: &str) -> Digest {
        Digest::of(store.function(), format!("{} {pin}", self.kind).as_bytes())
    }
}

/// Packages, divided by whether their trees are in the store.
#[derive(Debug)]
pub(crate) struct Sorted<'a, T> {
    /// The packages whose trees are complete in the store, each with its tree.
    pub(crate) here: Vec<(&'a T, Digest)>,
    /// The packages whose trees are missing or have lost blobs.
    pub(crate) absent: Vec<&'a T>,
}

#[cfg(test)]
mod tests {
    use cache::{DigestFunction, Entry, Tree};

    use super::*;

    const SHELF: Shelf = Shelf::new("test 1");

    #[test]
    fn a_package_is_found_by_its_pin_alone_while_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        let tree = |digest| {
            let mut tree = Tree::default();
            tree.insert("file", Entry::File { digest, executable: false }).unwrap();
            store.put_tree(&tree).unwrap()
        };
        let whole = tree(store.put(b"content").unwrap());
        let broken = tree(Digest::of(DigestFunction::Blake3, b"gone"));
        SHELF.keep(&store, "a", whole).unwrap();
        SHELF.keep(&store, "b", broken).unwrap();
        let names = ["a", "b", "c"];
        let Sorted { here, absent } =
            SHELF.sort(&store, &names, |name| (*name).to_owned()).unwrap();
        assert_eq!((here, absent), (vec![(&"a", whole)], vec![&"b", &"c"]));
        assert_eq!(Shelf::new("test 2").find(&store, "a").unwrap(), None);
    }
}
