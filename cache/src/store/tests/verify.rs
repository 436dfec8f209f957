//! Tests of verifying the store by hashing.

use super::*;
use crate::store::{Health, TreeHealth};

/// Changes a byte and sets the time back, so that no `stat` shows the change.
fn rot(path: &Path) {
    let mode = fs::metadata(path).unwrap().permissions();
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
    fs::File::open(path).unwrap().set_modified(fixed_time()).unwrap();
    fs::set_permissions(path, mode).unwrap();
}

fn verified(store: &DiskStore, tree: &Digest) -> TreeHealth {
    store.verify_tree(tree, &mut |_| true).unwrap()
}

#[test]
fn rot_that_no_stat_shows_is_found_and_set_aside() {
    for_each_function(|store| {
        let digest = store.put(b"content").unwrap();
        assert_eq!(store.verify(&digest).unwrap(), Health::Sound);
        rot(&store.file_of(&digest, false));
        assert!(store.contains(&digest));
        let Health::Damaged(Some(aside)) = store.verify(&digest).unwrap() else { panic!() };
        assert_eq!(fs::read(aside).unwrap(), b"bontent");
        assert_eq!(store.verify(&digest).unwrap(), Health::Missing);
        assert_eq!(store.quarantined(), [digest]);
        let empty = Digest::empty(store.function());
        assert_eq!(store.verify(&empty).unwrap(), Health::Sound);
    });
}

#[test]
fn flaws_of_a_tree_are_named_by_path() {
    for_each_function(|store| {
        let tree = store.put_tree_of(&[("a/one", "one"), ("a/two", "two"), ("b/three", "three")]);
        let health = verified(&store, &tree);
        assert_eq!((health.files, health.bytes, health.flaws.len()), (3, 11, 0));
        rot(&store.file_of(&store.put(b"two").unwrap(), false));
        let folder = store.directory(&tree).unwrap().unwrap();
        let Entry::Subtree(b) = folder.entries["b"] else { panic!() };
        rot(&store.file_of(&b, false));
        fs::remove_file(store.file_of(&store.put(b"one").unwrap(), false)).unwrap();
        let flaws = verified(&store, &tree).flaws;
        let paths: Vec<&str> = flaws.iter().map(|flaw| flaw.path.as_str()).collect();
        assert_eq!(paths, ["a/one", "a/two", "b"]);
        assert_eq!(flaws[0].health, Health::Missing);
        assert!(matches!(flaws[1].health, Health::Damaged(Some(_))), "{flaws:?}");
        assert!(matches!(flaws[2].health, Health::Damaged(Some(_))), "{flaws:?}");
    });
}

#[test]
fn a_copy_on_disk_that_rots_is_found_and_built_again() {
    for_each_function(|store| {
        // The second of two equal files is a copy, not a link.
        let tree = store.put_tree_of(&[("one", "same"), ("two", "same")]);
        let folder = store.materialise(&tree).unwrap();
        assert_eq!(verified(&store, &tree).flaws, []);
        rot(&folder.join("two"));
        let flaws = verified(&store, &tree).flaws;
        assert_eq!(flaws.len(), 1, "{flaws:?}");
        assert_eq!((flaws[0].path.as_str(), &flaws[0].health), ("two", &Health::Damaged(None)));
        let folder = store.materialise(&tree).unwrap();
        assert_eq!(fs::read(folder.join("two")).unwrap(), b"same");
        assert_eq!(verified(&store, &tree).flaws, []);
    });
}

#[test]
fn it_stops_when_told() {
    let store = TestStore::new(DigestFunction::Blake3);
    let tree = store.put_tree_of(&[("a/one", "one"), ("a/two", "two"), ("b", "three")]);
    assert_eq!(store.verify_tree(&tree, &mut |_| false).unwrap().files, 1);
}

#[test]
fn the_whole_store_is_verified_and_what_is_damaged_is_set_aside() {
    for_each_function(|store| {
        let root = store.put_tree_of(&[("d/f", "file"), ("g", "other")]);
        let folder = store.materialise(&root).unwrap();
        let sound = store.verify_all(&|_| true).unwrap();
        assert_eq!((sound.blobs.count, sound.trees), (4, 1));
        assert!(sound.damaged.is_empty() && sound.removed_trees == 0 && !sound.is_partial);
        assert!(store.verify_all(&|_| false).unwrap().is_partial);
        let damaged = Digest::of(store.function(), b"file");
        flip_byte_silently(&store.file_of(&damaged, false));
        let health = store.verify_all(&|_| true).unwrap();
        assert_eq!((health.damaged, health.removed_trees), (vec![damaged], 1));
        assert!(!store.contains(&damaged) && !folder.exists());
        assert_eq!(store.quarantined(), [damaged]);
        let again = store.verify_all(&|_| true).unwrap();
        assert_eq!((again.blobs.count, again.damaged.len(), again.trees), (3, 0, 0));
    });
}
