//! Stories of the incremental state, which makes builds faster but is never needed.

use std::fs;

use cache::{DigestFunction, DiskStore};
use engine::Graph;

use crate::harness::{Workspace, id, join};

crate::tests![
    any_damage_makes_it_empty,
    the_state_of_another_store_is_empty,
    a_null_build_does_not_write_it,
    it_forgets_what_nobody_asks_for,
    a_state_that_cannot_be_written_is_no_failure,
    it_knows_results_without_a_build,
];

fn graph(text: &str) -> Graph {
    let mut graph = Graph::new();
    join(&mut graph, "a", text, &[]);
    join(&mut graph, "b", "b", &["a"]);
    graph
}

fn any_damage_makes_it_empty() {
    let workspace = Workspace::new();
    let graph = graph("a");
    workspace.build(&graph).of(&["b"]).run();
    let file = workspace.path(".run/state");
    let whole = fs::read(&file).unwrap();
    let check = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        assert_eq!(workspace.build(&graph).of(&["b"]).run().ends(), "a cached, b cached");
        assert_eq!(fs::read(&file).unwrap(), whole, "it is made anew");
    };
    for at in (0..whole.len()).step_by(7) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x40;
        check(&flipped);
    }
    for length in [0, 1, 12, 30, 44, 45, whole.len() - 1] {
        check(&whole[..length]);
    }
    check(&[&whole[..], b"more"].concat());
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(workspace.build(&graph).of(&["b"]).run().ends(), "a cached, b cached");
}

fn the_state_of_another_store_is_empty() {
    let mut workspace = Workspace::new();
    let graph = graph("a");
    let others = [
        DiskStore::open(&workspace.path("other"), DigestFunction::Blake3).unwrap(),
        DiskStore::open(&workspace.path("store"), DigestFunction::Sha256).unwrap(),
    ];
    for store in others {
        workspace.build(&graph).of(&["b"]).run();
        workspace.store = store;
        assert_eq!(workspace.build(&graph).of(&["b"]).run().ends(), "a ran, b ran");
    }
}

fn a_null_build_does_not_write_it() {
    let workspace = Workspace::new();
    let graph = graph("a");
    let to = workspace.path("b.txt");
    workspace.build(&graph).export("b", &to).run();
    std::thread::sleep(std::time::Duration::from_millis(30));
    workspace.build(&graph).export("b", &to).run();
    let file = workspace.path(".run/state");
    let before = file.metadata().unwrap().modified().unwrap();
    workspace.build(&graph).export("b", &to).run();
    assert_eq!(file.metadata().unwrap().modified().unwrap(), before);
    let names: Vec<_> = fs::read_dir(workspace.path(".run")).unwrap().collect();
    assert_eq!(names.len(), 2, "no temporary file is left beside `state` and `outputs`");
}

fn it_forgets_what_nobody_asks_for() {
    let workspace = Workspace::new();
    workspace.build(&graph("a")).of(&["b"]).run();
    let size = || workspace.path(".run/state").metadata().unwrap().len();
    let before = size();
    // Each of these builds saves the state. None of them asks for `b`.
    for round in 0..40 {
        workspace.build(&graph(&round.to_string())).of(&["a"]).run();
    }
    assert!(size() < before, "{} < {before}", size());
    let ran = workspace.build(&graph("39")).of(&["a"]).run();
    assert_eq!(ran.ends(), "a known");
}

fn a_state_that_cannot_be_written_is_no_failure() {
    let workspace = Workspace::new();
    fs::remove_dir(workspace.path(".run")).unwrap();
    let file = workspace.write(".run", "a file where the folder should be");
    let ran = workspace.build(&graph("a")).of(&["b"]).run();
    assert_eq!(ran.ends(), "a ran, b ran");
    let error = ran.ok().state_error.as_ref().unwrap();
    let expect = format!("can't write `{}`", file.join("state").display());
    assert_eq!(error.to_string(), expect);
}

fn it_knows_results_without_a_build() {
    let workspace = Workspace::new();
    let known = |graph: &Graph, name: &str| {
        let id = id(graph, name);
        workspace.state().known_output(graph, id, "o").map(|artifact| workspace.text(artifact))
    };
    let first = graph("a");
    assert_eq!(known(&first, "b"), None);
    workspace.build(&first).of(&["a"]).run();
    assert_eq!(known(&first, "a").as_deref(), Some("a"));
    assert_eq!(known(&first, "b"), None, "what it needs is known, and it is not");
    workspace.build(&first).of(&["b"]).run();
    assert_eq!(known(&first, "b").as_deref(), Some("b[a]"));
    assert_eq!(known(&graph("other"), "b"), None, "what it needs has another key");
    workspace.forget_state();
    assert_eq!(known(&first, "b").as_deref(), Some("b[a]"), "the action cache has it");
}
