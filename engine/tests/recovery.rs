//! Stories of missing blobs, which are made again in the same build, and of pinned results, which are made only if
//! they are needed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use cache::{Digest, Entry, Tree};
use engine::{Action, Artifact, BuiltinContext, BuiltinError, FailureKind, Graph, Input, Source};

use crate::harness::{Workspace, builtin, closure, id, join, label, write_joined};

crate::tests![
    a_hit_needs_no_blobs,
    a_lost_input_is_made_again,
    lost_inputs_are_made_again_all_the_way_down,
    a_lost_file_deep_in_a_tree_is_made_again,
    a_damaged_blob_is_made_again,
    other_bytes_than_before_reach_every_dependent,
    what_runs_with_an_old_result_runs_again,
    what_is_lost_is_made_again_while_others_run,
    lost_targets_and_exports_are_made_again,
    what_gets_lost_again_and_again_is_an_error,
    a_lost_input_that_nothing_makes_is_an_error,
    a_pinned_result_is_made_only_if_needed,
    a_pinned_result_has_to_be_the_pinned_one,
    a_pinned_target_is_fetched_if_asked_for,
];

/// Makes a graph in which `c` needs `b`, which needs `a`.
fn chain(last: &str) -> Graph {
    let mut graph = Graph::new();
    join(&mut graph, "a", "a", &[]);
    join(&mut graph, "b", "b", &["a"]);
    join(&mut graph, "c", last, &["b"]);
    graph
}

fn blob(workspace: &Workspace, text: &str) -> Digest {
    Digest::of(workspace.store.function(), text.as_bytes())
}

fn a_hit_needs_no_blobs() {
    let workspace = Workspace::new();
    let graph = chain("c");
    workspace.build(&graph).of(&["c"]).run();
    for text in ["a", "b[a]", "c[b[a]]"] {
        workspace.lose(&blob(&workspace, text));
    }
    assert_eq!(workspace.build(&graph).of(&["c"]).run().ends(), "a known, b known, c known");
    workspace.forget_state();
    assert_eq!(workspace.build(&graph).of(&["c"]).run().ends(), "a cached, b cached, c cached");
}

fn a_lost_input_is_made_again() {
    let workspace = Workspace::new();
    workspace.build(&chain("c")).of(&["c"]).run();
    workspace.lose(&blob(&workspace, "b[a]"));
    let graph = chain("new");
    let ran = workspace.build(&graph).of(&["c"]).run();
    assert_eq!(ran.ends(), "a known, b known, b ran, c ran");
    assert_eq!(workspace.text(ran.artifact(&graph, "c")), "new[b[a]]");
    let summary = &ran.ok().summary;
    assert_eq!((summary.actions, summary.hits, summary.ran), (3, 1, 2));
}

fn lost_inputs_are_made_again_all_the_way_down() {
    let workspace = Workspace::new();
    workspace.build(&chain("c")).of(&["c"]).run();
    workspace.lose(&blob(&workspace, "a"));
    workspace.lose(&blob(&workspace, "b[a]"));
    let ran = workspace.build(&chain("new")).of(&["c"]).run();
    assert_eq!(ran.ends(), "a known, b known, a ran, b ran, c ran");
    assert_eq!(ran.starts(), "a b c");
}

/// Makes a graph in which `tree` makes a folder `o` with the file `d/f`, and `use` reads it.
fn tree_and_use(text: &str) -> Graph {
    let mut graph = Graph::new();
    closure(&mut graph, "tree", ("", &[]), |cx| {
        let folder = cx.out()?.join("o/d");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("f"), "deep").unwrap();
        fs::write(folder.join("g"), "other").unwrap();
        Ok(())
    });
    closure(&mut graph, "use", (text, &["tree"]), |cx| {
        let text = fs::read_to_string(cx.path("tree")?.join("d/f")).unwrap();
        fs::write(cx.out()?.join("o"), text).unwrap();
        Ok(())
    });
    graph
}

fn a_lost_file_deep_in_a_tree_is_made_again() {
    let workspace = Workspace::new();
    workspace.build(&tree_and_use("1")).of(&["use"]).run();
    workspace.lose(&blob(&workspace, "deep"));
    let ran = workspace.build(&tree_and_use("2")).of(&["use"]).run();
    assert_eq!(ran.ends(), "tree known, tree ran, use ran");
    assert_eq!(ran.starts(), "use tree use", "what is missing deep inside shows while staging");
}

fn a_damaged_blob_is_made_again() {
    let workspace = Workspace::new();
    workspace.build(&chain("c")).of(&["c"]).run();
    for file in workspace.blob_files(&blob(&workspace, "b[a]")) {
        damage(&file, true);
    }
    let graph = chain("new");
    let ran = workspace.build(&graph).of(&["c"]).run();
    assert_eq!(ran.ends(), "a known, b known, b ran, c ran");
    assert_eq!(workspace.text(ran.artifact(&graph, "c")), "new[b[a]]");
    assert_eq!(workspace.store.take_quarantined().len(), 1);
}

/// Flips a bit of a file. If `silently`, the file's time does not show it.
pub(crate) fn damage(file: &Path, silently: bool) {
    let metadata = file.metadata().unwrap();
    let mut bytes = fs::read(file).unwrap();
    match bytes.first_mut() {
        Some(first) => *first ^= 1,
        None => bytes.push(1),
    }
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(file, bytes).unwrap();
    if silently {
        let opened = fs::File::options().write(true).open(file).unwrap();
        opened.set_modified(metadata.modified().unwrap()).unwrap();
    }
    fs::set_permissions(file, metadata.permissions()).unwrap();
}

fn other_bytes_than_before_reach_every_dependent() {
    let workspace = Workspace::new();
    // This action is not deterministic: every run gives another result.
    let runs = Arc::new(AtomicU32::new(0));
    let graph = |last: &str| {
        let mut graph = Graph::new();
        let runs = Arc::clone(&runs);
        closure(&mut graph, "odd", ("", &[]), move |cx| {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            write_joined(cx, &format!("run {run}"))
        });
        join(&mut graph, "early", "e", &["odd"]);
        join(&mut graph, "late", last, &["odd"]);
        join(&mut graph, "both", "b", &["early", "late"]);
        graph
    };
    workspace.build(&graph("1")).of(&["both"]).run();
    workspace.lose(&blob(&workspace, "run 0"));
    let graph = graph("2");
    let ran = workspace.build(&graph).of(&["both"]).run();
    assert_eq!(ran.ends(), "odd known, early known, odd ran, early ran, late ran, both ran");
    let text = workspace.text(ran.artifact(&graph, "both"));
    assert_eq!(text, "b[e[run 1]][2[run 1]]", "no result is made of both runs");
}

/// `slow` runs with a result of `odd`. While it runs, that result is lost, and `odd` runs again and gives another one.
fn what_runs_with_an_old_result_runs_again() {
    let workspace = Workspace::new();
    let (runs, root) = (Arc::new(AtomicU32::new(0)), workspace.folder().to_owned());
    // The barrier is reached twice: when both run, and when the blob is gone.
    let both = Arc::new(Barrier::new(2));
    let mut graph = Graph::new();
    let odd_runs = Arc::clone(&runs);
    closure(&mut graph, "odd", ("", &[]), move |cx| {
        let run = odd_runs.fetch_add(1, Ordering::SeqCst);
        write_joined(cx, &format!("run {run}"))
    });
    let (slow_runs, slow_both) = (Arc::clone(&runs), Arc::clone(&both));
    closure(&mut graph, "slow", ("s", &["odd"]), move |cx| {
        if cx.read("odd")? == b"run 0" {
            slow_both.wait();
            evict(&root, cx.input("odd").digest());
            slow_both.wait();
            while slow_runs.load(Ordering::SeqCst) < 2 {
                std::thread::yield_now();
            }
            // After this time, the new result is known.
            std::thread::sleep(Duration::from_millis(50));
            fs::write(cx.out()?.join("o"), "old").unwrap();
            return Ok(());
        }
        write_joined(cx, "s")
    });
    let first = AtomicU32::new(0);
    closure(&mut graph, "late", ("l", &["odd"]), move |cx| {
        if first.fetch_add(1, Ordering::SeqCst) == 0 {
            both.wait();
            both.wait();
        }
        write_joined(cx, "l")
    });
    join(&mut graph, "both", "b", &["slow", "late"]);
    let ran = workspace.build(&graph).of(&["both"]).options(|o| o.jobs = 2).run();
    let text = workspace.text(ran.artifact(&graph, "both"));
    assert_eq!(text, "b[s[run 1]][l[run 1]]", "no result is made of both runs");
    assert_eq!(ran.starts(), "odd slow late odd late slow both");
}

/// `late` finds `a` lost before it starts, while `slow` waits for `a` to be made again.
fn what_is_lost_is_made_again_while_others_run() {
    let workspace = Workspace::new();
    let runs = Arc::new(AtomicU32::new(0));
    let gone = Arc::new(Barrier::new(2));
    let graph = |round: &str| {
        let mut graph = Graph::new();
        let a_runs = Arc::clone(&runs);
        closure(&mut graph, "a", ("", &[]), move |cx| {
            a_runs.fetch_add(1, Ordering::SeqCst);
            write_joined(cx, "a")
        });
        let (root, slow_gone, runs) =
            (workspace.folder().to_owned(), Arc::clone(&gone), Arc::clone(&runs));
        closure(&mut graph, "slow", (&format!("slow {round}"), &[]), move |cx| {
            evict(&root, &Digest::of(cx.store().function(), b"a"));
            slow_gone.wait();
            let until = Instant::now() + Duration::from_secs(20);
            while runs.load(Ordering::SeqCst) < 2 {
                assert!(Instant::now() < until, "nobody makes `a` again");
                std::thread::yield_now();
            }
            write_joined(cx, "s")
        });
        let gone = Arc::clone(&gone);
        closure(&mut graph, "gate", (&format!("gate {round}"), &[]), move |cx| {
            gone.wait();
            write_joined(cx, "g")
        });
        join(&mut graph, "late", "l", &["a", "gate"]);
        graph
    };
    workspace.build(&graph("1")).of(&["a"]).run();
    let graph = graph("2");
    let ran = workspace.build(&graph).of(&["slow", "late"]).options(|o| o.jobs = 2).run();
    // `slow` ends only if `a` is made while it runs.
    assert_eq!(ran.starts(), "slow gate a late");
    assert_eq!(ran.ok().summary.ran, 4);
}

/// Removes a blob, as another process that needs space might.
fn evict(root: &Path, digest: &Digest) {
    let hex = digest.hex();
    fs::remove_file(root.join("store/cas/blake3").join(&hex[..2]).join(&hex)).unwrap();
}

fn lost_targets_and_exports_are_made_again() {
    let workspace = Workspace::new();
    let graph = chain("c");
    let to = workspace.path("out/c.txt");
    workspace.build(&graph).export("c", &to).run();
    workspace.lose(&blob(&workspace, "c[b[a]]"));
    let untouched = workspace.build(&graph).export("c", &to).run();
    assert_eq!(untouched.ends(), "a known, b known, c known", "the file is there already");
    fs::remove_file(&to).unwrap();
    let ran = workspace.build(&graph).export("c", &to).run();
    assert_eq!(ran.ends(), "a known, b known, c known, c ran");
    assert_eq!(fs::read_to_string(&to).unwrap(), "c[b[a]]");

    workspace.lose(&blob(&workspace, "b[a]"));
    assert_eq!(workspace.build(&graph).of(&["b"]).run().ends(), "a known, b known");
    assert_eq!(workspace.build(&graph).present("b").run().ends(), "a known, b known, b ran");
}

fn what_gets_lost_again_and_again_is_an_error() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    join(&mut graph, "a", "a", &[]);
    let root = workspace.folder().to_owned();
    closure(&mut graph, "b", ("", &["a"]), move |cx| {
        let digest = *cx.input("a").digest();
        evict(&root, &digest);
        Err(BuiltinError::Missing(digest))
    });
    let ran = workspace.build(&graph).of(&["b"]).run();
    assert_eq!(ran.failure(), "b: the store keeps losing the results of `a:step`");
    assert_eq!(ran.ends(), "a ran, a ran, a ran, a ran, b failed");
}

fn a_lost_input_that_nothing_makes_is_an_error() {
    let workspace = Workspace::new();
    let digest = workspace.store.put(b"given").unwrap();
    let mut graph = Graph::new();
    let input = Input::new("x", Source::File { digest, executable: false });
    builtin(&mut graph, "a", [input], |cx| write_joined(cx, ""));
    workspace.lose(&digest);
    let ran = workspace.build(&graph).of(&["a"]).run();
    assert_eq!(ran.failure(), format!("a: the store lacks {digest}, and no action makes it"));
}

/// Makes a graph in which `fetch` gives bytes, `image`, which may be pinned, makes a tree of them, and `use` uses the
/// tree.
fn pinned(workspace: &Workspace, content: &'static str, pin: Option<Digest>, text: &str) -> Graph {
    let mut graph = Graph::new();
    join(&mut graph, "fetch", content, &[]);
    let image = |cx: &BuiltinContext| {
        let Artifact::File { digest, executable } = cx.input("fetch") else { panic!() };
        let mut tree = Tree::default();
        tree.insert("bin/tool", Entry::File { digest, executable }).unwrap();
        cx.produce("o", Artifact::Tree(cx.store().put_tree(&tree)?));
        Ok(())
    };
    let input = Input::new("fetch", Source::output(id(&graph, "fetch"), "o"));
    let mut plain = graph;
    builtin(&mut plain, "image", [input], image);
    // This is the same graph with a pin.
    let mut graph = Graph::new();
    for (_, action) in plain.actions() {
        let mut action = Action::clone(action);
        if action.label == label("image") {
            action.pinned = Some(pin.unwrap_or_else(|| tree_of(workspace, content)));
        }
        graph.add(action).unwrap();
    }
    closure(&mut graph, "use", (text, &["image"]), |cx| {
        let tool = fs::read_to_string(cx.path("image")?.join("bin/tool")).unwrap();
        fs::write(cx.out()?.join("o"), tool).unwrap();
        Ok(())
    });
    graph
}

/// Returns the digest of the tree that `image` makes of `content`.
fn tree_of(workspace: &Workspace, content: &str) -> Digest {
    let digest = blob(workspace, content);
    let mut tree = Tree::default();
    tree.insert("bin/tool", Entry::File { digest, executable: false }).unwrap();
    tree.digest(workspace.store.function()).unwrap().0
}

fn a_pinned_result_is_made_only_if_needed() {
    let workspace = Workspace::new();
    let graph = |text| pinned(&workspace, "tool", None, text);
    let ran = workspace.build(&graph("1")).of(&["use"]).run();
    assert_eq!(ran.ends(), "image pinned, fetch ran, image ran, use ran");
    assert_eq!(ran.starts(), "fetch image use");
    let ran = workspace.build(&graph("2")).of(&["use"]).run();
    assert_eq!(ran.ends(), "image pinned, use ran", "the tree is there");
    let tree = tree_of(&workspace, "tool");
    workspace.lose(&tree);
    let ran = workspace.build(&graph("2")).of(&["use"]).run();
    assert_eq!(ran.ends(), "image pinned, use known", "nobody needs the tree");
    let ran = workspace.build(&graph("3")).of(&["use"]).run();
    assert_eq!(ran.ends(), "image pinned, fetch known, image ran, use ran");
    workspace.lose(&blob(&workspace, "tool"));
    let ran = workspace.build(&graph("4")).of(&["use"]).run();
    assert_eq!(ran.ends(), "image pinned, fetch known, fetch ran, image ran, use ran");
}

fn a_pinned_result_has_to_be_the_pinned_one() {
    let workspace = Workspace::new();
    let (expected, actual) = (tree_of(&workspace, "tool"), tree_of(&workspace, "tampered"));
    let graph = pinned(&workspace, "tampered", Some(expected), "1");
    let ran = workspace.build(&graph).of(&["use"]).run();
    assert_eq!(ran.ends(), "image pinned, fetch ran, image failed, use skipped for image");
    assert_eq!(ran.ok().failures[0].kind, FailureKind::PinMismatch { expected, actual });
    assert!(ran.ok().failures[0].kind.is_mismatch());
    workspace.forget_state();
    assert_eq!(workspace.build(&graph).of(&["use"]).run().failure(), ran.failure(), "not cached");
}

fn a_pinned_target_is_fetched_if_asked_for() {
    let workspace = Workspace::new();
    let graph = pinned(&workspace, "tool", None, "1");
    let ran = workspace.build(&graph).of(&["image"]).run();
    assert_eq!(ran.ends(), "image pinned");
    let ran = workspace.build(&graph).present("image").run();
    assert_eq!(ran.ends(), "image pinned, fetch ran, image ran");
    assert_eq!(workspace.build(&graph).present("image").run().ends(), "image pinned");
}
