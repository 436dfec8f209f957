//! Stories of commands in the real sandbox. Their image has a shell and a few tools of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cache::{ContentStore, Digest, Entry, Tree};
use engine::{Action, Artifact, FailureKind, Graph, Input, Process, Source, Status};

use crate::harness::{Workspace, files_of, id, label, sh, shell};

crate::tests![
    a_command_runs_once,
    outputs_are_files_and_folders,
    standard_output_can_be_an_output,
    nothing_undeclared_is_there,
    inputs_stand_where_they_are_declared,
    a_writable_input_stays_as_it_was,
    what_a_touched_tree_gives_does_not_count,
    images_are_merged,
    a_failed_command_is_reported_and_not_cached,
    every_way_a_command_fails,
    outputs_that_cannot_be_kept,
    inputs_that_do_not_fit_together,
    a_failed_sandbox_can_be_kept,
    a_command_that_fills_the_store_found_no_room_however_it_ends,
    a_cancelled_command_is_killed,
    a_thousand_commands_leave_nothing_behind,
    the_same_command_gives_the_same_key_anywhere,
    warnings_are_shown_again,
];

/// The tools of this machine that the stories need.
const TOOLS: [&str; 11] =
    ["sh", "cat", "cp", "ls", "mkdir", "sleep", "ln", "mkfifo", "chmod", "mv", "env"];

/// Makes a toolchain image of a shell and some tools of this machine, with their libraries.
pub(crate) fn image(store: &ContentStore) -> Input {
    Input::root(Source::Tree(image_of(store, &tools())))
}

pub(crate) fn tools() -> Vec<PathBuf> {
    TOOLS.iter().map(|tool| Path::new("/usr/bin").join(tool)).collect()
}

/// Makes a tree with these programs in `usr/bin`, and with their libraries where the programs look for them.
pub(crate) fn image_of(store: &ContentStore, programs: &[PathBuf]) -> Digest {
    let mut files = BTreeMap::new();
    for program in programs {
        assert!(program.exists(), "this test needs `{}`", program.display());
        let libraries = libraries(program);
        files.extend(libraries.into_iter().map(|library| (merged(&library), library)));
        files.insert(format!("usr/bin/{}", name_of(program)), program.clone());
    }
    let mut tree = Tree::default();
    for (path, file) in files {
        let digest = store.put_file(&file).unwrap();
        tree.insert(&path, Entry::File { digest, executable: true }).unwrap();
    }
    for name in ["bin", "lib", "lib64"] {
        let target = format!("usr/{name}");
        if tree.get(&target).is_some() {
            tree.insert(name, Entry::Symlink { target }).unwrap();
        }
    }
    store.put_tree(&tree).unwrap()
}

/// Returns the file name without the hash that cargo adds to the names of test programs.
fn name_of(program: &Path) -> &str {
    program.file_name().unwrap().to_str().unwrap().split('-').next().unwrap()
}

/// Lists the files that the dynamic loader would load for the program.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("this test needs `ldd`");
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text.split_whitespace().filter(|word| word.starts_with('/'));
    words.map(PathBuf::from).collect()
}

/// Returns the path that the file has in a tree in which `/lib` is a link to `/usr/lib`.
fn merged(file: &Path) -> String {
    let path = file.to_str().unwrap();
    if path.starts_with("/usr/") { path[1..].to_owned() } else { format!("usr{path}") }
}

fn only(workspace: &Workspace, line: &str) -> Graph {
    let mut graph = Graph::new();
    shell(&mut graph, "a", line, [image(&workspace.store)]);
    graph
}

fn a_command_runs_once() {
    let workspace = Workspace::new();
    let mut graph = only(&workspace, "echo hello > /out/o");
    let input = Input::new("in/a", Source::output(id(&graph, "a"), "o"));
    shell(&mut graph, "b", "cat /in/a /in/a > /out/o", [image(&workspace.store), input]);
    let ran = workspace.build(&graph).of(&["b"]).run();
    assert_eq!(ran.ends(), "a ran, b ran");
    assert_eq!(workspace.text(ran.artifact(&graph, "b")), "hello\nhello\n");
    assert_eq!(workspace.build(&graph).of(&["b"]).run().ends(), "a known, b known");
    workspace.forget_state();
    assert_eq!(workspace.build(&graph).of(&["b"]).run().ends(), "a cached, b cached");
}

fn outputs_are_files_and_folders() {
    let workspace = Workspace::new();
    let line = "echo x > /out/tool && chmod 755 /out/tool && mkdir /out/dir /out/dir/sub && \
                echo f > /out/dir/sub/f && ln -s sub/f /out/dir/link && echo deep > /out/a/b/c && \
                echo dropped > /out/undeclared";
    let mut graph = Graph::new();
    let action = Action::process(label("a"), sh(line)).input(image(&workspace.store));
    let action = action.output("tool").output("dir").output("a/b/c");
    let a = graph.add(action).unwrap();
    let check = |how: &str| {
        let ran = workspace.build(&graph).of(&["a"]).run();
        assert_eq!(ran.ends(), how);
        let artifact = |path| ran.ok().artifact(a, path).unwrap();
        assert!(matches!(artifact("tool"), Artifact::File { executable: true, .. }));
        assert!(matches!(artifact("a/b/c"), Artifact::File { executable: false, .. }));
        let Artifact::Tree(dir) = artifact("dir") else { panic!() };
        let tree = workspace.store.tree(&dir).unwrap().unwrap();
        assert_eq!(tree.get("link"), Some(&Entry::Symlink { target: "sub/f".to_owned() }));
        assert!(matches!(tree.get("sub/f"), Some(Entry::File { .. })));
    };
    check("a ran");
    check("a known");
    workspace.forget_state();
    check("a cached");
}

fn standard_output_can_be_an_output() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    let process = Process { stdout: Some("o".to_owned()), ..sh("echo said; echo told >&2") };
    let action = Action::process(label("a"), process).input(image(&workspace.store)).output("o");
    let said = graph.add(action).unwrap();
    let need = Input::new("said", Source::output(said, "o"));
    shell(&mut graph, "b", "cat /said > /out/o", [image(&workspace.store), need]);
    let to = workspace.path("o");
    let ran = workspace.build(&graph).of(&["b"]).export("b", &to).run();
    assert_eq!(ran.ends(), "a ran, b ran");
    assert_eq!(fs::read_to_string(&to).unwrap(), "said\n");
    let Some(Artifact::File { digest, .. }) = ran.ok().artifact(said, "o") else { panic!() };
    assert_eq!(workspace.store.get(&digest).unwrap().unwrap(), b"said\n");
    // If the command fails, this standard output is not shown as a message.
    let mut graph = Graph::new();
    let process =
        Process { stdout: Some("o".to_owned()), ..sh("echo said; echo told >&2; exit 1") };
    let action = Action::process(label("a"), process).input(image(&workspace.store)).output("o");
    graph.add(action).unwrap();
    let ran = workspace.build(&graph).of(&["a"]).run();
    let [failure] = ran.ok().failures.as_slice() else { panic!() };
    assert_eq!((&failure.stdout[..], &failure.stderr[..]), (&b""[..], &b"told\n"[..]));
}

fn nothing_undeclared_is_there() {
    let workspace = Workspace::new();
    let secret = workspace.write("src/secret.txt", "secret");
    workspace.write("src/known.txt", "known");
    let mut files = files_of(&workspace.path("src"));
    files.retain(|file| file.path == "known.txt");
    let source = Source::Tree(workspace.state().sources().tree(&files).unwrap());
    let line = format!(
        "cat /src/known.txt && ! cat /src/secret.txt && ! cat {secret} && ! cat {store}/format && \
         ! echo x > /src/known.txt && ! echo x > /usr/x && ! echo x > /x && ls / > /out/o",
        secret = secret.display(),
        store = workspace.store.root().display()
    );
    let mut graph = Graph::new();
    shell(&mut graph, "a", &line, [image(&workspace.store), Input::new("src", source)]);
    let ran = workspace.build(&graph).of(&["a"]).run();
    assert_eq!(ran.ends(), "a ran", "{:?}", ran.ok().failures);
    let root = workspace.text(ran.artifact(&graph, "a"));
    let names: Vec<&str> = root.split_whitespace().filter(|name| *name != "lib64").collect();
    assert_eq!(names, ["bin", "dev", "etc", "lib", "out", "proc", "src", "tmp", "usr"]);
}

fn inputs_stand_where_they_are_declared() {
    let workspace = Workspace::new();
    workspace.write("src/d/a.txt", "a");
    let files = files_of(&workspace.path("src"));
    let mut state = workspace.state();
    let tree = state.sources().tree(&files).unwrap();
    let file = state.sources().file(&files[0].file, u64::MAX).unwrap();
    let Artifact::File { digest, executable } = file else { panic!() };
    let mut process = sh("cat d/a.txt /deps/one/d/a.txt /single.txt > /out/o && env >> /out/o");
    process.cwd = "work".to_owned();
    process.env.insert("MINE".to_owned(), "a b".to_owned());
    let action = Action::process(label("a"), process)
        .input(image(&workspace.store))
        .input(Input::new("work", Source::Tree(tree)))
        .input(Input::new("deps/one", Source::Tree(tree)))
        .input(Input::new("single.txt", Source::File { digest, executable }))
        .output("o");
    let mut graph = Graph::new();
    graph.add(action).unwrap();
    let ran = workspace.build(&graph).of(&["a"]).run_with(&mut state);
    assert_eq!(ran.ends(), "a ran", "{:?}", ran.ok().failures);
    let text = workspace.text(ran.artifact(&graph, "a"));
    let mut lines: Vec<&str> = text.strip_prefix("aaa").unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["LC_ALL=C", "MINE=a b", "PATH=/usr/bin:/bin", "PWD=/work"]);
}

fn a_writable_input_stays_as_it_was() {
    let workspace = Workspace::new();
    workspace.write("deps/lib.a", "lib");
    let files = files_of(&workspace.path("deps"));
    let tree = workspace.state().sources().tree(&files).unwrap();
    let mut graph = Graph::new();
    let line = "cd /tmp/target && cat lib.a > /out/o && echo new > more && mv more lib.a && \
                mkdir d && cat lib.a >> /out/o";
    let inputs = || [image(&workspace.store), Input::scratch("tmp/target", Source::Tree(tree))];
    shell(&mut graph, "a", line, inputs());
    shell(&mut graph, "b", "ls /tmp/target > /out/o; cat /tmp/target/lib.a >> /out/o", inputs());
    let ran = workspace.build(&graph).of(&["a", "b"]).run();
    assert_eq!(ran.ends(), "a ran, b ran", "{:?}", ran.ok().failures);
    assert_eq!(workspace.text(ran.artifact(&graph, "a")), "libnew\n");
    assert_eq!(workspace.text(ran.artifact(&graph, "b")), "lib.a\nlib");
}

/// The command starts before its trees are checked, so the run with a changed tree must not count.
fn what_a_touched_tree_gives_does_not_count() {
    let workspace = Workspace::new();
    let words = |text: &str| {
        let mut tree = Tree::default();
        let digest = workspace.store.put(text.as_bytes()).unwrap();
        tree.insert("word", Entry::File { digest, executable: false }).unwrap();
        workspace.store.put_tree(&tree).unwrap()
    };
    let tree = words("right");
    let build = |line: &str| {
        // Opens the store as a process that has not checked anything yet.
        let workspace = Workspace::at(workspace.folder());
        let mut graph = Graph::new();
        let inputs = [image(&workspace.store), Input::new("in", Source::Tree(tree))];
        shell(&mut graph, "use", line, inputs);
        let ran = workspace.build(&graph).of(&["use"]).run();
        assert_eq!(ran.ends(), "use ran", "{line}");
        workspace.text(ran.artifact(&graph, "use"))
    };
    assert_eq!(build("cat /in/word > /out/o"), "right");
    // The file gets other bytes, and then none at all, so that the command fails. Neither shows in the end.
    let path = workspace.store.materialise(&tree).unwrap().join("word");
    for (number, touch) in [Some("wrong"), None].into_iter().enumerate() {
        fs::remove_file(&path).unwrap();
        if let Some(text) = touch {
            fs::write(&path, text).unwrap();
        }
        assert_eq!(build(&format!("cat /in/word > /out/o || exit 1; : {number}")), "right");
    }
}

fn images_are_merged() {
    let workspace = Workspace::new();
    let images = [["sh", "cat"], ["sh", "ls"]].map(|names| {
        let tools = names.map(|name| Path::new("/usr/bin").join(name));
        Input::root(Source::Tree(image_of(&workspace.store, &tools)))
    });
    let mut graph = Graph::new();
    shell(&mut graph, "a", "ls /usr/bin > /tmp/l && cat /tmp/l > /out/o", images);
    let ran = workspace.build(&graph).of(&["a"]).run();
    assert_eq!(ran.ends(), "a ran", "{:?}", ran.ok().failures);
    assert_eq!(workspace.text(ran.artifact(&graph, "a")), "cat\nls\nsh\n");
}

fn a_failed_command_is_reported_and_not_cached() {
    let workspace = Workspace::new();
    let graph = only(&workspace, "echo out; echo 'it is wrong' >&2; exit 3");
    for _ in 0..2 {
        let ran = workspace.build(&graph).of(&["a"]).run();
        assert_eq!(ran.ends(), "a failed");
        assert_eq!(ran.ok().status, Status::Failed);
        let [failure] = ran.ok().failures.as_slice() else { panic!() };
        assert_eq!(failure.kind, FailureKind::Exited(3));
        assert_eq!(failure.stdout, b"out\n");
        assert_eq!(failure.stderr, b"it is wrong\n");
        let command = failure.command.as_ref().unwrap();
        let line = r"/bin/sh -c 'echo out; echo '\''it is wrong'\'' >&2; exit 3'";
        assert_eq!((command.shell().as_str(), command.cwd.as_str()), (line, "/"));
        assert!(!failure.truncated && failure.kept.is_none());
    }
}

fn every_way_a_command_fails() {
    let workspace = Workspace::new();
    let check = |change: &dyn Fn(&mut engine::Process), line: &str, expect: &str| {
        let mut process = sh(line);
        change(&mut process);
        let mut graph = Graph::new();
        let action = Action::process(label("a"), process).input(image(&workspace.store));
        graph.add(action.output("o")).unwrap();
        let ran = workspace.build(&graph).of(&["a"]).run();
        assert_eq!(ran.failure(), format!("a: {expect}"));
        let command = ran.ok().failures[0].command.as_ref().unwrap();
        assert_eq!(command.argv[0], graph_program(&graph));
    };
    check(&|_| {}, "exit 7", "exited with status 7");
    check(&|_| {}, "kill -SEGV $$", "was killed by signal 11");
    let short = Some(Duration::from_millis(300));
    let timeout = |process: &mut engine::Process| process.limits.timeout = short;
    check(&timeout, "sleep 100", "ran into its time limit of 0.3 s");
    check(&|_| {}, "true", "left no `o`, which it declares as an output");
    let program = |process: &mut engine::Process| process.argv[0] = "/bin/none".to_owned();
    check(
        &program,
        "",
        "can't run `/bin/none` in the sandbox: No such file or directory (os error 2)",
    );
    let folder = |process: &mut engine::Process| process.cwd = "none".to_owned();
    check(
        &folder,
        "",
        "can't use `/none` as working directory in the sandbox: \
         No such file or directory (os error 2)",
    );
}

fn graph_program(graph: &Graph) -> String {
    let engine::Work::Process(process) = &graph.action(id(graph, "a")).work else { panic!() };
    process.argv[0].clone()
}

fn outputs_that_cannot_be_kept() {
    let workspace = Workspace::new();
    let check = |line: &str, expect: &str| {
        let ran = workspace.build(&only(&workspace, line)).of(&["a"]).run();
        assert_eq!(ran.failure(), format!("a: left an output that can't be kept: {expect}"));
    };
    check("mkfifo /out/o", "`o` is a FIFO, which can't be an output");
    check("ln -s /etc/passwd /out/o", "`o` is a symbolic link, which can't be an output");
    check(
        "mkdir /out/o; ln -s ../../up /out/o/l",
        "the symbolic link `l` to `../../up` leaves the folder of outputs",
    );
}

fn inputs_that_do_not_fit_together() {
    let workspace = Workspace::new();
    let digest = workspace.store.put(b"x").unwrap();
    let file = Source::File { digest, executable: false };
    let check = |inputs: Vec<Input>, expect: &str| {
        let mut graph = Graph::new();
        shell(&mut graph, "a", "true", inputs);
        let ran = workspace.build(&graph).of(&["a"]).run();
        assert_eq!(ran.failure(), format!("a: its inputs don't fit together: {expect}"));
    };
    let base = || image(&workspace.store);
    check(
        vec![base(), Input::new("usr", file.clone())],
        "both an input and a toolchain image have `usr`",
    );
    check(
        vec![Input::root(file.clone())],
        "an input at the root is a file, and only a tree can stand there",
    );
    check(
        vec![base(), Input::scratch("f", file)],
        "`f` is a file, and only a folder can be a writable input",
    );
    let mut other = Tree::default();
    other.insert("usr/bin/sh", Entry::File { digest, executable: true }).unwrap();
    let other = workspace.store.put_tree(&other).unwrap();
    check(
        vec![base(), Input::root(Source::Tree(other))],
        "the toolchain images don't fit together: `usr/bin/sh` differs between the trees to merge",
    );
}

fn a_failed_sandbox_can_be_kept() {
    let workspace = Workspace::new();
    let graph = only(&workspace, "echo half > /out/half; exit 1");
    let ran = workspace.build(&graph).of(&["a"]).options(|o| o.keep_sandbox = true).run();
    let kept = ran.ok().failures[0].kept.as_ref().unwrap();
    assert_eq!(fs::read_to_string(kept.folder.join("out/half")).unwrap(), "half\n");
    let sandbox = sandbox::Sandbox::start_with(kept.isolation, &kept.folder).unwrap();
    let run = |spec: &sandbox::Spec| sandbox.run(spec, &sandbox::Cancel::new()).unwrap();
    let again = run(&kept.spec).status;
    assert_eq!(again, sandbox::Status::Exited(1), "the same command in the same sandbox");
    let argv = vec![kept.shell.unwrap().into(), "-c".into(), "cat /out/half".into()];
    let shell = run(&sandbox::Spec { argv, ..kept.spec.clone() });
    assert_eq!(String::from_utf8(shell.stdout).unwrap(), "half\n");
}

/// A small file system in memory, for a store.
struct Small(PathBuf);

impl Drop for Small {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn a_command_that_fills_the_store_found_no_room_however_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    fs::create_dir(folder.path().join(".run")).unwrap();
    let options = ["-t", "tmpfs", "-o", "size=24m,mode=755", "small"];
    let mounted = Command::new("mount").args(options).arg(&store).status().unwrap();
    assert!(mounted.success(), "this test mounts, so it has to be root");
    let _small = Small(store.clone());
    let workspace = Workspace::at(folder.path());
    // Signal 7 is what a linker gets when it writes to a mapped file and the file system is full.
    for (line, because) in [
        ("cat /dev/zero > /out/o", "exited with status 1"),
        ("cat /dev/zero > /out/o; kill -BUS $$", "was killed by signal 7"),
        ("cat /dev/zero > /out/other; exit 0", "left no `o`, which it declares as an output"),
    ] {
        let ran = workspace.build(&only(&workspace, line)).of(&["a"]).run();
        let told =
            format!("found no room left on the file system of the store `{}`", store.display());
        assert_eq!(ran.failure(), format!("a: {told} ({because})"));
    }
    // With free space, all of these are ordinary failures of the command. Its files are removed in the background, so
    // this waits until there is space.
    while workspace.store.is_out_of_space() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let ran = workspace.build(&only(&workspace, "kill -BUS $$")).of(&["a"]).run();
    assert_eq!(ran.failure(), "a: was killed by signal 7");
}

fn a_cancelled_command_is_killed() {
    let workspace = Workspace::new();
    let graph = only(&workspace, "sleep 100");
    let request = workspace.build(&graph).of(&["a"]);
    let cancel = request.cancel.clone();
    let begin = Instant::now();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        cancel.cancel();
    });
    let ran = request.run();
    stopper.join().unwrap();
    assert_eq!(ran.ends(), "a cancelled");
    assert_eq!(ran.ok().status, Status::Interrupted);
    assert!(begin.elapsed() < Duration::from_secs(20), "it did not wait for the command");
}

/// Each command starts a process that would outlive it.
fn a_thousand_commands_leave_nothing_behind() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    let tools = image(&workspace.store);
    let names: Vec<String> = (0..1000).map(|number| format!("a{number}")).collect();
    for name in &names {
        let line = format!("sleep 98765 & echo {name} > /tmp/f && cp /tmp/f /out/o");
        shell(&mut graph, name, &line, [tools.clone()]);
    }
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = mounts();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ran = workspace.build(&graph).of(&names).options(|o| o.jobs = 4).run();
    assert_eq!(ran.ok().summary.ran, 1000);
    assert_eq!(mounts(), before);
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    assert_eq!(lines.filter(|line| line.contains("98765")).count(), 0);
    // Folders are removed in the background.
    let sessions = || fs::read_dir(workspace.store.root().join("tmp")).unwrap().flatten();
    let folders = || {
        let folders = sessions().filter_map(|session| fs::read_dir(session.path()).ok());
        folders.flatten().count()
    };
    let begin = Instant::now();
    while folders() > 0 {
        assert!(begin.elapsed() < Duration::from_secs(60), "{} folders are left", folders());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn the_same_command_gives_the_same_key_anywhere() {
    let run = |order: &[&str]| {
        let workspace = Workspace::new();
        for path in order {
            workspace.write(&format!("src/{path}"), path);
        }
        let files = files_of(&workspace.path("src"));
        let source = Source::Tree(workspace.state().sources().tree(&files).unwrap());
        let mut graph = Graph::new();
        let line = "cat /src/a /src/d/b > /out/o";
        shell(&mut graph, "a", line, [image(&workspace.store), Input::new("src", source)]);
        workspace.build(&graph).of(&["a"]).run();
        let results = workspace.store.root().join("ac/blake3");
        let names: Vec<_> = files_of(&results).into_iter().map(|file| file.path).collect();
        assert_eq!(names.len(), 1);
        names
    };
    assert_eq!(run(&["a", "d/b"]), run(&["d/b", "a"]));
}

fn warnings_are_shown_again() {
    let workspace = Workspace::new();
    let graph = only(&workspace, "echo 'warning: odd' >&2; echo x > /out/o");
    let warnings = || {
        let ran = workspace.build(&graph).of(&["a"]).run();
        let found = ran.events.into_iter().find_map(|event| match event {
            engine::Event::Finished { messages, .. } => Some(messages),
            _ => None,
        });
        String::from_utf8(found.unwrap().stderr).unwrap()
    };
    for _ in 0..2 {
        assert_eq!(warnings(), "warning: odd\n");
    }
}
