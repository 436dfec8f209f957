//! Compares the content-addressed store with `cp`: the same files are put in and taken out.
//!
//! `cargo bench -p run --bench store`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod measure;

use std::path::Path;
use std::process::Command;

use cache::{DigestFunction, DiskStore, Entry};

fn main() {
    let root =
        tempfile::Builder::new().prefix("run-bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let root = root.expect("the target folder is writable");
    for (title, count, size) in
        [("2000 files of 16 KiB", 2000, 16 << 10), ("one file of 256 MiB", 1, 256 << 20)]
    {
        let folder = root.path().join("files");
        write(&folder, count, size);
        put(title, root.path(), &folder);
        get(title, root.path(), &folder);
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
}

fn put(title: &str, root: &Path, folder: &Path) {
    measure::compare(
        &format!("put {title}, nothing known, against cp -r"),
        7,
        ("store.ingest", || {
            let fresh = root.join("store");
            let store = DiskStore::open(&fresh, DigestFunction::Blake3).expect("it can be made");
            store.ingest(folder).expect("plain files");
            drop(store);
            cache::remove_tree(&fresh).expect("it is ours");
        }),
        ("cp -r", || copy(folder, &root.join("copy"))),
    );
}

fn get(title: &str, root: &Path, folder: &Path) {
    let place = root.join("store");
    let store = DiskStore::open(&place, DigestFunction::Blake3).expect("it can be made");
    let tree = store.ingest(folder).expect("plain files");
    let tree = store.tree(&tree).expect("it can be read").expect("it is there");
    measure::compare(
        &format!("get {title}, verified, against cp -r"),
        7,
        ("store.export_file", || {
            let out = root.join("out");
            for (name, entry) in &tree.entries {
                let Entry::File { digest, executable } = entry else { continue };
                store.export_file(digest, *executable, &out.join(name)).expect("it is there");
            }
            std::fs::remove_dir_all(&out).expect("it is ours");
        }),
        ("cp -r", || copy(folder, &root.join("copy"))),
    );
    drop(store);
    cache::remove_tree(&place).expect("it is ours");
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status().expect("cp is there");
    assert!(status.success());
    std::fs::remove_dir_all(to).expect("it is ours");
}

/// Writes files of different content.
fn write(folder: &Path, count: usize, size: usize) {
    std::fs::create_dir_all(folder).expect("the target folder is writable");
    let mut state = 88_172_645_463_325_252_u64;
    let mut bytes = vec![0; size];
    for index in 0..count {
        for chunk in bytes.chunks_mut(8) {
            // Xorshift is not random, but it never gives the same number twice here.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
        }
        std::fs::write(folder.join(index.to_string()), &bytes).expect("there is room");
    }
}
