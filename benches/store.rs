//! The content-addressed store against `cp`: the same files in and out.
//!
//! `cargo bench -p run --bench store`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod measure;

use std::path::Path;
use std::process::Command;

use cache::{DigestFunction, DiskStore};

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
    measure::compare(
        &format!("get {title}, verified, against cp -r"),
        7,
        ("store.export_tree", || {
            let out = root.join("out");
            store.export_tree(&tree, &out).expect("all blobs are there");
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

/// Files of different content.
fn write(folder: &Path, count: usize, size: usize) {
    std::fs::create_dir_all(folder).expect("the target folder is writable");
    let mut state = 88_172_645_463_325_252_u64;
    let mut bytes = vec![0; size];
    for index in 0..count {
        for chunk in bytes.chunks_mut(8) {
            // Xorshift: not random, but never the same twice.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
        }
        std::fs::write(folder.join(index.to_string()), &bytes).expect("there is room");
    }
}
