//! Tests that a blob comes out of the store with the bytes that went in, and never with others.

use std::fs;
use std::io::{Read as _, Write};
use std::os::unix::fs::symlink;

use super::*;

/// Sizes on both sides of every limit in the code: empty, read whole, streamed, read ahead.
const SIZES: [usize; 7] = [0, 1, 4096, 1 << 20, (1 << 20) + 1, 8 << 20, (9 << 20) + 3];

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn every_way_in_leads_to_the_same_blob() {
    for_each_function(|store| {
        for size in SIZES {
            let bytes = bytes(size);
            let digest = Digest::of(store.function(), &bytes);
            let file = store.folder("in").join("file");
            fs::write(&file, &bytes).unwrap();
            let check = |way: &str, stored: Digest| {
                assert_eq!(stored, digest, "{way} of {size}");
                assert!(store.contains(&digest), "{way} of {size}");
                assert_eq!(store.get(&digest).unwrap().unwrap(), bytes, "{way} of {size}");
                let path = store.blob_path(&digest, false).unwrap().unwrap();
                assert_eq!((mode(&path), mtime(&path)), (0o444, fixed_time()));
                fs::remove_file(path).unwrap();
            };
            check("put", store.put(&bytes).unwrap());
            check("put_file", store.put_file(&file).unwrap());
            let mut writer = store.writer(false).unwrap();
            bytes.chunks(100_000).for_each(|chunk| writer.write_all(chunk).unwrap());
            check("writer", writer.finish().unwrap());
        }
        assert_eq!(store.quarantined(), []);
    });
}

#[test]
fn bytes_are_taken_only_under_their_own_digest() {
    for_each_function(|store| {
        for function in DigestFunction::ALL {
            for size in SIZES {
                let bytes = bytes(size);
                let digest = Digest::of(function, &bytes);
                let other = Digest::new(function, [7; 32], digest.size());
                let write = |expected: &Digest| {
                    let mut writer = store.writer_of(function, false).unwrap();
                    writer.write_all(&bytes).unwrap();
                    writer.finish_as(expected).unwrap()
                };
                assert!(!store.put_as(&other, &bytes).unwrap() && !write(&other), "{size}");
                assert!(!store.contains(&other) && store.open_blob(&other).unwrap().is_none());
                assert!(store.put_as(&digest, &bytes).unwrap() && write(&digest), "{size}");
                assert_eq!(store.get(&digest).unwrap().unwrap(), bytes);
                let file = store.open_blob(&digest).unwrap();
                assert_eq!(file.is_none(), size == 0);
                let mut read = Vec::new();
                file.map(|mut file| file.read_to_end(&mut read).unwrap());
                assert_eq!(read, bytes);
            }
        }
    });
}

#[test]
fn missing_is_no_error() {
    for_each_function(|store| {
        let digest = Digest::of(store.function(), b"never stored");
        assert!(!store.contains(&digest));
        assert_eq!(store.get(&digest).unwrap(), None);
        assert_eq!(store.blob_path(&digest, false).unwrap(), None);
        assert_eq!(store.blob_path(&digest, true).unwrap(), None);
    });
}

#[test]
fn the_empty_blob_is_always_there() {
    for_each_function(|store| {
        let empty = Digest::empty(store.function());
        assert!(store.contains(&empty));
        assert_eq!(store.get(&empty).unwrap(), Some(Vec::new()));
        assert_eq!(fs::read(store.blob_path(&empty, true).unwrap().unwrap()).unwrap(), b"");
        let not_empty = Digest::new(store.function(), [7; 32], 0);
        assert!(!store.contains(&not_empty));
        assert_eq!(store.get(&not_empty).unwrap(), None);
    });
}

#[test]
fn both_functions_share_a_store() {
    let store = blake3_store();
    let other = DiskStore::open(store.root(), DigestFunction::Sha256).unwrap();
    let (ours, theirs) = (store.put(b"same").unwrap(), other.put(b"same").unwrap());
    assert_ne!(ours, theirs);
    for digest in [ours, theirs] {
        assert_eq!(store.get(&digest).unwrap().as_deref(), Some(&b"same"[..]));
        assert_eq!(other.get(&digest).unwrap().as_deref(), Some(&b"same"[..]));
    }
}

#[test]
fn a_hash_alone_tells_the_size() {
    for_each_function(|store| {
        for function in DigestFunction::ALL {
            let size_of = |digest: &Digest| store.blob_size(function, digest.hash()).unwrap();
            assert_eq!(size_of(&Digest::empty(function)), Some(0));
            let digest = Digest::of(function, b"some bytes");
            assert_eq!(size_of(&digest), None);
            let mut writer = store.writer_of(function, true).unwrap();
            writer.write_all(b"some bytes").unwrap();
            writer.finish().unwrap();
            assert_eq!(size_of(&digest), Some(10));
            let truncated = fs::File::create(store.file_of(&digest, true)).unwrap();
            truncated.set_len(3).unwrap();
            assert_eq!(size_of(&digest), None);
        }
    });
}

#[test]
fn executables_are_files_of_their_own() {
    let store = blake3_store();
    let file = store.folder("in").join("tool");
    fs::write(&file, "#!").unwrap();
    chmod(&file, 0o4755);
    let digest = store.put_file(&file).unwrap();
    assert!(store.contains(&digest));
    assert!(!store.file_of(&digest, false).exists());
    for (executable, expected) in [(true, 0o555), (false, 0o444)] {
        let path = store.blob_path(&digest, executable).unwrap().unwrap();
        assert_eq!((mode(&path), mtime(&path)), (expected, fixed_time()));
        assert_eq!(fs::read(path).unwrap(), b"#!");
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let store = blake3_store();
    let mut writer = store.writer(false).unwrap();
    writer.write_all(b"half").unwrap();
    drop(writer);
    let session = fs::read_dir(store.layout().tmp()).unwrap();
    let sessions = session.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    for path in sessions {
        assert_eq!(fs::read_dir(path).unwrap().count(), 0);
    }
}

/// Damages a blob's file in every way, and reads the blob in every way.
#[test]
fn damage_is_noticed_by_every_way_out() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("flipped byte", flip_byte),
        ("truncated", |path| {
            chmod(path, 0o644);
            fs::File::options().write(true).open(path).unwrap().set_len(3).unwrap();
            chmod(path, 0o444);
            restore_time(path);
        }),
        ("appended", |path| {
            chmod(path, 0o644);
            fs::File::options().append(true).open(path).unwrap().write_all(b"!").unwrap();
        }),
        ("a link", |path| {
            fs::remove_file(path).unwrap();
            symlink("/dev/zero", path).unwrap();
        }),
        ("a FIFO", |path| {
            fs::remove_file(path).unwrap();
            mkfifo(path);
        }),
        ("a folder", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    type WayOut = fn(&DiskStore, &Digest) -> bool;
    let ways_out: [(&str, WayOut); 4] = [
        ("contains", |store, digest| store.contains(digest)),
        ("get", |store, digest| store.get(digest).unwrap().is_some()),
        ("blob_path", |store, digest| store.blob_path(digest, false).unwrap().is_some()),
        ("blob_path, executable", |store, digest| store.blob_path(digest, true).unwrap().is_some()),
    ];
    for_each_function(|store| {
        for (damage_name, damage) in damages {
            for (way_name, way_out) in ways_out {
                let digest = store.put(b"precious").unwrap();
                damage(&store.file_of(&digest, false));
                assert!(!way_out(&store, &digest), "{damage_name} by {way_name}");
                assert_eq!(store.quarantined(), [digest], "{damage_name} by {way_name}");
                assert!(!way_out(&store, &digest));
                assert_eq!(store.quarantined(), [], "only once");
            }
        }
    });
}

#[test]
fn damage_that_no_stat_shows_is_noticed_by_reading() {
    for_each_function(|store| {
        let digest = store.put(b"precious").unwrap();
        flip_byte_silently(&store.file_of(&digest, false));
        assert!(store.contains(&digest), "by design: a stat is all that is promised");
        assert_eq!(store.get(&digest).unwrap(), None);
        let found = store.take_quarantined();
        assert_eq!(found.len(), 1);
        assert_eq!(fs::read(&found[0].path).unwrap(), b"qrecious");
        assert_eq!(store.put(b"precious").unwrap(), digest);
        assert_eq!(store.get(&digest).unwrap().as_deref(), Some(&b"precious"[..]));
    });
}

#[test]
fn one_sound_file_is_enough() {
    let store = blake3_store();
    let digest = store.put(b"precious").unwrap();
    store.blob_path(&digest, true).unwrap().unwrap();
    flip_byte(&store.file_of(&digest, false));
    assert_eq!(store.get(&digest).unwrap().as_deref(), Some(&b"precious"[..]));
    assert_eq!(store.quarantined(), [digest]);
    assert_eq!(mode(&store.blob_path(&digest, false).unwrap().unwrap()), 0o444);
}

#[test]
fn a_blob_that_was_only_touched_is_stamped_again() {
    for_each_function(|store| {
        let digest = store.put(b"precious").unwrap();
        let path = store.file_of(&digest, false);
        chmod(&path, 0o600);
        fs::File::open(&path).unwrap().set_modified(SystemTime::now()).unwrap();
        assert!(store.contains(&digest));
        assert_eq!((mode(&path), mtime(&path)), (0o444, fixed_time()));
        assert_eq!(store.quarantined(), []);
    });
}

#[test]
fn a_wrong_size_is_not_the_blob_s_fault() {
    for_each_function(|store| {
        let digest = store.put(b"precious").unwrap();
        let wrong = Digest::new(store.function(), *digest.hash(), digest.size() + 1);
        assert!(!store.contains(&wrong));
        assert_eq!(store.get(&wrong).unwrap(), None);
        assert_eq!(store.blob_path(&wrong, true).unwrap(), None);
        assert_eq!(store.quarantined(), []);
        assert!(store.contains(&digest));
    });
}

#[test]
fn only_regular_files_are_put() {
    let store = blake3_store();
    let dir = store.folder("in");
    mkfifo(&dir.join("fifo"));
    for path in [dir.clone(), dir.join("fifo"), "/dev/null".into()] {
        let error = store.put_file(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot store `{}`", path.display()));
    }
}

#[test]
fn an_unprivileged_owner_notices_the_same() {
    as_nobody(|home| {
        let store = DiskStore::open(&home.join("store"), DigestFunction::Blake3).unwrap();
        let digest = store.put(b"precious").unwrap();
        let path = store.layout().blob(&digest, false);
        let error = fs::write(&path, "overwritten").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        chmod(&path, 0o000);
        assert!(!store.contains(&digest), "unreadable");
        assert_eq!(store.take_quarantined().len(), 1);
        store.put(b"precious").unwrap();
        flip_byte(&path);
        assert_eq!(store.get(&digest).unwrap(), None);
        assert_eq!(store.take_quarantined().len(), 1);
    });
}

pub(super) fn mkfifo(path: &Path) {
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
}
