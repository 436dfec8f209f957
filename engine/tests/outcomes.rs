//! Stories of actions and builds that fail or are cancelled.

use std::io;

use cache::Digest;
use engine::{BuiltinContext, BuiltinError, Event, Graph, Report, Status};
use sandbox::Cancel;

use crate::harness::{Workspace, again, closure, download, id, join, label, write_joined};

crate::tests![
    a_failure_stops_new_actions,
    keep_going_stops_dependents_only,
    every_way_a_builtin_fails,
    failures_are_not_cached,
    a_result_may_count_only_once,
    an_action_may_run_again,
    nothing_is_downloaded_offline,
    a_cancelled_build_keeps_what_is_done,
    a_cancelled_build_starts_nothing,
    notes_are_shown_again,
    progress_is_passed_on,
];

/// Makes a graph in which `a` fails. `b` needs `a`, and `c` needs `b`; `d` and `e` don't need `a`.
fn broken() -> Graph {
    let mut graph = Graph::new();
    closure(&mut graph, "a", ("", &[]), |_| Err(BuiltinError::Failed(Report::text("no"))));
    join(&mut graph, "b", "b", &["a"]);
    join(&mut graph, "c", "c", &["b"]);
    join(&mut graph, "d", "d", &[]);
    join(&mut graph, "e", "e", &["d"]);
    graph
}

fn a_failure_stops_new_actions() {
    let workspace = Workspace::new();
    let graph = broken();
    let ran = workspace.build(&graph).of(&["c", "e"]).run();
    assert_eq!(
        ran.ends(),
        "a failed, b skipped for a, c skipped for a, d skipped for a, e skipped for a"
    );
    assert_eq!(ran.ok().status, Status::Failed);
    assert_eq!(ran.failure(), "a: no");
    assert_eq!((ran.ok().summary.failed, ran.ok().summary.skipped), (1, 4));
    assert_eq!(ran.ok().artifact(id(&graph, "b"), "o"), None);
}

fn keep_going_stops_dependents_only() {
    let workspace = Workspace::new();
    let graph = broken();
    let to = workspace.path("e.txt");
    let request = workspace.build(&graph).of(&["c"]).export("e", &to).export("c", &to);
    let ran = request.options(|o| o.keep_going = true).run();
    assert_eq!(ran.ends(), "a failed, b skipped for a, c skipped for a, d ran, e ran");
    assert_eq!(ran.ok().status, Status::Failed);
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "e[d]", "what is done is delivered");
    assert_eq!(ran.ok().exports, [Some(engine::Exported::Written), None]);
    assert_eq!(ran.ok().skipped, [(label("b"), label("a")), (label("c"), label("a"))]);
}

type Work = fn(&BuiltinContext) -> Result<(), BuiltinError>;

fn every_way_a_builtin_fails() {
    let check = |work: Work, expect: &str, infrastructure: bool, mismatch: bool| {
        let workspace = Workspace::new();
        let mut graph = Graph::new();
        closure(&mut graph, "a", (expect, &[]), work);
        let ran = workspace.build(&graph).of(&["a"]).run();
        assert_eq!(ran.failure(), format!("a: {expect}"));
        let kind = &ran.ok().failures[0].kind;
        assert_eq!((kind.is_infrastructure(), kind.is_mismatch()), (infrastructure, mismatch));
    };
    std::panic::set_hook(Box::new(|_| {}));
    check(|_| panic!("oh {}", "no"), "panicked: oh no", false, false);
    check(|_| panic!("plain"), "panicked: plain", false, false);
    _ = std::panic::take_hook();
    check(|_| Ok(()), "left no `o`, which it declares as an output", false, false);
    check(|cx| cx.out().map(drop), "left no `o`, which it declares as an output", false, false);
    check(|_| Err(BuiltinError::failed(&io::Error::other("inner"))), "inner", false, false);
    check(|_| Err(BuiltinError::infrastructure(&io::Error::other("net"))), "net", true, false);
    check(|_| Err(BuiltinError::mismatch(&io::Error::other("sum"))), "sum", false, true);
    check(
        |_| Err(BuiltinError::Cancelled),
        "stopped as if it were cancelled, but the build was not cancelled",
        false,
        false,
    );
    check(
        |cx| {
            std::os::unix::fs::symlink("/etc/passwd", cx.out()?.join("o")).unwrap();
            Ok(())
        },
        "left an output that can't be kept: `o` is a symbolic link, which can't be an output",
        false,
        false,
    );
    let lost = Digest::of(cache::DigestFunction::Blake3, b"x");
    check(
        |cx| Err(BuiltinError::Missing(Digest::of(cx.store().function(), b"x"))),
        &format!("the store lacks {lost}, and no action makes it"),
        true,
        false,
    );
}

fn a_result_may_count_only_once() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    closure(&mut graph, "a", ("", &[]), |cx| {
        cx.only_this_once();
        write_joined(cx, "x")
    });
    join(&mut graph, "b", "b", &["a"]);
    for expect in ["a ran, b ran", "a ran, b known"] {
        let ran = workspace.build(&graph).of(&["b"]).run();
        assert_eq!(ran.ends(), expect);
        assert_eq!(workspace.text(ran.artifact(&graph, "b")), "b[x]");
    }
    workspace.forget_state();
    assert_eq!(workspace.build(&graph).of(&["b"]).run().ends(), "a ran, b cached");
}

fn an_action_may_run_again() {
    let workspace = Workspace::new();
    let build = |runs_again: bool, expect: &str| {
        let mut graph = Graph::new();
        again(&mut graph, "a", runs_again);
        assert_eq!(workspace.build(&graph).of(&["a"]).run().ends(), expect);
    };
    build(true, "a ran");
    build(false, "a known");
    build(true, "a ran");
    workspace.forget_state();
    build(false, "a cached");
    build(true, "a ran");
}

fn failures_are_not_cached() {
    let workspace = Workspace::new();
    let flag = workspace.path("works");
    let mut graph = Graph::new();
    let exists = flag.clone();
    closure(&mut graph, "a", ("", &[]), move |cx| {
        if !exists.exists() {
            return Err(BuiltinError::Failed(Report::text("not yet")));
        }
        write_joined(cx, "x")
    });
    for _ in 0..2 {
        assert_eq!(workspace.build(&graph).of(&["a"]).run().ends(), "a failed");
    }
    std::fs::write(flag, "").unwrap();
    assert_eq!(workspace.build(&graph).of(&["a"]).run().ends(), "a ran");
    assert_eq!(workspace.build(&graph).of(&["a"]).run().ends(), "a known");
}

fn nothing_is_downloaded_offline() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    download(&mut graph, "a", "1", |cx| write_joined(cx, "x"));
    let offline = || workspace.build(&graph).of(&["a"]).options(|o| o.offline = true).run();
    let ran = offline();
    assert_eq!(ran.failure(), "a: needs the network, and this build is offline");
    assert_eq!(ran.starts(), "");
    assert_eq!(workspace.build(&graph).of(&["a"]).run().ends(), "a ran");
    assert_eq!(offline().ends(), "a known", "a known result needs no network");
}

fn a_cancelled_build_keeps_what_is_done() {
    let workspace = Workspace::new();
    let cancel = Cancel::new();
    let mut graph = Graph::new();
    join(&mut graph, "a", "a", &[]);
    let inner = cancel.clone();
    closure(&mut graph, "b", ("", &["a"]), move |cx| {
        inner.cancel();
        if cx.cancelled() { Err(BuiltinError::Cancelled) } else { write_joined(cx, "x") }
    });
    join(&mut graph, "c", "c", &["b"]);
    let mut request = workspace.build(&graph).of(&["c"]).export("a", &workspace.path("a.txt"));
    request.cancel = cancel;
    let ran = request.run();
    assert_eq!(ran.ends(), "a ran, b cancelled, c cancelled");
    assert_eq!(ran.ok().status, Status::Interrupted);
    assert!(!workspace.path("a.txt").exists());
    assert_eq!(workspace.build(&graph).of(&["a"]).run().ends(), "a known", "the state was saved");
}

fn a_cancelled_build_starts_nothing() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    join(&mut graph, "a", "a", &[]);
    let request = workspace.build(&graph).of(&["a"]);
    request.cancel.cancel();
    let ran = request.run();
    assert_eq!(ran.ends(), "a cancelled");
    assert_eq!(ran.ok().status, Status::Interrupted);
}

fn notes_are_shown_again() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    closure(&mut graph, "a", ("", &[]), |cx| {
        cx.note("warning: odd");
        write_joined(cx, "x")
    });
    let notes = || {
        let ran = workspace.build(&graph).of(&["a"]).run();
        let found = ran.events.iter().find_map(|event| match event {
            Event::Finished { messages, .. } => Some(messages.clone()),
            _ => None,
        });
        (ran.ends(), String::from_utf8(found.unwrap().stderr).unwrap())
    };
    let note = "warning: odd\n".to_owned();
    assert_eq!(notes(), ("a ran".to_owned(), note.clone()));
    assert_eq!(notes(), ("a known".to_owned(), note.clone()));
    workspace.forget_state();
    assert_eq!(notes(), ("a cached".to_owned(), note.clone()));
    workspace.lose(&Digest::of(workspace.store.function(), note.as_bytes()));
    assert_eq!(notes(), ("a known".to_owned(), String::new()), "a lost note is no reason to run");
}

fn progress_is_passed_on() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    closure(&mut graph, "a", ("", &[]), |cx| {
        cx.progress(1, Some(2));
        cx.status("unpacking");
        write_joined(cx, "x")
    });
    let ran = workspace.build(&graph).of(&["a"]).run();
    let shown: Vec<String> = ran.events.iter().map(|event| format!("{event:?}")).collect();
    let place = |part: &str| shown.iter().position(|event| event.contains(part)).unwrap();
    assert!(place("Started { label: a") < place("Bytes { done: 1, total: Some(2) }"));
    assert!(place("Bytes") < place("Text(\"unpacking\")"));
    assert!(place("Text") < place("Finished { label: a"));
    assert!(matches!(shown.last(), Some(last) if last.contains("BuildFinished")));
}
