//! Tests of taking the outputs of untrusted programs into the store.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::blobs::mkfifo;
use super::*;
use crate::store::IngestError;

#[test]
fn a_folder_becomes_its_tree() {
    for_each_function(|store| {
        let dir = store.folder("out");
        fs::create_dir_all(dir.join("a/b")).unwrap();
        fs::create_dir(dir.join("empty")).unwrap();
        fs::write(dir.join("a/file"), "one").unwrap();
        fs::write(dir.join("a/odd \n name"), "two").unwrap();
        fs::write(dir.join("a/b/large"), vec![7; (1 << 20) + 1]).unwrap();
        fs::write(dir.join("tool"), "#!").unwrap();
        chmod(&dir.join("tool"), 0o6755);
        symlink("a/../tool", dir.join("link")).unwrap();
        symlink("../../tool", dir.join("a/b/up")).unwrap();
        symlink("nowhere", dir.join("dangling")).unwrap();

        let mut expected = Tree::default();
        let large = store.put(&vec![7; (1 << 20) + 1]).unwrap();
        let large = Entry::File { digest: large, executable: false };
        let link = |target: &str| Entry::Symlink { target: target.to_owned() };
        for (path, entry) in [
            ("a/file", store.put_entry("one", false)),
            ("a/odd \n name", store.put_entry("two", false)),
            ("a/b/large", large),
            ("a/b/up", link("../../tool")),
            ("tool", store.put_entry("#!", true)),
            ("link", link("a/../tool")),
            ("dangling", link("nowhere")),
            ("empty", Entry::Directory(Tree::default())),
        ] {
            expected.insert(path, entry).unwrap();
        }
        let tree = store.ingest(&dir).unwrap();
        assert_eq!(store.tree(&tree).unwrap(), Some(expected));
        let path = store.materialise(&tree).unwrap();
        assert_eq!(mode(&path.join("tool")), 0o555, "setuid and setgid are gone");
    });
}

#[test]
fn times_and_owners_make_no_difference() {
    let store = blake3_store();
    let (one, two) = (store.folder("one"), store.folder("two"));
    for dir in [&one, &two] {
        fs::write(dir.join("file"), "same").unwrap();
    }
    chmod(&two.join("file"), 0o600);
    restore_time(&two.join("file"));
    assert_eq!(store.ingest(&one).unwrap(), store.ingest(&two).unwrap());
}

#[test]
fn a_filter_leaves_files_and_whole_folders_out() {
    let store = blake3_store();
    let dir = store.folder("out");
    fs::create_dir_all(dir.join("keep/tmp")).unwrap();
    fs::create_dir_all(dir.join("tmp")).unwrap();
    mkfifo(&dir.join("tmp/never looked at"));
    fs::write(dir.join("keep/tmp/file"), "1").unwrap();
    fs::write(dir.join("keep/file.log"), "2").unwrap();
    let leave_out = |path: &str| path == "tmp" || path.ends_with(".log");
    let tree = store.ingest_filtered(&dir, &leave_out).unwrap();
    assert_eq!(tree, store.put_tree_of(&[("keep/tmp/file", "1")]));
}

type Make = fn(&Path);

#[test]
fn what_is_no_file_is_refused_by_name() {
    let makes: [(&str, &str, Make); 2] = [
        ("d/odd\nname", "`d/odd\\nname` is a FIFO, which can't be an output", mkfifo),
        ("d/s", "`d/s` is a socket, which can't be an output", |path| {
            UnixListener::bind(path).unwrap();
        }),
    ];
    let devices: [(&str, &str, Make); 2] = [
        ("d/c", "`d/c` is a character device, which can't be an output", |path| {
            mknodat(CWD, path, FileType::CharacterDevice, Mode::RWXU, makedev(1, 3)).unwrap();
        }),
        ("d/b", "`d/b` is a block device, which can't be an output", |path| {
            mknodat(CWD, path, FileType::BlockDevice, Mode::RWXU, makedev(7, 0)).unwrap();
        }),
    ];
    let root = rustix::process::geteuid().is_root();
    let devices = devices.into_iter().filter(|_| root);
    for (name, message, make) in makes.into_iter().chain(devices) {
        let store = blake3_store();
        let dir = store.folder("out");
        fs::create_dir(dir.join("d")).unwrap();
        make(&dir.join(name));
        assert_eq!(store.ingest(&dir).unwrap_err().to_string(), message);
        assert_eq!(store.ingest_path(&dir, name).unwrap_err().to_string(), message);
    }
}

#[test]
fn links_that_leave_the_folder_are_refused() {
    let check = |links: &[(&str, &str)], message: &str| {
        let store = blake3_store();
        let dir = store.folder("out");
        fs::create_dir(dir.join("d")).unwrap();
        for (path, target) in links {
            symlink(target, dir.join(path)).unwrap();
        }
        assert_eq!(store.ingest(&dir).unwrap_err().to_string(), message);
    };
    let leaves = |path: &str, target: &str| {
        format!("the symbolic link `{path}` to `{target}` leaves the folder of outputs")
    };
    check(&[("up", "..")], &leaves("up", ".."));
    check(&[("d/up", "../../etc\n")], &leaves("d/up", "../../etc\\n"));
    check(&[("d/up", ".."), ("e", "d/up/../x")], &leaves("e", "d/up/../x"));
    check(
        &[("d/abs", "/etc/passwd")],
        "the symbolic link `d/abs` has the absolute target `/etc/passwd`",
    );
}

#[test]
fn names_that_are_no_utf8_are_refused_and_escaped() {
    let store = blake3_store();
    let dir = store.folder("out");
    fs::create_dir(dir.join("d")).unwrap();
    fs::write(dir.join("d").join(OsStr::from_bytes(b"a\xff\x1b[0m")), "").unwrap();
    let error = store.ingest(&dir).unwrap_err();
    assert_eq!(error.to_string(), "the name of `d/a\\xff\\x1b[0m` is not UTF-8");

    let dir = store.folder("other");
    symlink(OsStr::from_bytes(b"\xff"), dir.join("link")).unwrap();
    let error = store.ingest(&dir).unwrap_err();
    assert_eq!(error.to_string(), "the name of `link -> \\xff` is not UTF-8");
}

#[test]
fn endless_nesting_is_refused() {
    let store = blake3_store();
    let dir = store.folder("out");
    let mut deep = dir.clone();
    deep.extend(vec!["d"; crate::tree::MAX_DEPTH + 1]);
    fs::create_dir_all(deep).unwrap();
    let error = store.ingest(&dir).unwrap_err();
    assert!(error.to_string().ends_with("is nested deeper than 128 directories"), "{error}");
}

/// A folder that is nested so deeply that its path is too long is refused with the same error for every user, and it can
/// be removed.
#[test]
fn nesting_beyond_path_max_is_refused_alike() {
    let check = |dir: &Path| {
        let (store, out) = (dir.join("store"), dir.join("out"));
        fs::create_dir(&out).unwrap();
        let mut folder = rustix::fs::open(&out, rustix::fs::OFlags::PATH, Mode::empty()).unwrap();
        for _ in 0..2500 {
            rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
            folder =
                rustix::fs::openat(&folder, "d", rustix::fs::OFlags::PATH, Mode::empty()).unwrap();
        }
        let store = DiskStore::open(&store, DigestFunction::Blake3).unwrap();
        let error = store.ingest(&out).unwrap_err();
        assert!(error.to_string().ends_with("is nested deeper than 128 directories"), "{error}");
        super::super::remove_tree(&out).unwrap();
        assert!(!out.exists());
    };
    check(tempfile::tempdir().unwrap().path());
    as_nobody(check);
}

#[test]
fn single_outputs() {
    for_each_function(|store| {
        let dir = store.folder("out");
        fs::create_dir_all(dir.join("d/e")).unwrap();
        fs::write(dir.join("d/file"), "one").unwrap();
        fs::write(dir.join("d/e/tool"), "two").unwrap();
        chmod(&dir.join("d/e/tool"), 0o700);
        symlink("file", dir.join("d/link")).unwrap();

        let file = Some(store.put_entry("one", false));
        assert_eq!(store.ingest_path(&dir, "d/file").unwrap(), file);
        let mut tree = Tree::default();
        tree.insert("tool", store.put_entry("two", true)).unwrap();
        let folder = Some(Entry::Subtree(store.put_tree(&tree).unwrap()));
        assert_eq!(store.ingest_path(&dir, "d/e").unwrap(), folder);
        for absent in ["missing", "d/missing", "d/file/missing", "missing/missing"] {
            assert_eq!(store.ingest_path(&dir, absent).unwrap(), None);
        }
        let error = store.ingest_path(&dir, "d/link").unwrap_err();
        assert_eq!(error.to_string(), "`d/link` is a symbolic link, which can't be an output");
    });
}

#[test]
fn nothing_outside_is_reachable() {
    let store = blake3_store();
    let dir = store.folder("out");
    fs::write(store.folder("secret").join("file"), "secret").unwrap();
    symlink(store.folder("secret"), dir.join("link")).unwrap();
    for path in ["../secret/file", "link/file", "/etc/passwd"] {
        let result = store.ingest_path(&dir, path);
        assert!(matches!(result, Err(IngestError::Io { .. })), "{path}: {result:?}");
    }
}

#[test]
fn modes_that_keep_the_owner_out_make_no_difference() {
    // The thread pool, which opens files, has the privileges of root. So this part is tested on single outputs.
    as_nobody(|home| {
        let store = DiskStore::open(&home.join("store"), DigestFunction::Blake3).unwrap();
        let dir = home.join("out");
        fs::create_dir_all(dir.join("d")).unwrap();
        fs::write(dir.join("file"), "one").unwrap();
        fs::write(dir.join("tool"), "two").unwrap();
        chmod(&dir.join("file"), 0o000);
        chmod(&dir.join("tool"), 0o111);
        chmod(&dir.join("d"), 0o000);
        let entry = |content: &[u8], executable| {
            let digest = Digest::of(DigestFunction::Blake3, content);
            Some(Entry::File { digest, executable })
        };
        assert_eq!(store.ingest_path(&dir, "file").unwrap(), entry(b"one", false));
        assert_eq!(store.ingest_path(&dir, "tool").unwrap(), entry(b"two", true));
        let empty = Some(Entry::Subtree(Digest::empty(DigestFunction::Blake3)));
        assert_eq!(store.ingest_path(&dir, "d").unwrap(), empty);
    });
}
