//! Stories of builds that are killed, and of builds that run at the same time.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use engine::{Artifact, BuildError, BuiltinContext, Graph, Input, Source};

use crate::commands::{image_of, tools};
use crate::harness::{Workspace, builtin, files_of, id, join, shell};
use crate::recovery::damage;

crate::tests![
    after_kill_9_the_next_build_is_right,
    two_builds_at_once_are_both_right,
    a_damaged_blob_of_any_kind_is_repaired,
    without_a_sandbox_nothing_runs,
];

/// The argument that makes this program build the project in a folder.
const BUILD: &str = "--build";

/// The argument that makes this program run one command in a folder.
const COMMAND: &str = "--command";

/// Makes the project of these stories: commands and builtins, four steps that depend on each other with two actions
/// each. Each command takes at least `pause` seconds.
fn project(last: &str, pause: &str) -> Graph {
    let mut graph = Graph::new();
    builtin(&mut graph, "image", [], |cx: &BuiltinContext| {
        cx.produce("o", Artifact::Tree(image_of(cx.store(), &tools())));
        Ok(())
    });
    let image = Input::root(Source::output(id(&graph, "image"), "o"));
    join(&mut graph, "words", "one two three", &[]);
    for (name, below) in [("a1", "words"), ("b1", "words"), ("a2", "a1"), ("b2", "b1")] {
        let input = Input::new("in", Source::output(id(&graph, below), "o"));
        let line = format!("echo {name} > /tmp/n; sleep {pause}; cat /in /tmp/n > /out/o");
        shell(&mut graph, name, &line, [image.clone(), input]);
    }
    join(&mut graph, "end", last, &["a2", "b2"]);
    graph
}

const ACTIONS: usize = 7;
const RIGHT: &str = "end[one two threea1\na2\n][one two threeb1\nb2\n]";

/// Plays the part of another process of these stories, if the arguments ask for it.
pub(crate) fn play(arguments: &[String]) -> Option<ExitCode> {
    match arguments {
        [role, folder] if role == BUILD => Some(build(folder.as_ref())),
        [role, folder] if role == COMMAND => Some(command(folder.as_ref())),
        _ => None,
    }
}

/// Builds the project in `folder`.
fn build(folder: &Path) -> ExitCode {
    let workspace = Workspace::at(folder);
    let graph = project("end", "0.05");
    let to = workspace.path("target/end");
    let ran = workspace.build(&graph).export("end", &to).options(|o| o.jobs = 2).run();
    if ran.ok().failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one command, and tells by the exit code if there was a sandbox for it.
fn command(folder: &Path) -> ExitCode {
    let workspace = Workspace::at(folder);
    let mut graph = Graph::new();
    join(&mut graph, "before", "x", &[]);
    let input = Input::new("x", Source::output(id(&graph, "before"), "o"));
    shell(&mut graph, "a", "true", [input]);
    let ran = workspace.build(&graph).of(&["a"]).run();
    assert_eq!(ran.ends(), "before ran, a cancelled");
    match ran.outcome {
        Err(BuildError::Unsupported(_)) => ExitCode::from(36),
        _ => ExitCode::FAILURE,
    }
}

/// Inside the sandbox no other sandbox can be started, so this is a machine without a sandbox.
fn without_a_sandbox_nothing_runs() {
    let workspace = Workspace::new();
    let program = std::env::current_exe().unwrap();
    let mut graph = Graph::new();
    let tools = [program, "/usr/bin/sh".into(), "/usr/bin/mkdir".into()];
    let image = Input::root(Source::Tree(image_of(&workspace.store, &tools)));
    let line =
        format!("mkdir /tmp/p /tmp/p/.run; /usr/bin/stories {COMMAND} /tmp/p; echo $? > /out/o");
    shell(&mut graph, "a", &line, [image]);
    let ran = workspace.build(&graph).of(&["a"]).run();
    assert_eq!(ran.ends(), "a ran", "{:?}", ran.ok().failures);
    assert_eq!(workspace.text(ran.artifact(&graph, "a")), "36\n");
}

fn start(workspace: &Workspace) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(BUILD).arg(workspace.folder()).stdin(Stdio::null()).spawn().unwrap()
}

fn exported(workspace: &Workspace) -> String {
    fs::read_to_string(workspace.path("target/end")).unwrap()
}

fn after_kill_9_the_next_build_is_right() {
    let begin = Instant::now();
    let whole = Workspace::new();
    assert!(start(&whole).wait().unwrap().success());
    let took = begin.elapsed();
    for round in 1..=8_u32 {
        let workspace = Workspace::new();
        // Each build is killed a bit later than the one before it, and starts with the store that that one has left.
        for kill in 0..3_u32 {
            let mut child = start(&workspace);
            std::thread::sleep(took * (round + kill) / 10);
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(start(&workspace).wait().unwrap().success(), "round {round}");
        assert_eq!(exported(&workspace), RIGHT, "round {round}");
        let graph = project("end", "0.05");
        let ran = workspace.build(&graph).of(&["end"]).run();
        assert_eq!(ran.ok().summary.hits, ACTIONS, "round {round}");
    }
}

fn two_builds_at_once_are_both_right() {
    for _ in 0..3 {
        let workspace = Workspace::new();
        let mut children = [start(&workspace), start(&workspace)];
        for child in &mut children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(exported(&workspace), RIGHT);
        let graph = project("end", "0.05");
        assert_eq!(workspace.build(&graph).of(&["end"]).run().ok().summary.hits, ACTIONS);
    }
}

/// Flips a bit in one blob after the other (programs, outputs and directories) and builds with
/// another last step, so that something needs what the step before gave.
fn a_damaged_blob_of_any_kind_is_repaired() {
    let workspace = Workspace::new();
    workspace.build(&project("end", "0")).of(&["end"]).run();
    let blobs = files_of(&workspace.store.root().join("cas/blake3"));
    assert!(blobs.len() > 20);
    for (round, blob) in blobs.iter().enumerate() {
        damage(&blob.file, false);
        let last = format!("end {round}");
        // The results are removed, so that the commands run. One of them needs the damaged blob.
        fs::remove_dir_all(workspace.store.root().join("ac")).unwrap();
        workspace.forget_state();
        let graph = project(&last, "0");
        // Opens the store as another process would, because this one has checked its trees already.
        let workspace = Workspace::at(workspace.folder());
        let ran = workspace.build(&graph).of(&["end"]).options(|o| o.jobs = 2).run();
        assert!(ran.ok().failures.is_empty(), "{}: {:?}", blob.path, ran.ok().failures);
        let right = RIGHT.replacen("end", &last, 1);
        assert_eq!(workspace.text(ran.artifact(&graph, "end")), right, "{}", blob.path);
    }
}
