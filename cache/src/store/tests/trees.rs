//! Tests of trees in the store: their canonical messages, loading, merging.

use super::*;
use crate::store::StoreError;
use crate::tree::TreeError;

fn link(target: &str) -> Entry {
    Entry::Symlink { target: target.to_owned() }
}

/// Compares a directory message with one that is spelled out by hand from the wire format: every field starts with
/// `tag << 3 | wire type`, fields come in tag order, and default values are left out.
#[test]
fn messages_are_canonical_to_the_byte() {
    for_each_function(|store| {
        let hash = Digest::of(store.function(), b"x").hex();
        let file = Entry::File { digest: Digest::of(store.function(), b"x"), executable: false };
        let tool = Entry::File { digest: Digest::of(store.function(), b"x"), executable: true };
        let mut tree = Tree::default();
        // "Z" < "a" < "é" by UTF-8 bytes, whatever a locale says.
        for (path, entry) in [("é", file.clone()), ("a", tool), ("Z", file), ("l", link("a"))] {
            tree.insert(path, entry).unwrap();
        }
        tree.insert("sub", Entry::Directory(Tree::default())).unwrap();

        let digest_x = [b"\x0a\x40".as_slice(), hash.as_bytes(), b"\x10\x01"].concat();
        let file = |name: &str, rest: &[u8]| {
            let name_field = [&[0x0a, name.len() as u8], name.as_bytes()].concat();
            let digest_field = [&[0x12, 0x44], &*digest_x].concat();
            let body = [name_field, digest_field, rest.to_vec()].concat();
            [&[0x0a, body.len() as u8], &*body].concat()
        };
        let empty = Digest::empty(store.function()).hex();
        let expected = [
            file("Z", b""),
            file("a", b"\x20\x01"),
            file("é", b""),
            [b"\x12\x49\x0a\x03sub\x12\x42\x0a\x40".as_slice(), empty.as_bytes()].concat(),
            b"\x1a\x06\x0a\x01l\x12\x01a".to_vec(),
        ]
        .concat();

        let root = store.put_tree(&tree).unwrap();
        assert_eq!(store.get(&root).unwrap().unwrap(), expected);
        assert_eq!(root, Digest::of(store.function(), &expected));
    });
}

#[test]
fn the_empty_tree_is_the_empty_blob() {
    for_each_function(|store| {
        let empty = Digest::empty(store.function());
        assert_eq!(store.put_tree(&Tree::default()).unwrap(), empty);
        assert_eq!(store.tree(&empty).unwrap(), Some(Tree::default()));
    });
}

#[test]
fn trees_round_trip() {
    for_each_function(|store| {
        let mut tree = Tree::default();
        tree.insert("a/b/c/file", store.put_entry("1", false)).unwrap();
        tree.insert("a/b/tool", store.put_entry("2", true)).unwrap();
        tree.insert("a/link", link("b/tool")).unwrap();
        tree.insert("empty", Entry::Directory(Tree::default())).unwrap();
        let root = store.put_tree(&tree).unwrap();
        assert_eq!(store.tree(&root).unwrap().as_ref(), Some(&tree));

        let level = store.directory(&root).unwrap().unwrap();
        let Some(Entry::Subtree(a)) = level.get("a") else { panic!("{level:?}") };
        let mut reused = Tree::default();
        reused.insert("a", Entry::Subtree(*a)).unwrap();
        reused.insert("empty", Entry::Directory(Tree::default())).unwrap();
        assert_eq!(store.put_tree(&reused).unwrap(), root);
    });
}

#[test]
fn a_missing_directory_is_a_missing_tree() {
    let store = blake3_store();
    let root = store.put_tree_of(&[("a/b/file", "1")]);
    let Some(Entry::Directory(a)) = store.tree(&root).unwrap().unwrap().entries.remove("a") else {
        panic!("no folder")
    };
    let (a, _) = a.digest(store.function()).unwrap();
    fs::remove_file(store.file_of(&a, false)).unwrap();
    assert_eq!(store.tree(&root).unwrap(), None);
    assert!(store.directory(&root).unwrap().is_some());
    assert_eq!(store.directory(&a).unwrap(), None);
}

#[test]
fn a_tree_is_contained_as_a_whole_or_not() {
    for_each_function(|store| {
        let root = store.put_tree_of(&[("a/b/file", "1"), ("a/other", "2")]);
        assert!(store.contains_tree(&root).unwrap());
        assert!(!store.contains_tree(&Digest::of(store.function(), b"unknown")).unwrap());
        let directory = store.put_tree_of(&[("file", "1")]);
        for lost in [Digest::of(store.function(), b"1"), directory] {
            let path = store.file_of(&lost, false);
            fs::rename(&path, path.with_extension("gone")).unwrap();
            assert!(!store.contains_tree(&root).unwrap());
            fs::rename(path.with_extension("gone"), &path).unwrap();
        }
        assert!(store.contains_tree(&root).unwrap());
    });
}

#[test]
fn a_digest_of_the_other_function_is_refused() {
    let store = blake3_store();
    let digest = Digest::of(DigestFunction::Sha256, b"x");
    for entry in [Entry::File { digest, executable: false }, Entry::Subtree(digest)] {
        let mut tree = Tree::default();
        tree.insert("d/x", entry).unwrap();
        let error = store.put_tree(&tree).unwrap_err();
        let expected =
            format!("`d/x` has the digest {digest}, but the tree is made of blake3 digests");
        assert_eq!(error.to_string(), expected);
    }
}

/// Refuses messages of a peer that have the right hash but would write outside of the tree, or twice to one path.
#[test]
fn directories_that_can_t_be_on_disk_are_refused() {
    let store = blake3_store();
    let digest = Some(Digest::of(DigestFunction::Blake3, b"x").to_reapi());
    let file = |name: &str| crate::reapi::FileNode {
        name: name.to_owned(),
        digest: digest.clone(),
        ..Default::default()
    };
    let check = |files: Vec<crate::reapi::FileNode>, source: TreeError| {
        let message = crate::reapi::Directory { files, ..Default::default() };
        let root = store.put(&prost::Message::encode_to_vec(&message)).unwrap();
        match store.tree(&root).unwrap_err() {
            StoreError::Directory { digest, source: actual } => {
                assert_eq!((digest, *actual), (root, source));
            }
            other => panic!("{other}"),
        }
    };
    for name in ["", ".", "..", "a/b", "/etc", "a\0"] {
        check(vec![file(name)], TreeError::Path(name.to_owned()));
    }
    check(vec![file("a"), file("a")], TreeError::Duplicate("a".to_owned()));
    let no_digest = crate::reapi::FileNode { name: "a".to_owned(), ..Default::default() };
    check(vec![no_digest], TreeError::NoDigest("a".to_owned()));

    let text = store.put(b"no message at all").unwrap();
    assert_eq!(
        store.tree(&text).unwrap_err().to_string(),
        format!("blob {text} is not a directory"),
    );
}

#[test]
fn nesting_and_repetition_are_bounded() {
    let store = blake3_store();
    let mut deep = store.put_tree_of(&[("file", "1")]);
    for _ in 0..crate::tree::MAX_DEPTH + 1 {
        let tree = Tree { entries: [("d".to_owned(), Entry::Subtree(deep))].into() };
        deep = store.put_tree(&tree).unwrap();
    }
    let error = store.tree(&deep).unwrap_err();
    assert!(matches!(error, StoreError::Directory { .. }), "{error}");

    // Eight small messages, each of which refers ten times to the one before, make a hundred million folders.
    let mut wide = store.put_tree_of(&[("file", "1")]);
    for _ in 0..8 {
        let entries = (0..10).map(|i| (format!("{i}"), Entry::Subtree(wide))).collect();
        wide = store.put_tree(&Tree { entries }).unwrap();
    }
    let error = store.tree(&wide).unwrap_err();
    assert_eq!(error.to_string(), format!("tree {wide} has more than 2000000 entries"));
}

#[test]
fn merging_unites_and_reuses() {
    for_each_function(|store| {
        let a = store.put_tree_of(&[("only-a/f", "1"), ("both/a", "2"), ("both/same", "3")]);
        let b = store.put_tree_of(&[("only-b/f", "4"), ("both/b", "5"), ("both/same", "3")]);
        let c = store.put_tree_of(&[("c", "6")]);
        let all = [
            ("only-a/f", "1"),
            ("only-b/f", "4"),
            ("both/a", "2"),
            ("both/b", "5"),
            ("both/same", "3"),
            ("c", "6"),
        ];
        let expected = store.put_tree_of(&all);
        assert_eq!(store.merge_trees(&[a, b, c]).unwrap(), expected);
        assert_eq!(store.merge_trees(&[c, b, a, b]).unwrap(), expected);
        assert_eq!(store.merge_trees(&[a]).unwrap(), a);
        assert_eq!(store.merge_trees(&[a, a]).unwrap(), a);
        assert_eq!(store.merge_trees(&[]).unwrap(), Digest::empty(store.function()));
    });
}

#[test]
fn merging_reads_only_what_differs() {
    let store = blake3_store();
    let a = store.put_tree_of(&[("shared/deep/f", "1"), ("d/a", "2")]);
    let b = store.put_tree_of(&[("shared/deep/f", "1"), ("d/b", "3")]);
    let shared = store.put_tree_of(&[("deep/f", "1")]);
    fs::remove_file(store.file_of(&shared, false)).unwrap();
    let merged = store.merge_trees(&[a, b]).unwrap();
    let level = store.directory(&merged).unwrap().unwrap();
    assert_eq!(level.get("shared"), Some(&Entry::Subtree(shared)));
}

#[test]
fn merging_names_the_path_of_a_conflict() {
    let store = blake3_store();
    let check = |a: &[(&str, &str)], b: &[(&str, &str)], path: &str| {
        let (a, b) = (store.put_tree_of(a), store.put_tree_of(b));
        for trees in [[a, b], [b, a]] {
            match store.merge_trees(&trees).unwrap_err() {
                StoreError::Tree(TreeError::Conflict(at)) => assert_eq!(at, path),
                other => panic!("{other}"),
            }
        }
    };
    check(&[("d/x", "1")], &[("d/x", "2")], "d/x");
    check(&[("d/x", "1")], &[("d/x/y", "2")], "d/x");
    check(&[("a/b/c/d", "1"), ("a/b/z", "1")], &[("a/b/c/d", "2")], "a/b/c/d");

    let missing = Digest::of(DigestFunction::Blake3, b"missing");
    let present = store.put_tree_of(&[("x", "1")]);
    let error = store.merge_trees(&[present, missing]).unwrap_err();
    assert!(matches!(error, StoreError::Missing(digest) if digest == missing), "{error}");
}
