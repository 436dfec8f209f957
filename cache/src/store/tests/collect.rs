//! Tests that what was not used for the longest time is removed first, and that nothing that is in use is.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT};

use super::*;
use crate::{Amount, StoreLimits, reapi};

const DAY: Duration = Duration::from_secs(86_400);

/// Pretends that a file was used so many days ago.
fn age(path: &Path, days: u32) {
    let then = SystemTime::now() - DAY * days;
    let seconds = then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let times = Timestamps {
        last_access: Timespec { tv_sec: seconds.cast_signed(), tv_nsec: 0 },
        last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn by_age(days: u32) -> StoreLimits {
    StoreLimits { max_age: Some(DAY * days), max_size: None }
}

/// Stores a blob of 8 KiB and pretends that it was used so many days ago.
fn blob(store: &TestStore, byte: u8, days: u32) -> Digest {
    let digest = store.put(&vec![byte; 8192]).unwrap();
    age(&store.blob_path(&digest, false).unwrap().unwrap(), days);
    digest
}

#[test]
fn the_longest_unused_goes_first() {
    for_each_function(|store| {
        let blobs: Vec<Digest> = (1..=4).map(|day| blob(&store, day, u32::from(day))).collect();
        let limits = StoreLimits { max_size: Some(2 * 8192), max_age: None };
        let collected = store.collect(&limits, SystemTime::now()).unwrap();
        assert_eq!(collected.removed, Amount { count: 2, bytes: 2 * 8192 });
        assert_eq!(collected.kept, Amount { count: 2, bytes: 2 * 8192 });
        let left: Vec<bool> = blobs.iter().map(|digest| store.contains(digest)).collect();
        assert_eq!(left, [true, true, false, false]);
        assert_eq!(store.usage().unwrap().blobs, Amount { count: 2, bytes: 2 * 8192 });
    });
}

#[test]
fn every_use_counts() {
    for_each_function(|store| {
        let [stat, read, opened, unused] = [1, 2, 3, 4].map(|byte| blob(&store, byte, 9));
        let key = Digest::of(store.function(), b"key");
        store.put_action_result(&key, &reapi::ActionResult::default()).unwrap();
        let memo = crate::Memo { tree: stat, text: String::new() };
        store.put_memo(&key, &memo).unwrap();
        for path in [store.layout().action(&key), store.layout().memo(&key)] {
            age(&path, 9);
        }
        assert!(store.contains(&stat) && store.get(&read).unwrap().is_some());
        assert!(store.open_blob(&opened).unwrap().is_some());
        assert!(store.action_result(&key).is_some() && store.memo(&key).is_some());
        let collected = store.collect(&by_age(5), SystemTime::now()).unwrap();
        assert_eq!(collected.removed.count, 1);
        assert!(!store.contains(&unused) && store.contains(&stat));
        assert!(store.action_result(&key).is_some() && store.memo(&key).is_some());
        for path in [store.layout().action(&key), store.layout().memo(&key)] {
            age(&path, 9);
        }
        assert_eq!(store.collect(&by_age(5), SystemTime::now()).unwrap().removed.count, 2);
        assert!(store.action_result(&key).is_none() && store.memo(&key).is_none());
    });
}

#[test]
fn a_tree_keeps_its_blobs_and_goes_with_them() {
    for_each_function(|store| {
        let file = blob(&store, 1, 9);
        let mut tree = Tree::default();
        tree.insert("d/f", Entry::File { digest: file, executable: false }).unwrap();
        let root = store.put_tree(&tree).unwrap();
        let folder = store.materialise(&root).unwrap();
        age(&folder.join("d/f"), 9);
        let collected = store.collect(&by_age(5), SystemTime::now()).unwrap();
        assert_eq!((collected.removed.count, collected.trees.count), (0, 0));
        assert!(folder.join("d/f").exists());
        for digest in [root, tree_of(&store, &root, "d")] {
            age(&store.blob_path(&digest, false).unwrap().unwrap(), 9);
        }
        age(&folder.join("d/f"), 9);
        let collected = store.collect(&by_age(5), SystemTime::now()).unwrap();
        assert_eq!((collected.removed.count, collected.trees.count), (3, 1));
        assert!(!folder.exists() && !store.contains(&file));
        assert_eq!(store.usage().unwrap(), crate::Usage::default());
    });
}

/// Returns the digest of a folder of a stored tree.
fn tree_of(store: &TestStore, root: &Digest, name: &str) -> Digest {
    match store.directory(root).unwrap().unwrap().entries[name] {
        Entry::Subtree(digest) => digest,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_living_process_may_be_using_stays() {
    for_each_function(|store| {
        let digest = blob(&store, 1, 0);
        let nothing = StoreLimits { max_size: Some(0), max_age: None };
        // Another process, as its store is another one, that began just now.
        let other = DiskStore::open(store.root(), store.function()).unwrap();
        assert_eq!(store.collect(&nothing, SystemTime::now()).unwrap().removed.count, 0);
        // What was used long before it began is not in use.
        let path = store.blob_path(&digest, false).unwrap().unwrap();
        age(&path, 1);
        assert_eq!(store.collect(&nothing, SystemTime::now()).unwrap().removed.count, 1);
        drop(other);
        // What was used within the last minutes stays in any case.
        let digest = blob(&store, 2, 0);
        store.collect(&nothing, SystemTime::now()).unwrap();
        assert!(store.contains(&digest));
    });
}

#[test]
fn files_that_the_store_has_not_made_stay() {
    for_each_function(|store| {
        let strange = store.root().join("cas").join(store.function().name()).join("ab");
        fs::create_dir_all(&strange).unwrap();
        fs::write(strange.join("notes.txt"), "mine").unwrap();
        age(&strange.join("notes.txt"), 99);
        store.collect(&by_age(1), SystemTime::now()).unwrap();
        assert!(strange.join("notes.txt").exists());
        assert_eq!(store.usage().unwrap().blobs.count, 0);
    });
}

#[test]
fn a_store_that_is_in_use_is_not_cleared() {
    for_each_function(|store| {
        store.materialise(&store.put_tree_of(&[("f", "file")])).unwrap();
        let other = store.reopen();
        assert_eq!(store.clear(SystemTime::now()).unwrap(), None);
        drop(other);
        let collected = store.clear(SystemTime::now()).unwrap().unwrap();
        assert_eq!((collected.removed.count, collected.trees.count), (2, 1));
        assert_eq!(store.usage().unwrap(), crate::Usage::default());
    });
}
