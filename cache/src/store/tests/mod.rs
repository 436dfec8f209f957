//! Tests of the store as a whole, one file per subject, and the functions that they share.

mod actions;
mod blobs;
mod collect;
mod exports;
mod ingests;
mod materialised;
mod private;
mod processes;
mod trees;
mod verify;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, Mode};
use rustix::process::{Gid, Uid};

use super::{ContentStore, DiskStore, FIXED_MTIME};
use crate::digest::{Digest, DigestFunction};
use crate::tree::{Entry, Tree};

/// A store in a folder that is removed when the test is over.
struct TestStore {
    store: DiskStore,
    dir: tempfile::TempDir,
}

impl std::ops::Deref for TestStore {
    type Target = DiskStore;

    fn deref(&self) -> &DiskStore {
        &self.store
    }
}

impl TestStore {
    fn new(function: DigestFunction) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = DiskStore::open(&dir.path().join("store"), function).unwrap();
        Self { store, dir }
    }

    /// Opens the same store again as another process would: the two share nothing in memory.
    fn reopen(&self) -> DiskStore {
        DiskStore::open(self.root(), self.function()).unwrap()
    }

    /// Returns a folder beside the store.
    fn folder(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Returns the path of the blob's file on disk.
    fn file_of(&self, digest: &Digest, executable: bool) -> PathBuf {
        self.layout().blob(digest, executable)
    }

    fn put_tree_of(&self, files: &[(&str, &str)]) -> Digest {
        let mut tree = Tree::default();
        for (path, content) in files {
            tree.insert(path, self.put_entry(content, false)).unwrap();
        }
        self.put_tree(&tree).unwrap()
    }

    fn put_entry(&self, content: &str, executable: bool) -> Entry {
        Entry::File { digest: self.put(content.as_bytes()).unwrap(), executable }
    }

    fn quarantined(&self) -> Vec<Digest> {
        self.take_quarantined().into_iter().map(|found| found.digest).collect()
    }
}

fn for_each_function(test: impl Fn(TestStore)) {
    for function in DigestFunction::ALL {
        test(TestStore::new(function));
    }
}

fn blake3_store() -> TestStore {
    TestStore::new(DigestFunction::Blake3)
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn mtime(path: &Path) -> SystemTime {
    fs::symlink_metadata(path).unwrap().modified().unwrap()
}

fn fixed_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(FIXED_MTIME.cast_unsigned())
}

/// Overwrites one byte of a stored file in place, as a faulty program might. Size and mode stay the same.
fn flip_byte(path: &Path) {
    let mode = mode(path);
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    chmod(path, 0o644);
    fs::write(path, bytes).unwrap();
    chmod(path, mode);
}

/// Overwrites one byte and hides it, as a failing disk would.
fn flip_byte_silently(path: &Path) {
    flip_byte(path);
    restore_time(path);
}

fn restore_time(path: &Path) {
    fs::File::open(path).unwrap().set_modified(fixed_time()).unwrap();
}

const NOBODY: u32 = 65534;

/// Runs a test as an unprivileged user, on a thread of its own, with a folder of that user. Only
/// this thread is unprivileged; the threads of a pool are not.
pub(super) fn as_nobody(test: impl FnOnce(&Path) + Send) {
    let dir = tempfile::tempdir().unwrap();
    chmod(dir.path(), 0o755);
    let path = dir.path().join("home");
    fs::create_dir(&path).unwrap();
    let run = || {
        if rustix::process::geteuid().is_root() {
            rustix::fs::chown(&path, Some(Uid::from_raw(NOBODY)), Some(Gid::from_raw(NOBODY)))
                .unwrap();
            let nobody = Uid::from_raw(NOBODY);
            // The saved user id stays that of root, for `as_root`.
            rustix::thread::set_thread_res_uid(nobody, nobody, None).unwrap();
        }
        assert!(!rustix::process::geteuid().is_root());
        test(&path);
    };
    let result = std::thread::scope(|scope| scope.spawn(run).join());
    super::remove_tree(&path).unwrap();
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// Does something as root within [`as_nobody`]. Returns `false`, and does nothing, if the tests were not started by root.
pub(super) fn as_root(action: impl FnOnce()) -> bool {
    if rustix::thread::set_thread_res_uid(None, Uid::ROOT, None).is_err() {
        return false;
    }
    action();
    rustix::thread::set_thread_res_uid(None, Uid::from_raw(NOBODY), None).unwrap();
    true
}
