//! Tests of trees on disk.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::store::MaterialiseError;

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

fn sample(store: &TestStore) -> Digest {
    let mut tree = Tree::default();
    tree.insert("a/file", store.put_entry("one", false)).unwrap();
    tree.insert("a/same", store.put_entry("one", false)).unwrap();
    tree.insert("a/b/tool", store.put_entry("two", true)).unwrap();
    tree.insert("a/b/empty", store.put_entry("", false)).unwrap();
    tree.insert("a/link", Entry::Symlink { target: "b/tool".to_owned() }).unwrap();
    tree.insert("nothing", Entry::Directory(Tree::default())).unwrap();
    store.put_tree(&tree).unwrap()
}

/// Lists every path below `root` with its mode and content, and checks that each has the fixed time.
fn listing(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        assert_eq!((mode(&folder), mtime(&folder)), (0o755, fixed_time()), "{folder:?}");
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let kind = path.symlink_metadata().unwrap().file_type();
            if kind.is_dir() {
                found.insert(format!("{name}/"));
                folders.push(path);
            } else if kind.is_symlink() {
                found.insert(format!("{name} -> {}", path.read_link().unwrap().display()));
            } else {
                assert_eq!(mtime(&path), fixed_time(), "{path:?}");
                let content = fs::read_to_string(&path).unwrap();
                found.insert(format!("{name} {:o} {content:?}", mode(&path)));
            }
        }
    }
    found
}

fn expected_listing() -> BTreeSet<String> {
    let lines = [
        "a/",
        "a/b/",
        "a/b/empty 444 \"\"",
        "a/b/tool 555 \"two\"",
        "a/file 444 \"one\"",
        "a/link -> b/tool",
        "a/same 444 \"one\"",
        "nothing/",
    ];
    lines.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_tree_on_disk_is_what_its_messages_say() {
    for_each_function(|store| {
        let tree = sample(&store);
        let path = store.materialise(&tree).unwrap();
        assert_eq!(listing(&path), expected_listing());
        assert_eq!(store.materialise(&tree).unwrap(), path);
        assert_eq!(store.reopen().materialise(&tree).unwrap(), path);
    });
}

#[test]
fn files_are_links_to_blobs_but_never_to_each_other() {
    let store = blake3_store();
    let tree = sample(&store);
    store.blob_path(&Digest::empty(DigestFunction::Blake3), false).unwrap().unwrap();
    let path = store.materialise(&tree).unwrap();
    let blob = |content: &str, executable| {
        let digest = Digest::of(DigestFunction::Blake3, content.as_bytes());
        inode(&store.file_of(&digest, executable))
    };
    let inodes = BTreeSet::from([inode(&path.join("a/file")), inode(&path.join("a/same"))]);
    assert_eq!(inodes.len(), 2);
    assert!(inodes.contains(&blob("one", false)));
    assert_eq!(inode(&path.join("a/b/tool")), blob("two", true));
    assert_ne!(inode(&path.join("a/b/empty")), blob("", false), "the first to reach any limit");
}

#[test]
fn a_blob_at_its_link_limit_is_copied() {
    let store = blake3_store();
    let limited =
        ContentStore::open_with_link_limit(store.root(), DigestFunction::Blake3, 3).unwrap();
    let paths: Vec<PathBuf> = (0..4)
        .map(|i| store.put_tree_of(&[("shared", "content"), ("own", &i.to_string())]))
        .map(|tree| limited.materialise(&tree).unwrap().join("shared"))
        .collect();
    let digest = Digest::of(DigestFunction::Blake3, b"content");
    let blob = fs::metadata(store.file_of(&digest, false)).unwrap();
    assert_eq!(blob.nlink(), 3);
    let linked = paths.iter().filter(|path| inode(path) == blob.ino()).count();
    assert_eq!(linked, 2);
    for path in paths {
        assert_eq!(fs::read_to_string(&path).unwrap(), "content");
        assert_eq!((mode(&path), mtime(&path)), (0o444, fixed_time()));
    }
}

#[test]
fn a_missing_blob_is_named_and_nothing_is_left() {
    for_each_function(|store| {
        let tree = sample(&store);
        let digest = Digest::of(store.function(), b"two");
        fs::remove_file(store.file_of(&digest, false)).unwrap();
        match store.materialise(&tree).unwrap_err() {
            MaterialiseError::Missing(missing) => assert_eq!(missing, digest),
            other => panic!("{other}"),
        }
        assert!(!store.layout().tree(&tree).exists());
        store.put(b"two").unwrap();
        assert_eq!(listing(&store.materialise(&tree).unwrap()), expected_listing());

        let unknown = Digest::of(store.function(), b"unknown");
        let error = store.materialise(&unknown).unwrap_err();
        assert_eq!(error.to_string(), format!("blob {unknown} is not in the store"));
    });
}

type Change = fn(&Path);

/// Damages a tree in ways that leave its blobs alone. The next process repairs the tree.
#[test]
fn changes_of_names_and_marks_are_repaired() {
    let changes: [(&str, Change); 13] = [
        ("removed file", |tree| fs::remove_file(tree.join("a/file")).unwrap()),
        ("removed file, time restored", |tree| {
            fs::remove_file(tree.join("a/file")).unwrap();
            restore_time(&tree.join("a"));
        }),
        ("added file", |tree| fs::write(tree.join("a/new"), "x").unwrap()),
        ("added file, time restored", |tree| {
            fs::write(tree.join("a/new"), "x").unwrap();
            restore_time(&tree.join("a"));
        }),
        ("renamed file", |tree| fs::rename(tree.join("a/file"), tree.join("a/f")).unwrap()),
        ("swapped link", |tree| {
            fs::remove_file(tree.join("a/link")).unwrap();
            symlink("file", tree.join("a/link")).unwrap();
            restore_time(&tree.join("a"));
        }),
        ("file for a folder", |tree| {
            fs::remove_dir(tree.join("nothing")).unwrap();
            fs::write(tree.join("nothing"), "").unwrap();
            restore_time(tree);
        }),
        ("folder's mode", |tree| chmod(&tree.join("a/b"), 0o700)),
        ("folder's time", |tree| {
            fs::File::open(tree.join("a")).unwrap().set_modified(SystemTime::now()).unwrap();
        }),
        ("a copy's content", |tree| flip_byte(&copy_in(tree))),
        ("a copy's mode", |tree| chmod(&copy_in(tree), 0o644)),
        ("everything", |tree| fs::remove_dir_all(tree).unwrap()),
        ("a file in its place", |tree| {
            fs::remove_dir_all(tree).unwrap();
            fs::write(tree, "").unwrap();
        }),
    ];
    let store = blake3_store();
    let tree = sample(&store);
    for (name, change) in changes {
        let path = store.reopen().materialise(&tree).unwrap();
        change(&path);
        let next_process = store.reopen();
        next_process.materialise(&tree).unwrap();
        assert_eq!(listing(&path), expected_listing(), "{name}");
        assert_eq!(next_process.take_quarantined(), [], "{name}");
    }
}

/// Returns the one of two equal files that is a copy and no hard link to the blob.
fn copy_in(tree: &Path) -> PathBuf {
    let paths = [tree.join("a/file"), tree.join("a/same")];
    paths.into_iter().find(|path| fs::metadata(path).unwrap().nlink() == 1).unwrap()
}

#[test]
fn a_write_through_the_tree_is_a_write_to_the_blob() {
    let changes: [(&str, Change); 3] = [
        ("flipped byte", flip_byte),
        ("truncated", |path| {
            chmod(path, 0o755);
            fs::write(path, "t").unwrap();
            chmod(path, 0o555);
            restore_time(path);
        }),
        ("appended", |path| {
            chmod(path, 0o755);
            fs::write(path, "two and more").unwrap();
        }),
    ];
    for_each_function(|store| {
        for (name, change) in changes {
            let tree = sample(&store);
            let path = store.reopen().materialise(&tree).unwrap();
            let digest = Digest::of(store.function(), b"two");
            fs::remove_file(store.file_of(&digest, false)).unwrap();
            change(&path.join("a/b/tool"));

            let next_process = store.reopen();
            match next_process.materialise(&tree).unwrap_err() {
                MaterialiseError::Missing(missing) => assert_eq!(missing, digest, "{name}"),
                other => panic!("{name}: {other}"),
            }
            assert_eq!(next_process.take_quarantined().len(), 1, "{name}");
            next_process.put(b"two").unwrap();
            next_process.materialise(&tree).unwrap();
            assert_eq!(listing(&path), expected_listing(), "{name}");
        }
    });
}

/// No stat shows the damage that a failing disk does. When a reader finds it, trees that share the inode must
/// not be used any more, not even in the process that has checked them before.
#[test]
fn a_blob_found_bad_later_takes_its_trees_along() {
    let store = blake3_store();
    let tree = sample(&store);
    let path = store.materialise(&tree).unwrap();
    let digest = Digest::of(DigestFunction::Blake3, b"two");
    flip_byte_silently(&store.file_of(&digest, true));
    assert!(store.materialise(&tree).is_ok(), "nobody has noticed yet");

    fs::remove_file(store.file_of(&digest, false)).unwrap();
    assert_eq!(store.get(&digest).unwrap(), None);
    assert_eq!(store.quarantined(), [digest]);
    assert!(matches!(store.materialise(&tree), Err(MaterialiseError::Missing(d)) if d == digest));
    store.put(b"two").unwrap();
    store.materialise(&tree).unwrap();
    assert_eq!(listing(&path), expected_listing());
}
