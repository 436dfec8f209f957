//! Tests that play sequences of events with actions that do nothing, and check the phases.

use cache::{Digest, DigestFunction};

use super::*;
use crate::{Action, Artifact, Builtin, BuiltinContext, BuiltinError, Input, Label, Source};

struct Nothing;

impl Builtin for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }

    fn version(&self) -> &'static str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        Vec::new()
    }

    fn run(&self, _: &BuiltinContext) -> Result<(), BuiltinError> {
        Ok(())
    }
}

/// Makes a graph of lines such as `c: a b`, in which `c` needs `a` and `b`. A name with `!` is pinned.
fn graph(lines: &[&str]) -> Graph {
    let mut graph = Graph::new();
    for line in lines {
        let (name, needs) = line.split_once(':').unwrap();
        let label = Label::new(name.trim_end_matches('!'), "x");
        let mut action = Action::builtin(label, Nothing).output("o");
        if name.ends_with('!') {
            action = action.pinned(digest("pin"));
        }
        for need in needs.split_whitespace() {
            let id = id(&graph, need);
            action = action.input(Input::new(need, Source::output(id, "o")));
        }
        graph.add(action).unwrap();
    }
    graph
}

fn id(graph: &Graph, name: &str) -> ActionId {
    graph.find(&Label::new(name, "x")).unwrap()
}

fn digest(content: &str) -> Digest {
    Digest::of(DigestFunction::Blake3, content.as_bytes())
}

fn success(content: &str) -> Arc<Success> {
    let outputs = vec![("o".to_owned(), Artifact::Tree(digest(content)))];
    Arc::new(Success { outputs, stdout: None, stderr: None })
}

/// Does what each word says, and returns the phases as text.
///
/// `want:a`, `run:a` (queue and start), `done:a=content`, `fail:a`, `again:a`, `end`, `end:a`
/// (because of `a`), `remake:a`, `remake:a/b` (found out by `b`).
fn play(graph: &Graph, nodes: &mut Nodes<'_>, words: &str) -> String {
    for word in words.split_whitespace() {
        let (verb, rest) = word.split_once(':').unwrap_or((word, ""));
        let (name, more) = rest.split_once(['=', '/']).unwrap_or((rest, ""));
        match verb {
            "want" => nodes.want([id(graph, name)]),
            "run" => {
                nodes.queue(id(graph, name));
                nodes.start(id(graph, name));
            }
            "done" => nodes.done(id(graph, name), success(more)),
            "fail" => nodes.failed(id(graph, name)),
            "again" => nodes.again(id(graph, name)),
            "end" => nodes.end((!name.is_empty()).then(|| id(graph, name))),
            "remake" => {
                let since = (!more.is_empty()).then(|| id(graph, more));
                nodes.remake(id(graph, name), since);
            }
            other => panic!("no verb {other}"),
        }
    }
    let shown = graph
        .actions()
        .map(|(id, action)| format!("{}={:?}", action.label.owner(), nodes.phase(id)));
    shown.collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(lines: &[&str], story: &[(&str, &str)]) {
    let graph = graph(lines);
    let mut nodes = Nodes::new(&graph, false);
    for (words, expect) in story {
        assert_eq!(play(&graph, &mut nodes, words), *expect, "after {words}");
    }
}

#[test]
fn only_what_is_wanted_and_what_that_needs() {
    check(
        &["a:", "b: a", "c: a", "d:"],
        &[
            ("want:b", "a=Ready b=Waiting c=Idle d=Idle"),
            ("run:a", "a=Running b=Waiting c=Idle d=Idle"),
            ("done:a=1", "a=Done b=Ready c=Idle d=Idle"),
            ("want:c", "a=Done b=Ready c=Ready d=Idle"),
            ("run:b done:b=1 run:c done:c=1", "a=Done b=Done c=Done d=Idle"),
        ],
    );
}

#[test]
fn a_failure_takes_its_dependents_only() {
    check(
        &["a:", "b: a", "c: b", "d:", "e: d c", "f: d"],
        &[
            ("want:e want:f want:c", "a=Ready b=Waiting c=Waiting d=Ready e=Waiting f=Waiting"),
            ("run:a fail:a", "a=Failed b=Skipped c=Skipped d=Ready e=Skipped f=Waiting"),
            ("run:d done:d=1", "a=Failed b=Skipped c=Skipped d=Done e=Skipped f=Ready"),
            ("want:b", "a=Failed b=Skipped c=Skipped d=Done e=Skipped f=Ready"),
        ],
    );
}

#[test]
fn what_is_wanted_after_a_failure_is_skipped() {
    check(
        &["a:", "b: a", "c: b"],
        &[
            ("want:a run:a fail:a", "a=Failed b=Idle c=Idle"),
            ("want:c", "a=Failed b=Skipped c=Skipped"),
        ],
    );
}

#[test]
fn the_skipped_name_the_failure_at_the_root() {
    let graph = graph(&["a:", "b: a", "c: b"]);
    let mut nodes = Nodes::new(&graph, false);
    play(&graph, &mut nodes, "want:c run:a fail:a");
    let [a, b, c] = ["a", "b", "c"].map(|name| id(&graph, name));
    let skipped = |id| Notice::Skipped { id, because: a };
    assert_eq!(nodes.take_notices(), [skipped(b), skipped(c)]);
    assert_eq!(nodes.take_notices(), []);
}

#[test]
fn a_pin_cuts_off_what_makes_it_until_it_is_asked_for() {
    check(
        &["fetch:", "image!: fetch", "use: image"],
        &[
            ("want:use", "fetch=Idle image=Done use=Ready"),
            ("run:use remake:image/use again:use", "fetch=Ready image=Waiting use=Waiting"),
            ("run:fetch done:fetch=1", "fetch=Done image=Ready use=Waiting"),
            ("run:image done:image=pin", "fetch=Done image=Done use=Ready"),
        ],
    );
}

#[test]
fn lost_results_are_made_again_and_the_same_bytes_change_nothing() {
    check(
        &["a:", "b: a", "c: b", "d: b"],
        &[
            (
                "want:c want:d run:a done:a=1 run:b done:b=1 run:d done:d=1",
                "a=Done b=Done c=Ready d=Done",
            ),
            ("run:c remake:b/c again:c", "a=Done b=Ready c=Waiting d=Done"),
            ("run:b remake:a/b again:b", "a=Ready b=Waiting c=Waiting d=Done"),
            ("run:a done:a=1", "a=Done b=Ready c=Waiting d=Done"),
            ("run:b done:b=1", "a=Done b=Done c=Ready d=Done"),
        ],
    );
}

#[test]
fn other_bytes_send_every_dependent_back_to_its_key() {
    let lines = ["a:", "done: a", "queued: a", "running: a", "pinned!: a"];
    let graph = graph(&lines);
    let mut nodes = Nodes::new(&graph, false);
    let mut after = |words: &str| play(&graph, &mut nodes, words);
    after("want:done want:queued want:running want:pinned want:a run:a done:a=1");
    after("run:done done:done=1 run:running");
    let phases = after("remake:a run:a done:a=2");
    assert_eq!(phases, "a=Done done=Ready queued=Ready running=Running pinned=Done");
    assert!(nodes.is_stale(id(&graph, "running")), "what runs has old inputs");
    play(&graph, &mut nodes, "again:running run:running");
    assert!(!nodes.is_stale(id(&graph, "running")));
}

#[test]
fn a_result_made_since_the_question_is_not_made_again() {
    let graph = graph(&["a:", "b: a", "c: a"]);
    let mut nodes = Nodes::new(&graph, false);
    let [a, b, c] = ["a", "b", "c"].map(|name| id(&graph, name));
    play(&graph, &mut nodes, "want:b want:c run:a done:a=1 run:b run:c");
    assert_eq!(nodes.remake(a, Some(b)), Remake::Coming);
    play(&graph, &mut nodes, "again:b run:a done:a=1");
    assert_eq!(nodes.remake(a, Some(c)), Remake::Coming);
    assert_eq!(nodes.phase(a), Phase::Done, "`c` asked about the result that was lost before");
}

#[test]
fn nothing_is_made_again_for_ever() {
    let graph = graph(&["a:", "b: a"]);
    let mut nodes = Nodes::new(&graph, false);
    let [a, b] = ["a", "b"].map(|name| id(&graph, name));
    play(&graph, &mut nodes, "want:b run:a done:a=1");
    for _ in 0..REMAKES {
        play(&graph, &mut nodes, "run:b");
        assert_eq!(nodes.remake(a, Some(b)), Remake::Coming);
        play(&graph, &mut nodes, "again:b run:a done:a=1");
    }
    play(&graph, &mut nodes, "run:b");
    assert_eq!(nodes.remake(a, Some(b)), Remake::Exhausted);
}

#[test]
fn what_fails_when_made_again_takes_those_that_asked() {
    check(
        &["a:", "b: a", "c: a"],
        &[
            ("want:b want:c run:a done:a=1 run:c done:c=1", "a=Done b=Ready c=Done"),
            ("run:b remake:a/b again:b run:a fail:a", "a=Failed b=Skipped c=Done"),
        ],
    );
}

#[test]
fn the_end_leaves_nothing_open() {
    let lines = ["a:", "b:", "c: b", "d:"];
    check(&lines, &[("want:a want:c run:a fail:a end:a", "a=Failed b=Skipped c=Skipped d=Idle")]);
    check(&lines, &[("want:a want:c end", "a=Cancelled b=Cancelled c=Cancelled d=Idle")]);
}

/// Returns the processor time of this thread, which other programs on the machine do not change.
fn worked() -> std::time::Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    std::time::Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap())
}

#[test]
fn the_work_grows_with_the_needs_of_an_action_and_not_with_their_square() {
    let play = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("n{at}")).collect();
        let mut lines: Vec<String> = names.iter().map(|name| format!("{name}:")).collect();
        lines.push(format!("last: {}", names.join(" ")));
        let graph = graph(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let mut nodes = Nodes::new(&graph, false);
        nodes.want([id(&graph, "last")]);
        let begin = worked();
        for name in &names {
            assert_eq!(nodes.phase(id(&graph, "last")), Phase::Waiting);
            let id = id(&graph, name);
            nodes.queue(id);
            nodes.start(id);
            nodes.done(id, success("x"));
        }
        assert_eq!(nodes.phase(id(&graph, "last")), Phase::Ready);
        worked() - begin
    };
    let least = |count| (0..3).map(|_| play(count)).min().unwrap();
    let (few, many) = (least(500), least(2000));
    // Work in proportion to the needs takes four times as long; work in proportion to their square takes sixteen times.
    assert!(many < 8 * few, "{few:?}, then {many:?}");
}

#[test]
fn a_parked_action_is_passed_over_until_it_is_woken() {
    let graph = graph(&["a:", "b:", "c: a b"]);
    let [a, b, c] = ["a", "b", "c"].map(|name| id(&graph, name));
    let mut nodes = Nodes::new(&graph, false);
    nodes.want([c]);
    nodes.queue(a);
    nodes.queue(b);
    assert_eq!(nodes.first_queued(QueueKind::Network), None, "nothing here needs the network");
    nodes.park(a);
    assert_eq!((nodes.first_queued(QueueKind::Here), nodes.phase(a)), (Some(b), Phase::Queued));
    nodes.unpark(a);
    assert_eq!(nodes.first_queued(QueueKind::Here), Some(a));
    nodes.park(a);
    nodes.park(b);
    assert!(nodes.unpark_all() && !nodes.unpark_all());
    nodes.park(a);
    nodes.again(a);
    assert_eq!((nodes.phase(a), nodes.first_queued(QueueKind::Here)), (Phase::Ready, Some(b)));
    nodes.unpark(a);
    assert_eq!(nodes.first_queued(QueueKind::Here), Some(b), "it has left the queue");
}
