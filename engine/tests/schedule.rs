//! Stories of the schedule: which actions run, which do not, and in which order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use engine::{Event, Graph};

use crate::harness::{Workspace, closure, download, join, write_joined};

crate::tests![
    only_what_is_needed_runs,
    nothing_runs_twice,
    results_are_shared_by_key,
    equal_actions_run_once,
    two_builds_at_once_make_a_result_once,
    equal_results_cut_the_build_short,
    one_job_is_one_order,
    jobs_run_at_once,
    downloads_do_not_take_the_places_of_jobs,
    many_results_in_many_builds,
    the_critical_path_is_the_longest_chain,
];

/// Makes a graph in which `top` needs `left` and `right`, which both need `base`. `other` needs nothing.
fn diamond(base: &str) -> Graph {
    let mut graph = Graph::new();
    join(&mut graph, "base", base, &[]);
    join(&mut graph, "left", "l", &["base"]);
    join(&mut graph, "right", "r", &["base"]);
    join(&mut graph, "other", "o", &[]);
    join(&mut graph, "top", "t", &["left", "right"]);
    graph
}

fn only_what_is_needed_runs() {
    let workspace = Workspace::new();
    let graph = diamond("1");
    let ran = workspace.build(&graph).of(&["left"]).run();
    assert_eq!(ran.ends(), "base ran, left ran");
    assert_eq!(workspace.text(ran.artifact(&graph, "left")), "l[1]");
    let ran = workspace.build(&graph).of(&["top"]).run();
    assert_eq!(ran.ends(), "base known, left known, right ran, top ran");
    assert_eq!(workspace.text(ran.artifact(&graph, "top")), "t[l[1]][r[1]]");
    let summary = &ran.ok().summary;
    assert_eq!((summary.actions, summary.hits, summary.ran), (4, 2, 2));
}

fn nothing_runs_twice() {
    let workspace = Workspace::new();
    let graph = diamond("1");
    workspace.build(&graph).of(&["top"]).run();
    let known = "base known, left known, right known, top known";
    assert_eq!(workspace.build(&graph).of(&["top"]).run().ends(), known);
    workspace.forget_state();
    let cached = "base cached, left cached, right cached, top cached";
    assert_eq!(workspace.build(&graph).of(&["top"]).run().ends(), cached);
    assert_eq!(workspace.build(&graph).of(&["top"]).run().ends(), known);
}

fn results_are_shared_by_key() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    join(&mut graph, "mine", "same", &[]);
    join(&mut graph, "yours", "same", &[]);
    workspace.build(&graph).of(&["mine"]).run();
    assert_eq!(workspace.build(&graph).of(&["yours"]).run().ends(), "yours cached");
}

fn equal_actions_run_once() {
    for jobs in [1, 4] {
        let workspace = Workspace::new();
        let mut graph = Graph::new();
        for name in ["a", "b", "c"] {
            closure(&mut graph, name, ("same", &[]), |cx| {
                std::thread::sleep(Duration::from_millis(20));
                write_joined(cx, "x")
            });
        }
        let ran = workspace.build(&graph).of(&["a", "b", "c"]).options(|o| o.jobs = jobs).run();
        assert_eq!(ran.ends(), "a ran, b cached, c cached");
    }
}

/// Builds twice at once, as two processes would that share nothing but the folder of the store.
fn two_builds_at_once_make_a_result_once() {
    let first = Workspace::new();
    let made = Arc::new(AtomicUsize::new(0));
    let (begun, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let graph = |blocks: bool| {
        let (made, begun, go_on) = (Arc::clone(&made), Arc::clone(&begun), Arc::clone(&go_on));
        let mut graph = Graph::new();
        closure(&mut graph, "layer", ("same", &[]), move |cx| {
            made.fetch_add(1, Ordering::SeqCst);
            if blocks {
                begun.wait();
                go_on.wait();
            }
            write_joined(cx, "x")
        });
        graph
    };
    std::thread::scope(|scope| {
        let maker = scope.spawn(|| first.build(&graph(true)).of(&["layer"]).run().ends());
        begun.wait();
        let waiter = scope.spawn(|| {
            Workspace::at(first.folder()).build(&graph(false)).of(&["layer"]).run().ends()
        });
        // If a build is stopped while it waits for another one, the other one goes on.
        let stopped = scope.spawn(|| {
            let (second, graph) = (Workspace::at(first.folder()), graph(false));
            let request = second.build(&graph).of(&["layer"]);
            let cancel = request.cancel.clone();
            std::thread::scope(|scope| {
                let ran = scope.spawn(move || request.run().ends());
                std::thread::sleep(Duration::from_millis(100));
                cancel.cancel();
                ran.join().unwrap()
            })
        });
        assert_eq!(stopped.join().unwrap(), "layer cancelled");
        assert!(!waiter.is_finished());
        go_on.wait();
        assert_eq!(maker.join().unwrap(), "layer ran");
        assert_eq!(waiter.join().unwrap(), "layer cached");
    });
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

fn equal_results_cut_the_build_short() {
    let workspace = Workspace::new();
    // `strip` drops the text after `#`, as a compiler drops comments.
    let graph = |source: &str| {
        let mut graph = Graph::new();
        join(&mut graph, "source", source, &[]);
        closure(&mut graph, "strip", ("", &["source"]), |cx| {
            let text = String::from_utf8(cx.read("source")?).unwrap();
            let code = text.split('#').next().unwrap().to_owned();
            std::fs::write(cx.out()?.join("o"), code).unwrap();
            Ok(())
        });
        join(&mut graph, "link", "l", &["strip"]);
        graph
    };
    workspace.build(&graph("code # one")).of(&["link"]).run();
    let ran = workspace.build(&graph("code # two")).of(&["link"]).run();
    assert_eq!(ran.ends(), "source ran, strip ran, link known");
    let ran = workspace.build(&graph("more # two")).of(&["link"]).run();
    assert_eq!(ran.ends(), "source ran, strip ran, link ran");
}

fn one_job_is_one_order() {
    let mut graph = Graph::new();
    for at in 0..30 {
        let (near, far) = (format!("a{}", at / 2), format!("a{}", at / 3));
        let needs: &[&str] = if at == 0 { &[] } else { &[&near, &far] };
        // Two inputs may not have one name.
        let needs = if near == far { &needs[..needs.len().min(1)] } else { needs };
        if at % 5 == 4 {
            download(&mut graph, &format!("a{at}"), &at.to_string(), |cx| write_joined(cx, "x"));
        } else {
            join(&mut graph, &format!("a{at}"), &at.to_string(), needs);
        }
    }
    let starts = || {
        let workspace = Workspace::new();
        let targets: Vec<String> = (0..30).rev().map(|at| format!("a{at}")).collect();
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        workspace.build(&graph).of(&targets).run().starts()
    };
    let first = starts();
    assert_eq!(first.split(' ').count(), 30);
    for _ in 0..5 {
        assert_eq!(starts(), first);
    }
}

fn jobs_run_at_once() {
    let workspace = Workspace::new();
    let barrier = Arc::new(Barrier::new(3));
    let mut graph = Graph::new();
    for name in ["a", "b", "c"] {
        let barrier = Arc::clone(&barrier);
        closure(&mut graph, name, (name, &[]), move |cx| {
            barrier.wait();
            write_joined(cx, "x")
        });
    }
    let ran = workspace.build(&graph).of(&["a", "b", "c"]).options(|o| o.jobs = 3).run();
    assert_eq!(ran.ok().summary.ran, 3, "three that wait for each other end only together");
    let busy = Arc::new(Mutex::new(()));
    let mut graph = Graph::new();
    let names: Vec<String> = (0..6).map(|at| format!("a{at}")).collect();
    for name in &names {
        let busy = Arc::clone(&busy);
        closure(&mut graph, name, (name, &[]), move |cx| {
            let _alone = busy.try_lock().expect("no two at once");
            std::thread::sleep(Duration::from_millis(2));
            write_joined(cx, "x")
        });
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(workspace.build(&graph).of(&names).run().ok().summary.ran, 6);
}

fn downloads_do_not_take_the_places_of_jobs() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    let barrier = Arc::new(Barrier::new(5));
    for name in ["d1", "d2", "d3"] {
        let barrier = Arc::clone(&barrier);
        download(&mut graph, name, name, move |cx| {
            barrier.wait();
            write_joined(cx, "x")
        });
    }
    for name in ["a", "b"] {
        let barrier = Arc::clone(&barrier);
        closure(&mut graph, name, (name, &[]), move |cx| {
            barrier.wait();
            write_joined(cx, "x")
        });
    }
    let request = workspace.build(&graph).of(&["d1", "d2", "d3", "a", "b"]);
    let ran = request.options(|o| (o.jobs, o.downloads) = (2, 3)).run();
    assert_eq!(ran.ok().summary.ran, 5);
}

/// Changes a random graph again and again. Each incremental build must give the same results as a build from
/// scratch, and a second build must give them without running anything.
fn many_results_in_many_builds() {
    let workspace = Workspace::new();
    let mut seed = 1_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for round in 0..20 {
        let mut graph = Graph::new();
        let mut texts: Vec<String> = Vec::new();
        for at in 0..40_u64 {
            let text = random(3).to_string();
            let mut needs: Vec<u64> =
                (0..random(3)).filter(|_| at > 0).map(|_| random(at)).collect();
            needs.sort_unstable();
            needs.dedup();
            let names: Vec<String> = needs.iter().map(|need| format!("a{need}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            join(&mut graph, &format!("a{at}"), &text, &names);
            let joined =
                needs.iter().map(|need| format!("[{}]", texts[usize::try_from(*need).unwrap()]));
            texts.push(text + &joined.collect::<String>());
        }
        let names: Vec<String> = (0..40).map(|at| format!("a{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let request = || workspace.build(&graph).of(&names).options(|o| o.jobs = 4);
        let ran = request().run();
        for (name, text) in names.iter().zip(&texts) {
            assert_eq!(workspace.text(ran.artifact(&graph, name)), *text, "round {round}, {name}");
        }
        assert_eq!(request().run().ok().summary.hits, 40);
    }
}

fn the_critical_path_is_the_longest_chain() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    let slow = |graph: &mut Graph, name: &str, needs: &[&str], time: u64| {
        closure(graph, name, (name, needs), move |cx| {
            std::thread::sleep(Duration::from_millis(time));
            write_joined(cx, "x")
        });
    };
    slow(&mut graph, "a", &[], 30);
    slow(&mut graph, "b", &[], 50);
    slow(&mut graph, "c", &["a"], 40);
    slow(&mut graph, "d", &["b", "c"], 1);
    let ran = workspace.build(&graph).of(&["d"]).options(|o| o.jobs = 2).run();
    let path = &ran.ok().summary.critical_path;
    let names: Vec<_> = path.iter().map(|(label, _)| label.owner()).collect();
    assert_eq!(names, ["a", "c", "d"]);
    let (send, receive) = channel();
    ran.events.iter().for_each(|event| {
        if let Event::BuildFinished(summary) = event {
            send.send(summary.clone()).unwrap();
        }
    });
    assert_eq!(receive.try_recv().as_ref(), Ok(&ran.ok().summary));
}
