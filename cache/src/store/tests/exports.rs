//! Tests of exports to the user's folders.

use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::store::StoreExportError;

#[test]
fn a_file_is_the_user_s_own() {
    for_each_function(|store| {
        let digest = store.put(b"#!").unwrap();
        for (executable, expected) in [(false, 0o644), (true, 0o755)] {
            let to = store.folder("dist").join(format!("new/{executable}"));
            assert!(store.export_file(&digest, executable, &to).unwrap());
            assert_eq!(fs::read(&to).unwrap(), b"#!");
            assert_eq!(mode(&to) & 0o700, expected & 0o700);
            assert_eq!(mode(&to) & !expected, 0, "less the umask, never more");
            assert!(mtime(&to).elapsed().unwrap() < Duration::from_secs(60));
            assert_eq!(fs::metadata(&to).unwrap().nlink(), 1);
            fs::write(&to, "overwritten").unwrap();
            assert_eq!(store.get(&digest).unwrap().as_deref(), Some(&b"#!"[..]));
        }
    });
}

#[test]
fn what_is_the_same_already_is_left_alone() {
    let store = blake3_store();
    let digest = store.put(b"content").unwrap();
    let to = store.folder("dist").join("file");
    assert!(store.export_file(&digest, false, &to).unwrap());
    restore_time(&to);
    assert!(!store.export_file(&digest, false, &to).unwrap());
    assert_eq!(mtime(&to), fixed_time());
    assert!(store.export_file(&digest, true, &to).unwrap(), "another mode");
}

#[test]
fn what_differs_is_replaced() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("flipped", flip_byte),
        ("longer", |to| fs::write(to, "content and more").unwrap()),
        ("mode", |to| chmod(to, 0o444)),
        ("removed", |to| fs::remove_file(to).unwrap()),
        ("link", |to| {
            fs::rename(to, to.with_extension("moved")).unwrap();
            symlink(to.with_extension("moved"), to).unwrap();
        }),
        ("hardlink", |to| fs::hard_link(to, to.with_extension("second")).unwrap()),
    ];
    let store = blake3_store();
    let digest = store.put(b"content").unwrap();
    for (name, change) in changes {
        let to = store.folder(name).join("file");
        store.export_file(&digest, false, &to).unwrap();
        change(&to);
        assert!(store.export_file(&digest, false, &to).unwrap(), "{name}");
        assert!(to.symlink_metadata().unwrap().is_file(), "{name}");
        assert_eq!(fs::read(&to).unwrap(), b"content", "{name}");
        assert_eq!(fs::metadata(&to).unwrap().nlink(), 1, "{name}");
    }
}

#[test]
fn damaged_bytes_never_get_out() {
    for_each_function(|store| {
        let digest = store.put(b"content").unwrap();
        let dist = store.folder("dist");
        fs::write(dist.join("file"), "old").unwrap();
        flip_byte_silently(&store.file_of(&digest, false));
        match store.export_file(&digest, false, &dist.join("file")).unwrap_err() {
            StoreExportError::Missing(missing) => assert_eq!(missing, digest),
            other => panic!("{other}"),
        }
        assert_eq!(store.quarantined(), [digest]);
        assert_eq!(fs::read(dist.join("file")).unwrap(), b"old");
        assert_eq!(fs::read_dir(&dist).unwrap().count(), 1, "no temporary file is left");
    });
}

#[test]
fn a_target_that_can_t_be_written_is_named() {
    let store = blake3_store();
    let digest = store.put(b"content").unwrap();
    let dist = store.folder("dist");
    fs::write(dist.join("file"), "").unwrap();
    let error = store.export_file(&digest, false, &dist.join("file/below")).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot create `{}`", dist.join("file").display()));
    fs::create_dir_all(dist.join("folder/full")).unwrap();
    let error = store.export_file(&digest, false, &dist.join("folder")).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot replace `{}`", dist.join("folder").display()));
    assert_eq!(fs::read_dir(&dist).unwrap().count(), 2);
}
