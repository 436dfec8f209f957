//! Tests of the action cache on disk.

use super::*;
use crate::reapi::{ActionResult, OutputFile};

fn result(path: &str) -> ActionResult {
    let output = OutputFile { path: path.to_owned(), ..OutputFile::default() };
    ActionResult { output_files: vec![output], ..ActionResult::default() }
}

#[test]
fn results_round_trip_and_are_replaced() {
    for_each_function(|store| {
        let key = Digest::of(store.function(), b"action");
        assert_eq!(store.action_result(&key), None);
        for path in ["first", "second"] {
            store.put_action_result(&key, &result(path)).unwrap();
            assert_eq!(store.action_result(&key), Some(result(path)));
        }
    });
}

#[test]
fn a_damaged_entry_is_a_miss_and_is_replaced() {
    for_each_function(|store| {
        let key = Digest::of(store.function(), b"action");
        let path = store.layout().action(&key);
        let damage: [fn(&Path); 3] = [
            flip_byte,
            |path| fs::File::options().write(true).open(path).unwrap().set_len(20).unwrap(),
            |path| fs::write(path, "").unwrap(),
        ];
        for damage in damage {
            store.put_action_result(&key, &result("out")).unwrap();
            damage(&path);
            assert_eq!(store.action_result(&key), None);
        }
        store.put_action_result(&key, &result("again")).unwrap();
        assert_eq!(store.action_result(&key), Some(result("again")));
    });
}

#[test]
fn an_entry_that_cannot_be_read_or_replaced_is_a_miss_and_told_once() {
    let replaced = "the next result replaces it";
    type Case = (&'static str, fn(&Path), bool);
    let make: [Case; 6] = [
        ("is a folder", |path| fs::create_dir_all(path.join("full")).unwrap(), false),
        ("is a FIFO", fifo, true),
        ("is a symbolic link", |path| std::os::unix::fs::symlink(path, path).unwrap(), true),
        ("is a socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()), true),
        // In these cases the folder that should hold the entry is replaced.
        ("Not a directory", |path| put_instead(path.parent().unwrap(), ""), false),
        ("symbolic links", |path| put_instead(path.parent().unwrap(), "loop"), false),
    ];
    for (reason, make, is_replaced) in make {
        let store = blake3_store();
        let key = Digest::of(DigestFunction::Blake3, b"action");
        let path = store.layout().action(&key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        make(&path);
        for _ in 0..3 {
            assert_eq!(store.action_result(&key), None, "{reason}");
        }
        let [told] = &store.take_unusable()[..] else { panic!("{reason}: not one warning") };
        assert!(told.source.to_string().contains(reason), "{reason}: {}", told.source);
        assert_eq!((told.action, &told.path, told.more), ("read", &path, 2));
        assert!(store.take_unusable().is_empty());
        store.put_action_result(&key, &result("new")).unwrap();
        assert_eq!(store.action_result(&key).is_some(), is_replaced, "{reason}: {replaced}");
        let told = store.take_unusable();
        let told: Vec<_> = told.iter().map(|told| (told.action, &told.path)).collect();
        let both = [("replace", &path), ("read", &path)];
        assert_eq!(told, if is_replaced { &[][..] } else { &both }, "{reason}");
    }
}

#[test]
fn an_entry_that_another_user_closed_is_a_miss() {
    as_nobody(|dir| {
        let store = DiskStore::open(&dir.join("store"), DigestFunction::Blake3).unwrap();
        let key = Digest::of(DigestFunction::Blake3, b"action");
        store.put_action_result(&key, &result("out")).unwrap();
        let path = store.layout().action(&key);
        chmod(&path, 0o000);
        assert_eq!(store.action_result(&key), None);
        store.put_action_result(&key, &result("new")).unwrap();
        assert_eq!(store.action_result(&key), Some(result("new")), "the folder is ours");
        chmod(path.parent().unwrap(), 0o000);
        assert_eq!(store.action_result(&key), None);
        store.put_action_result(&key, &result("newer")).unwrap();
        let told = store.take_unusable();
        let reasons: Vec<_> = told.iter().map(|told| (told.action, told.source.kind())).collect();
        let denied = std::io::ErrorKind::PermissionDenied;
        assert_eq!(reasons, [("read", denied), ("replace", denied)]);
        chmod(path.parent().unwrap(), 0o755);
    });
}

fn fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode};
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

/// Replaces a folder by a file, or by a symbolic link to itself.
fn put_instead(folder: &Path, what: &str) {
    fs::remove_dir(folder).unwrap();
    match what {
        "loop" => std::os::unix::fs::symlink(folder, folder).unwrap(),
        _ => fs::write(folder, "").unwrap(),
    }
}

#[test]
fn an_entry_under_another_key_s_name_is_a_miss() {
    let store = blake3_store();
    let (ours, theirs) = (
        Digest::of(DigestFunction::Blake3, b"action"),
        Digest::new(DigestFunction::Blake3, [1; 32], 6),
    );
    store.put_action_result(&ours, &result("out")).unwrap();
    let path = store.layout().action(&theirs);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(store.layout().action(&ours), path).unwrap();
    assert_eq!(store.action_result(&theirs), None);
}
