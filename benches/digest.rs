//! Compares hashing with `b3sum`, the program of the reference implementation.
//!
//! `cargo bench -p run --bench digest`. Needs `b3sum` (Debian package of that name).

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod measure;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cache::{DigestFunction, digest_file};
use rayon::prelude::*;

fn main() {
    let root =
        tempfile::Builder::new().prefix("run-bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let root = root.expect("the target folder is writable");
    for (title, count, size) in
        [("one file of 512 MiB", 1, 512 << 20), ("4000 files of 32 KiB", 4000, 32 << 10)]
    {
        let files = write(root.path(), count, size);
        measure::compare(
            &format!("digest of {title}"),
            11,
            ("cache::digest_file", || {
                files.par_iter().for_each(|file| {
                    digest_file(DigestFunction::Blake3, file).expect("the file is there");
                });
            }),
            ("b3sum", || b3sum(&files)),
        );
    }
}

fn b3sum(files: &[PathBuf]) {
    let status = Command::new("b3sum").args(files).stdout(Stdio::null()).status();
    assert!(status.expect("install b3sum").success());
}

fn write(folder: &Path, count: usize, size: usize) -> Vec<PathBuf> {
    (0..count)
        .map(|index| {
            let path = folder.join(format!("{size}-{index}"));
            let byte = u8::try_from(index % 251).expect("less than 251");
            std::fs::write(&path, vec![byte; size]).expect("there is room");
            path
        })
        .collect()
}
