//! Tests that other users can't reach what actions have written, and that a FIFO instead of one of the store's own
//! files never makes the store wait.

use super::*;

/// Tells if another user can reach a path. Nobody else may reach a program that runs with its owner's rights.
fn is_reachable(path: &Path) -> bool {
    let mut reachable = false;
    let check = || {
        if rustix::process::geteuid().is_root() {
            let nobody = Uid::from_raw(NOBODY);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
        reachable = fs::symlink_metadata(path).is_ok();
    };
    std::thread::scope(|scope| scope.spawn(check).join().unwrap());
    reachable
}

#[test]
fn only_the_owner_enters_what_holds_what_actions_wrote() {
    let store = blake3_store();
    chmod(store.dir.path(), 0o755);
    let scratch = store.scratch().unwrap();
    let out = scratch.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("program"), "").unwrap();
    chmod(&out.join("program"), 0o4755);
    let session = scratch.path().parent().unwrap().to_owned();
    for folder in [scratch.path(), &session, &store.layout().quarantine(), &store.layout().kept()] {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    let is_root = rustix::process::geteuid().is_root();
    assert!(!is_root || !is_reachable(&out.join("program")));
    let kept = scratch.keep().unwrap();
    assert_eq!((mode(&kept), mode(&kept.join("out/program"))), (0o700, 0o4755));
    assert!(!is_root || !is_reachable(&kept.join("out/program")));
    // Other users may reach trees, because the store has made everything in them.
    let tree = store.put_tree_of(&[("a", "a")]);
    assert!(is_reachable(&store.materialise(&tree).unwrap().join("a")));
}

#[test]
fn a_fifo_in_the_place_of_a_file_of_the_store_is_an_error_at_once() {
    for name in ["format", "id"] {
        let store = blake3_store();
        let path = store.root().join(name);
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let error = DiskStore::open(store.root(), store.function()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read `{}`", path.display()));
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "it is a FIFO and not a regular file");
    }
}

#[test]
fn a_fifo_in_the_place_of_a_lock_is_swept() {
    let store = blake3_store();
    let dead = |pid| format!("{pid}-0123456789abcdef0123456789abcdef.lock");
    let path = store.layout().tmp().join(dead(1));
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    std::os::unix::fs::symlink("/dev/null", store.layout().tmp().join(dead(2))).unwrap();
    store.sweep().unwrap();
    assert_eq!(fs::read_dir(store.layout().tmp()).unwrap().count(), 2, "our own session");
}
