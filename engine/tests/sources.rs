//! Stories of source files, which are read when they have changed and only then.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cache::{Digest, Entry};
use engine::{Artifact, BuiltinContext, Graph, Input, Source, SourceFile, State};

use crate::harness::{Workspace, builtin, files_of};

crate::tests![
    the_tree_has_contents_names_and_executable_bits_only,
    a_file_is_read_again_only_if_its_stat_changed,
    a_write_that_no_stat_shows_is_noticed,
    edits_within_one_second_are_noticed_on_file_systems_that_count_in_seconds,
    edits_below_a_read_only_mount_are_noticed,
    a_single_mounted_file_has_the_clock_of_its_own_file_system,
    many_files_give_the_same_tree,
    what_cannot_be_a_source,
    symlinks_are_followed_but_not_out_of_their_folder,
    an_edit_behind_a_symlink_is_noticed,
    a_lost_source_is_taken_from_the_checkout_again,
    an_edit_during_the_build_is_not_seen_by_it,
    a_source_that_changed_meanwhile_is_an_error,
    a_single_file_is_followed_through_a_symlink,
    of_many_single_files_each_has_its_own_result,
];

/// Waits until the stats of files can be trusted.
fn settle() {
    std::thread::sleep(Duration::from_millis(30));
}

fn tree_of(workspace: &Workspace, state: &mut State) -> Digest {
    state.sources().tree(&files_of(&workspace.path("src"))).unwrap()
}

fn the_tree_has_contents_names_and_executable_bits_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let workspace = Workspace::new();
    let mut state = workspace.state();
    let file = workspace.write("src/d/a.txt", "a");
    workspace.write("src/b.txt", "b");
    let first = tree_of(&workspace, &mut state);
    let tree = workspace.store.tree(&first).unwrap().unwrap();
    let digest = Digest::of(workspace.store.function(), b"a");
    assert_eq!(tree.get("d/a.txt"), Some(&Entry::File { digest, executable: false }));
    let mut check = |change: &dyn Fn(), same: bool| {
        change();
        assert_eq!(tree_of(&workspace, &mut state) == first, same);
    };
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    check(&|| mode(0o600), true);
    check(&|| fs::write(&file, "a").unwrap(), true);
    check(&|| mode(0o700), false);
    check(&|| mode(0o644), true);
    check(&|| fs::write(&file, "A").unwrap(), false);
    check(&|| fs::rename(&file, workspace.path("src/d/c.txt")).unwrap(), false);
}

fn a_file_is_read_again_only_if_its_stat_changed() {
    let workspace = Workspace::new();
    workspace.write("src/a.txt", "a");
    let b = workspace.write("src/b.txt", "b");
    settle();
    let mut state = workspace.state();
    let first = tree_of(&workspace, &mut state);
    state.save().unwrap();
    // If `a` were read, it would be put into the store again.
    let a = Digest::of(workspace.store.function(), b"a");
    workspace.lose(&a);
    fs::write(&b, "B").unwrap();
    let mut state = workspace.state();
    let second = tree_of(&workspace, &mut state);
    assert_ne!(first, second);
    assert!(!workspace.store.contains(&a), "an unchanged file is not read");
    assert!(workspace.store.contains(&Digest::of(workspace.store.function(), b"B")));
}

fn a_write_that_no_stat_shows_is_noticed() {
    let workspace = Workspace::new();
    let mut seen = Vec::new();
    let mut state = workspace.state();
    // The writes follow each other as fast as possible, so that many of them are in one tick of the clock.
    for round in 0..300 {
        workspace.write("src/a.txt", &format!("{round:03}"));
        seen.push(tree_of(&workspace, &mut state));
        if round % 10 == 0 {
            state.save().unwrap();
            state = workspace.state();
        }
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "each content has a tree of its own");
}

/// A file system whose time stamps are whole seconds, mounted on a folder of the workspace.
struct Coarse {
    mounts: Vec<PathBuf>,
}

impl Coarse {
    /// Makes a file system with inodes of 128 bytes, which have no space for fractions of a second.
    fn new(workspace: &Workspace, at: &str) -> Self {
        let image = workspace.path("coarse.img");
        fs::File::create(&image).unwrap().set_len(4 << 20).unwrap();
        command("mke2fs", &["-q", "-F", "-t", "ext4", "-I", "128"], &[&image]);
        let mut this = Self { mounts: Vec::new() };
        this.mount(workspace.path(at), &["-o", "loop"], &[&image]);
        let probe = workspace.write(&format!("{at}/probe"), "");
        assert_eq!(fs::metadata(probe).unwrap().ctime_nsec(), 0, "its stamps are not coarse");
        this
    }

    fn mount(&mut self, at: PathBuf, options: &[&str], from: &[&Path]) {
        if !at.exists() {
            fs::create_dir(&at).unwrap();
        }
        command("mount", options, &[from, &[&at]].concat());
        self.mounts.push(at);
    }
}

impl Drop for Coarse {
    fn drop(&mut self) {
        while let Some(mount) = self.mounts.pop() {
            _ = Command::new("umount").arg(mount).status();
        }
    }
}

#[track_caller]
fn command(program: &str, options: &[&str], paths: &[&Path]) {
    let output = Command::new(program).args(options).args(paths).output();
    let output = output.unwrap_or_else(|error| panic!("install `{program}`: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "this test mounts, so it has to be root: {program}: {told}");
}

/// Edits a file through the path `written` and reads it as `src/a.txt`, 20 times within a second or two.
fn check_each_edit_is_seen(workspace: &Workspace, written: &str) {
    let mut seen = Vec::new();
    for round in 0..20 {
        workspace.write(written, &format!("{round:03}"));
        let mut state = workspace.state();
        seen.push(tree_of(workspace, &mut state));
        state.save().unwrap();
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "each content has a tree of its own");
}

fn edits_within_one_second_are_noticed_on_file_systems_that_count_in_seconds() {
    let workspace = Workspace::new();
    let _coarse = Coarse::new(&workspace, "src");
    fs::remove_dir(workspace.path("src/lost+found")).unwrap();
    check_each_edit_is_seen(&workspace, "src/a.txt");
    // The stat is trusted all the same after the clock has ticked.
    std::thread::sleep(Duration::from_millis(3100));
    let mut state = workspace.state();
    let tree = tree_of(&workspace, &mut state);
    state.save().unwrap();
    workspace.lose(&Digest::of(workspace.store.function(), b"019"));
    assert_eq!(tree_of(&workspace, &mut workspace.state()), tree);
    assert!(!workspace.store.contains(&Digest::of(workspace.store.function(), b"019")), "not read");
}

fn edits_below_a_read_only_mount_are_noticed() {
    let workspace = Workspace::new();
    let mut coarse = Coarse::new(&workspace, "real");
    fs::remove_dir(workspace.path("real/lost+found")).unwrap();
    coarse.mount(workspace.path("src"), &["--bind"], &[&workspace.path("real")]);
    command("mount", &["-o", "remount,bind,ro"], &[&workspace.path("src")]);
    assert!(fs::write(workspace.path("src/b.txt"), "").is_err());
    check_each_edit_is_seen(&workspace, "real/a.txt");
}

fn a_single_mounted_file_has_the_clock_of_its_own_file_system() {
    let workspace = Workspace::new();
    let mut coarse = Coarse::new(&workspace, "real");
    let (real, file) = (workspace.write("real/a.txt", ""), workspace.write("src/a.txt", ""));
    coarse.mount(file, &["--bind"], &[&real]);
    check_each_edit_is_seen(&workspace, "real/a.txt");
}

fn many_files_give_the_same_tree() {
    let workspace = Workspace::new();
    for at in 0..600 {
        workspace.write(&format!("src/{}/{at}.txt", at % 7), &at.to_string());
    }
    settle();
    let mut files = files_of(&workspace.path("src"));
    let mut state = workspace.state();
    let first = state.sources().tree(&files).unwrap();
    state.save().unwrap();
    files.reverse();
    let mut state = workspace.state();
    assert_eq!(state.sources().tree(&files).unwrap(), first);
    workspace.store.materialise(&first).unwrap();
}

fn what_cannot_be_a_source() {
    let workspace = Workspace::new();
    let folder = workspace.path("src");
    fs::create_dir(&folder).unwrap();
    let check = |path: &str, expect: &str| {
        let file = SourceFile { path: path.to_owned(), file: folder.join(path) };
        let error = workspace.state().sources().tree(&[file]).unwrap_err();
        assert_eq!(error.to_string().replace(folder.to_str().unwrap(), ""), expect);
    };
    let link = |to: &str, path: &str| {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(to, folder.join(path)).unwrap();
    };
    check("missing", "can't read `/missing`");
    fs::create_dir(folder.join("folder")).unwrap();
    check("folder", "`/folder` is not a file");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    check("pipe", "`/pipe` is not a file");
    link("nowhere", "dangling");
    check("dangling", "can't read `/dangling`");
    link("folder", "to-a-folder");
    check("to-a-folder", "`/to-a-folder` is not a file");
    let twice = SourceFile { path: "a".to_owned(), file: workspace.write("src/a", "") };
    let error = workspace.state().sources().tree(&[twice.clone(), twice]).unwrap_err();
    assert_eq!(error.to_string(), "can't put the source files into one tree");
}

fn symlinks_are_followed_but_not_out_of_their_folder() {
    let workspace = Workspace::new();
    workspace.write("src/common/a.txt", "a");
    workspace.write("secret", "s");
    let folder = workspace.path("src").canonicalize().unwrap();
    fs::create_dir_all(folder.join("d")).unwrap();
    let check = |to: &str, path: &str, expect: Result<(), &str>| {
        std::os::unix::fs::symlink(to, folder.join(path)).unwrap();
        let file = SourceFile { path: path.to_owned(), file: folder.join(path) };
        let mut state = workspace.state();
        let tree = state.sources().tree_with(&[file], cache::Tree::default(), &folder);
        match (tree, expect) {
            (Ok(tree), Ok(())) => {
                let tree = workspace.store.tree(&tree).unwrap().unwrap();
                let digest = Digest::of(workspace.store.function(), b"a");
                assert_eq!(tree.get(path), Some(&Entry::File { digest, executable: false }));
            }
            (Err(error), Err(expect)) => assert!(error.to_string().ends_with(expect), "{error}"),
            (tree, _) => panic!("{path}: {tree:?}"),
        }
    };
    check("../common/a.txt", "d/link", Ok(()));
    check("link", "d/link-to-a-link", Ok(()));
    check("../common", "d/folder", Err("/d/folder` is not a file"));
    check("../../secret", "d/up", Err("/secret`, outside of the project"));
    check("/etc/passwd", "absolute", Err("leads to `/etc/passwd`, outside of the project"));
    std::os::unix::fs::symlink("../..", folder.join("d/out")).unwrap();
    check("out/secret", "d/winding", Err("/secret`, outside of the project"));
}

fn an_edit_behind_a_symlink_is_noticed() {
    let workspace = Workspace::new();
    let real = workspace.write("common/a.txt", "a");
    workspace.write("common/b.txt", "b");
    workspace.write("src/other.txt", "");
    let link = workspace.path("src/link.txt");
    std::os::unix::fs::symlink("../common/a.txt", &link).unwrap();
    settle();
    let files = [SourceFile { path: "link.txt".to_owned(), file: link.clone() }];
    let tree = || {
        let mut state = workspace.state();
        let tree = state.sources().tree(&files).unwrap();
        state.save().unwrap();
        tree
    };
    let first = tree();
    assert_eq!(tree(), first);
    fs::write(&real, "A").unwrap();
    let edited = tree();
    assert_ne!(edited, first);
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("../common/b.txt", &link).unwrap();
    assert!(![first, edited].contains(&tree()));
}

fn an_edit_during_the_build_is_not_seen_by_it() {
    let workspace = Workspace::new();
    let file = workspace.write("src/a.txt", "a");
    let mut state = workspace.state();
    let source = tree_of(&workspace, &mut state);
    fs::write(&file, "edited").unwrap();
    let graph = copy(source);
    let ran = workspace.build(&graph).of(&["copy"]).run_with(&mut state);
    assert_eq!(workspace.text(ran.artifact(&graph, "copy")), "a");
    let mut state = workspace.state();
    let graph = copy(tree_of(&workspace, &mut state));
    let ran = workspace.build(&graph).of(&["copy"]).run_with(&mut state);
    assert_eq!(workspace.text(ran.artifact(&graph, "copy")), "edited");
}

/// Makes a graph with an action that copies `a.txt` of the sources.
fn copy(source: Digest) -> Graph {
    let mut graph = Graph::new();
    let copy = |cx: &BuiltinContext| {
        let text = fs::read_to_string(cx.path("src")?.join("a.txt")).unwrap();
        fs::write(cx.out()?.join("o"), text).unwrap();
        Ok(())
    };
    let input = Input::new("src", Source::Tree(source));
    builtin(&mut graph, "copy", [input], copy);
    graph
}

fn a_lost_source_is_taken_from_the_checkout_again() {
    let workspace = Workspace::new();
    workspace.write("src/a.txt", "a");
    workspace.write("src/d/b.txt", "b");
    settle();
    let mut state = workspace.state();
    let source = tree_of(&workspace, &mut state);
    state.save().unwrap();
    for lost in [source, Digest::of(workspace.store.function(), b"a")] {
        workspace.lose(&lost);
    }
    let mut state = workspace.state();
    assert_eq!(tree_of(&workspace, &mut state), source);
    let graph = copy(source);
    let ran = workspace.build(&graph).of(&["copy"]).run_with(&mut state);
    assert_eq!(ran.ends(), "copy ran");
    assert_eq!(workspace.text(ran.artifact(&graph, "copy")), "a");
}

fn a_source_that_changed_meanwhile_is_an_error() {
    let workspace = Workspace::new();
    let file = workspace.write("src/a.txt", "a");
    let mut state = workspace.state();
    let source = tree_of(&workspace, &mut state);
    fs::write(&file, "edited").unwrap();
    // After the store has lost the blob, its bytes can't be found anywhere.
    workspace.lose(&Digest::of(workspace.store.function(), b"a"));
    let ran = workspace.build(&copy(source)).of(&["copy"]).run_with(&mut state);
    assert_eq!(ran.failure(), format!("copy: `{}` was changed during the build", file.display()));
}

fn a_single_file_is_followed_through_a_symlink() {
    let workspace = Workspace::new();
    workspace.write("vendor/real.wasm", "wasm");
    let link = workspace.path("vendor/link.wasm");
    std::os::unix::fs::symlink("real.wasm", &link).unwrap();
    let mut state = workspace.state();
    let mut file = |path: &Path| state.sources().file(path, 4);
    let digest = Digest::of(workspace.store.function(), b"wasm");
    assert_eq!(file(&link).unwrap(), Artifact::File { digest, executable: false });
    assert!(file(&workspace.path("vendor")).is_err());
    assert!(file(&workspace.path("vendor/none")).is_err());
    // A file that is too long is not even read.
    let long = workspace.write("vendor/long.wasm", "longer");
    assert!(matches!(file(&long), Err(engine::SourceError::TooLong { length: 6, .. })));
}

fn of_many_single_files_each_has_its_own_result() {
    let workspace = Workspace::new();
    let name = |number: usize| format!("ready/{number}");
    let mut paths: Vec<PathBuf> =
        (0..600).map(|number| workspace.write(&name(number), &number.to_string())).collect();
    paths.insert(300, workspace.path("ready/none"));
    paths.insert(100, workspace.path("ready"));
    settle();
    let mut state = workspace.state();
    for _ in 0..2 {
        let mut taken = state.sources().files(paths.clone(), 8);
        assert!(matches!(taken.remove(100), Err(engine::SourceError::NotAFile(_))));
        assert!(matches!(taken.remove(300), Err(engine::SourceError::Read { .. })));
        for (number, taken) in taken.into_iter().enumerate() {
            let digest = Digest::of(workspace.store.function(), number.to_string().as_bytes());
            assert_eq!(taken.unwrap(), Artifact::File { digest, executable: false });
        }
        state.save().unwrap();
        state = workspace.state();
    }
}
