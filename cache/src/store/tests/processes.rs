//! Tests of opening a store, and of many threads and processes that use one store.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::store::StoreError;

#[test]
fn opening_creates_and_finds_the_same_store() {
    let store = blake3_store();
    let again = store.reopen();
    assert_eq!(store.id().len(), 32);
    assert_eq!(again.id(), store.id());
    assert_ne!(blake3_store().id(), store.id());
    assert!(again.root().is_absolute());
}

#[test]
fn openers_at_once_agree() {
    let dir = tempfile::tempdir().unwrap();
    let open = || DiskStore::open(dir.path(), DigestFunction::Blake3).unwrap().id().to_owned();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn another_format_is_refused() {
    let store = blake3_store();
    fs::write(store.root().join("format"), "run store 99\n").unwrap();
    let error = DiskStore::open(store.root(), DigestFunction::Blake3).unwrap_err();
    let root = store.root().display();
    assert_eq!(
        error.to_string(),
        format!(
            "the store at `{root}` has the format `run store 99`, this version reads `run store 1`"
        ),
    );
}

#[test]
fn a_root_that_can_t_be_written_is_named() {
    let check = |root: &Path| {
        let error = DiskStore::open(root, DigestFunction::Blake3).unwrap_err();
        assert!(matches!(error, StoreError::NotWritable { .. }), "{error}");
        let message = format!("cannot write to the store at `{}`", root.display());
        assert_eq!(error.to_string(), message);
    };
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    check(&dir.path().join("file/store"));
    as_nobody(|home| {
        let root = home.join("store");
        drop(DiskStore::open(&root, DigestFunction::Blake3).unwrap());
        chmod(&root.join("tmp"), 0o555);
        check(&root);
        chmod(home, 0o555);
        check(&home.join("other"));
    });
}

#[test]
fn scratch_folders_are_private_and_go_in_the_background() {
    let store = blake3_store();
    let (one, two) = (store.scratch().unwrap(), store.scratch().unwrap());
    assert_ne!(one.path(), two.path());
    fs::create_dir(one.path().join("closed")).unwrap();
    fs::write(one.path().join("closed/file"), "x").unwrap();
    chmod(&one.path().join("closed"), 0o000);
    let (gone, kept) = (one.path().to_owned(), two.path().to_owned());
    fs::write(kept.join("file"), "look at me").unwrap();
    drop(one);
    let kept_at = two.keep().unwrap();
    wait_until(|| !gone.exists());
    assert!(!kept.exists());
    store.sweep().unwrap();
    assert_eq!(fs::read_to_string(kept_at.join("file")).unwrap(), "look at me");
}

#[test]
fn a_closed_store_leaves_nothing_in_tmp() {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path(), DigestFunction::Blake3).unwrap();
    let scratch = store.scratch().unwrap();
    fs::write(scratch.path().join("file"), "x").unwrap();
    drop(store);
    assert!(scratch.path().exists(), "the folder holds the store");
    drop(scratch);
    wait_until(|| fs::read_dir(dir.path().join("tmp")).unwrap().count() == 0);
}

const ROUNDS: usize = 12;

/// Does everything that a build does to a store, with content that other processes produce at the same time.
fn work(store: &DiskStore, round: usize) -> PathBuf {
    let mut tree = Tree::default();
    for i in 0..30 {
        // Every third file is the same in all rounds.
        let content = if i % 3 == 0 { format!("{i}") } else { format!("{round} {i}") };
        let digest = store.put(content.as_bytes()).unwrap();
        let entry = Entry::File { digest, executable: i % 2 == 0 };
        tree.insert(&format!("{}/{i}", i % 4), entry).unwrap();
    }
    let large = vec![u8::try_from(round).unwrap(); 2 << 20];
    let mut writer = store.writer(false).unwrap();
    writer.write_all(&large).unwrap();
    let entry = Entry::File { digest: writer.finish().unwrap(), executable: false };
    tree.insert("large", entry).unwrap();
    let root = store.put_tree(&tree).unwrap();
    let path = store.materialise(&root).unwrap();
    let scratch = store.scratch().unwrap();
    fs::write(scratch.path().join("output"), &large).unwrap();
    store.ingest(scratch.path()).unwrap();
    let key = Digest::of(store.function(), &[u8::try_from(round).unwrap()]);
    store.put_action_result(&key, &crate::reapi::ActionResult::default()).unwrap();
    assert!(store.action_result(&key).is_some());
    path
}

#[test]
fn many_threads_do_the_same_at_once() {
    for_each_function(|store| {
        let stores = [store.store.clone(), store.reopen()];
        let run = |store: &DiskStore| (0..ROUNDS).map(|round| work(store, round)).collect();
        let paths: Vec<Vec<PathBuf>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                stores.iter().cycle().take(6).map(|store| scope.spawn(|| run(store))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(paths.iter().all(|other| *other == paths[0]));
        assert_eq!(store.quarantined(), []);
        assert_sound(&store);
    });
}

/// A worker of the pool must not wait for another worker's tree, because that one may be waiting for this worker.
#[test]
fn workers_of_one_pool_may_materialise_the_same_trees() {
    use rayon::prelude::*;
    let store = blake3_store();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().unwrap();
    let trees: Vec<Digest> = (0..5)
        .map(|tree| {
            let files: Vec<(String, String)> =
                (0..100).map(|i| (format!("{}/{i}", i % 50), format!("{tree} {i}"))).collect();
            let files = files.iter().map(|(path, content)| (path.as_str(), content.as_str()));
            store.put_tree_of(&files.collect::<Vec<_>>())
        })
        .collect();
    for _ in 0..3 {
        let store = store.reopen();
        for tree in &trees {
            fs::remove_dir_all(store.layout().tree(tree)).ok();
        }
        let materialise = |i: usize| store.materialise(&trees[i % trees.len()]).unwrap();
        pool.install(|| (0..200).into_par_iter().for_each(|i| drop(materialise(i))));
    }
    assert_sound(&store);
}

#[test]
fn many_processes_do_the_same_at_once() {
    let store = blake3_store();
    let children: Vec<Child> = (0..3).map(|_| spawn(this_program(), &store, ROUNDS)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_sound(&store);
    store.sweep().unwrap();
    assert_eq!(tmp_names(&store).len(), 2, "this test's own session and its lock");
}

#[test]
fn kill_9_leaves_temporary_files_only() {
    let store = blake3_store();
    for i in 0..25 {
        let mut child = spawn(this_program(), &store, usize::MAX);
        std::thread::sleep(Duration::from_millis(5 + 7 * (i % 12)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_sound(&store);
    }
    assert!(tmp_names(&store).len() > 2, "some process was killed at work");
    store.sweep().unwrap();
    assert_eq!(tmp_names(&store).len(), 2);
    (0..ROUNDS).for_each(|round| drop(work(&store, round)));
    assert_eq!(store.quarantined(), []);
}

fn tmp_names(store: &DiskStore) -> Vec<PathBuf> {
    let entries = fs::read_dir(store.layout().tmp()).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Checks that every blob has the bytes that its name promises, and the marks of a stored file.
fn assert_sound(store: &TestStore) {
    for folder in fs::read_dir(store.root().join("cas").join(store.function().name())).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let digest = crate::digest_file(store.function(), &path).unwrap();
            let executable = path.extension().is_some();
            assert_eq!(store.file_of(&digest, executable), path);
            let expected = if executable { 0o555 } else { 0o444 };
            assert_eq!((mode(&path), mtime(&path)), (expected, fixed_time()), "{path:?}");
        }
    }
}

/// Does the whole work without privileges. This takes a process of its own, as the threads of a pool would keep their
/// privileges.
#[test]
fn an_unprivileged_process_does_the_same() {
    let store = blake3_store();
    let program = store.dir.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    chmod(store.dir.path(), 0o777);
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let theirs = store.dir.path().join("theirs");
    assert!(spawn_at(command, &theirs, ROUNDS).wait().unwrap().success());
    let paths: Vec<PathBuf> = (0..ROUNDS).map(|round| work(&store, round)).collect();
    for path in paths {
        let theirs = theirs.join(path.strip_prefix(store.root()).unwrap());
        assert_eq!((mode(&theirs), mtime(&theirs)), (0o755, fixed_time()));
        assert_eq!(fs::read(theirs.join("0/0")).unwrap(), fs::read(path.join("0/0")).unwrap());
        assert_eq!((mode(&theirs.join("0/0")), mode(&theirs.join("large"))), (0o555, 0o444));
    }
}

fn this_program() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

fn spawn(program: Command, store: &DiskStore, rounds: usize) -> Child {
    spawn_at(program, store.root(), rounds)
}

fn spawn_at(mut program: Command, root: &Path, rounds: usize) -> Child {
    program.args(["--exact", "store::tests::processes::child", "--ignored"]);
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let order = format!("{rounds} {}", root.display());
    child.stdin.take().unwrap().write_all(order.as_bytes()).unwrap();
    child
}

/// Plays the other process of the tests above, and is not a test by itself. It reads from standard input what it has to
/// do.
#[test]
#[ignore = "started by other tests"]
fn child() {
    let mut order = String::new();
    std::io::stdin().read_to_string(&mut order).unwrap();
    let (rounds, root) = order.split_once(' ').expect("started by another test");
    let store = DiskStore::open(Path::new(root), DigestFunction::Blake3).unwrap();
    for round in 0..rounds.parse().unwrap() {
        work(&store, round % 200);
    }
    assert_eq!(store.take_quarantined(), []);
}

fn wait_until(condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}
