//! Stories of a cluster that executes commands beside this machine. Its results have no blobs here, and this machine runs
//! what the cluster does not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache::{Digest, DigestFunction, DiskStore, Entry, Tree, reapi};
use engine::{
    Access, Action, ActionKey, Artifact, Cluster, Event, Execution, ExecutionStage, FailureKind,
    Graph, Input, Process, Refusal, Remote, Report, Source, Status,
};
use prost::Message as _;
use sandbox::{Cancel, Determinism};

use crate::commands::image;
use crate::harness::{Ran, TestBuild, Workspace, id, join, label, sh, shell};

crate::tests![
    what_a_cluster_makes_is_kept_once_and_fetched_when_it_is_needed,
    the_results_of_a_doubtful_cluster_stay_in_the_project,
    both_sides_work_at_once,
    what_the_cluster_could_not_run_alike_stays_here,
    what_takes_a_moment_stays_here,
    what_a_cluster_refuses_runs_here_or_fails,
    a_worker_that_is_unfit_is_not_the_tools_failure,
    a_tool_that_fails_there_has_failed,
    results_that_lack_something_are_no_results,
    folders_are_results_by_their_messages,
    links_that_leave_an_output_are_refused_as_here,
    a_link_is_no_output_as_here,
    a_cancelled_build_ends_at_once,
    offline_nothing_is_sent_away,
];

/// The behaviour of a cluster towards an action.
#[derive(Clone, Default)]
enum Does {
    /// It runs it: the output `o` is the word after `echo` in the script.
    #[default]
    Runs,
    /// It refuses it.
    Refuses(Refusal),
    /// It gives this result.
    Gives(Box<reapi::ActionResult>),
    /// It runs it for ever.
    Hangs,
}

/// A cluster with a store of its own.
struct FakeCluster {
    store: DiskStore,
    does: Does,
    takes: Duration,
    is_doubtful: bool,
    is_demanding: bool,
    platform: BTreeMap<String, String>,
    executed: AtomicUsize,
    now: AtomicUsize,
    at_once: AtomicUsize,
    complaints: Mutex<Vec<String>>,
}

impl FakeCluster {
    fn new(workspace: &Workspace) -> Self {
        let folder = workspace.folder().join("server");
        Self {
            store: DiskStore::open(&folder, DigestFunction::Blake3).unwrap(),
            does: Does::Runs,
            takes: Duration::ZERO,
            is_doubtful: false,
            is_demanding: false,
            platform: BTreeMap::from([("OSFamily".to_owned(), "linux".to_owned())]),
            executed: AtomicUsize::new(0),
            now: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            complaints: Mutex::default(),
        }
    }

    fn that(workspace: &Workspace, does: Does) -> Arc<Self> {
        Arc::new(Self { does, ..Self::new(workspace) })
    }

    fn executed(&self) -> usize {
        self.executed.load(Ordering::SeqCst)
    }

    /// Reads the action's messages, checks them, and returns the result of its script.
    fn result(&self, action: &Digest, store: &DiskStore) -> reapi::ActionResult {
        let read = |digest: Option<reapi::Digest>| {
            let digest = Digest::from_reapi(store.function(), &digest.unwrap()).unwrap();
            (digest, store.get(&digest).unwrap().unwrap())
        };
        let message = reapi::Action::decode(&*store.get(action).unwrap().unwrap()).unwrap();
        let command = reapi::Command::decode(&*read(message.command_digest).1).unwrap();
        assert_eq!(command.arguments, [launcher::PATH]);
        assert_eq!(command.platform.unwrap().properties[0].name, "OSFamily");
        let (root, _) = read(message.input_root_digest);
        let root = store.directory(&root).unwrap().unwrap();
        assert!(root.entries.contains_key("tmp") && root.entries.contains_key("usr"));
        let Some(Entry::Subtree(own)) = root.entries.get(".run") else { panic!("{root:?}") };
        let own = store.directory(own).unwrap().unwrap();
        let Some(Entry::File { digest: orders, .. }) = own.get("orders") else { panic!("{own:?}") };
        let orders = String::from_utf8(store.get(orders).unwrap().unwrap()).unwrap();
        let script = orders.split('\0').filter_map(|text| text.strip_prefix('a')).nth(2).unwrap();
        let word = script.split(' ').skip_while(|word| *word != "echo").nth(1).unwrap();
        let digest = self.store.put(format!("{word}\n").as_bytes()).unwrap();
        reapi::ActionResult {
            output_files: vec![file(&digest)],
            stderr_raw: b"said there\n".to_vec(),
            ..reapi::ActionResult::default()
        }
    }
}

fn file(digest: &Digest) -> reapi::OutputFile {
    let (path, digest) = ("out/o".to_owned(), Some(digest.to_reapi()));
    reapi::OutputFile { path, digest, ..reapi::OutputFile::default() }
}

impl Cluster for FakeCluster {
    fn name(&self) -> &str {
        "fake:1"
    }

    fn platform(&self) -> &BTreeMap<String, String> {
        &self.platform
    }

    fn is_trusted(&self) -> bool {
        !self.is_doubtful
    }

    fn falls_back(&self) -> bool {
        !self.is_demanding
    }

    fn is_available(&self) -> bool {
        true
    }

    fn execute(
        &self,
        execution: &Execution<'_>,
        store: &DiskStore,
        cancel: &Cancel,
    ) -> Result<reapi::ActionResult, Refusal> {
        self.executed.fetch_add(1, Ordering::SeqCst);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.at_once.fetch_max(now, Ordering::SeqCst);
        (execution.watch)(ExecutionStage::Executing);
        std::thread::sleep(self.takes);
        let end = match &self.does {
            Does::Runs => Ok(self.result(&execution.action, store)),
            Does::Refuses(refusal) => Err(refusal.clone()),
            Does::Gives(result) => Ok((**result).clone()),
            Does::Hangs => {
                while !cancel.is_cancelled() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(Refusal::Cancelled)
            }
        };
        self.now.fetch_sub(1, Ordering::SeqCst);
        end
    }

    fn complain(&self, why: &str) {
        self.complaints.lock().unwrap().push(why.to_owned());
    }
}

/// Fetches files from the store of a cluster.
struct Blobs(DiskStore, AtomicUsize);

impl Remote for Blobs {
    fn result(&self, _: &ActionKey, _: &Cancel) -> Option<reapi::ActionResult> {
        None
    }

    fn fetch(&self, artifacts: &[Artifact], store: &DiskStore, _: &Cancel) -> bool {
        self.1.fetch_add(1, Ordering::SeqCst);
        artifacts.iter().all(|artifact| match self.0.get(artifact.digest()).unwrap() {
            Some(bytes) => store.put(&bytes).is_ok(),
            None => false,
        })
    }

    fn is_trusted(&self) -> bool {
        true
    }

    fn takes_results(&self) -> bool {
        false
    }

    fn keep(&self, _: &ActionKey, _: &reapi::ActionResult, _: &DiskStore, _: &Cancel) {
        unreachable!()
    }
}

/// A graph in which each action says its own name, and needs the one before it.
fn chain(workspace: &Workspace, names: &[&str]) -> Graph {
    let mut graph = Graph::new();
    for (at, name) in names.iter().enumerate() {
        let before = names[..at].last();
        let input = before.map(|before| {
            Input::new(format!("in/{before}"), Source::output(id(&graph, before), "o"))
        });
        let line = format!("echo {name} > /out/o");
        let image = image(&workspace.store);
        shell(&mut graph, name, &line, [image].into_iter().chain(input));
    }
    graph
}

fn build<'a>(
    workspace: &'a Workspace,
    graph: &'a Graph,
    cluster: &Arc<FakeCluster>,
) -> TestBuild<'a> {
    let remote = Blobs(cluster.store.clone(), AtomicUsize::new(0));
    workspace.build(graph).cluster(cluster.clone(), 2).remote(Arc::new(remote))
}

fn what_a_cluster_makes_is_kept_once_and_fetched_when_it_is_needed() {
    let workspace = Workspace::new();
    let graph = chain(&workspace, &["a", "b"]);
    let cluster = Arc::new(FakeCluster::new(&workspace));
    let ran = build(&workspace, &graph, &cluster).of(&["b"]).run();
    assert_eq!(ran.ends(), "a ran, b ran");
    assert_eq!((ran.ok().summary.ran, ran.ok().summary.ran_on_cluster), (2, 2));
    let artifact = ran.artifact(&graph, "a");
    assert!(!workspace.store.contains(artifact.digest()), "nothing here needs it");
    let key = ran.ok().key(id(&graph, "b")).unwrap();
    let result = workspace.store.action_result(&key.0).unwrap();
    assert_eq!(result.execution_metadata.unwrap().worker, "fake:1");
    let said = ran.events.iter().filter_map(|event| match event {
        Event::Finished { messages, .. } => Some(messages.stderr.as_slice()),
        Event::Started { cluster, .. } => {
            assert_eq!(cluster.as_deref(), Some("fake:1"));
            None
        }
        _ => None,
    });
    assert_eq!(said.collect::<Vec<_>>(), [b"said there\n", b"said there\n"]);
    workspace.forget_state();
    let ran = build(&workspace, &graph, &cluster).of(&["b"]).present("a").run();
    assert_eq!((ran.ends().as_str(), cluster.executed()), ("a cached, b cached", 2));
    assert_eq!(workspace.text(artifact), "a\n");
}

fn the_results_of_a_doubtful_cluster_stay_in_the_project() {
    let workspace = Workspace::new();
    let graph = chain(&workspace, &["a"]);
    let cluster = Arc::new(FakeCluster { is_doubtful: true, ..FakeCluster::new(&workspace) });
    let ran = build(&workspace, &graph, &cluster).of(&["a"]).run();
    assert_eq!(ran.ends(), "a ran");
    assert_eq!(build(&workspace, &graph, &cluster).of(&["a"]).run().ends(), "a known");
    workspace.forget_state();
    let ran = workspace.build(&graph).of(&["a"]).run();
    assert_eq!((ran.ends().as_str(), cluster.executed()), ("a ran", 1));
    assert!(workspace.store.contains(ran.artifact(&graph, "a").digest()));
}

fn both_sides_work_at_once() {
    let workspace = Workspace::new();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut graph = Graph::new();
    for name in names {
        let line = format!("sleep 0.3; echo {name} > /out/o");
        shell(&mut graph, name, &line, [image(&workspace.store)]);
    }
    let takes = Duration::from_millis(300);
    let cluster = Arc::new(FakeCluster { takes, ..FakeCluster::new(&workspace) });
    let ran = build(&workspace, &graph, &cluster).of(&names).run();
    let there = ran.ok().summary.ran_on_cluster;
    assert_eq!((ran.ok().summary.ran, there), (8, cluster.executed()));
    assert!((3..8).contains(&there), "{there} of 8");
    assert_eq!(cluster.at_once.load(Ordering::SeqCst), 2);
}

fn what_the_cluster_could_not_run_alike_stays_here() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    let mut add = |name: &str, process: Process, access| {
        let tree = workspace.store.put_tree(&Tree::default()).unwrap();
        let input = Input { at: "w".to_owned(), from: Source::Tree(tree), access };
        let action = Action::process(label(name), process).input(image(&workspace.store));
        graph.add(action.input(input).output("o")).unwrap();
    };
    let line = || sh("echo x > /out/o");
    let fixed = Process { determinism: Some(Determinism::at(0)), ..line() };
    add("fixed", fixed, Access::ReadOnly);
    add("scratch", line(), Access::Scratch);
    add("plain", line(), Access::ReadOnly);
    join(&mut graph, "builtin", "x", &[]);
    let cluster = Arc::new(FakeCluster::new(&workspace));
    let all = ["fixed", "scratch", "plain", "builtin"];
    let ran = build(&workspace, &graph, &cluster).of(&all).run();
    assert_eq!((ran.ok().summary.ran, cluster.executed()), (4, 1));
}

fn what_takes_a_moment_stays_here() {
    let workspace = Workspace::new();
    let run = |text: &str, cluster: Option<&Arc<FakeCluster>>| {
        let mut graph = Graph::new();
        let line = format!("echo {text} > /out/o");
        shell(&mut graph, "a", &line, [image(&workspace.store)]);
        let ran = match cluster {
            Some(cluster) => build(&workspace, &graph, cluster).of(&["a"]).run(),
            None => workspace.build(&graph).of(&["a"]).run(),
        };
        assert_eq!(ran.ends(), "a ran");
    };
    run("1", None);
    run("2", None);
    let cluster = Arc::new(FakeCluster::new(&workspace));
    run("3", Some(&cluster));
    assert_eq!(cluster.executed(), 0);
    workspace.forget_state();
    run("4", Some(&cluster));
    assert_eq!(cluster.executed(), 1, "nothing is known of it any more");
}

fn what_a_cluster_refuses_runs_here_or_fails() {
    let workspace = Workspace::new();
    let graph = chain(&workspace, &["a", "b"]);
    let refusal = || Does::Refuses(Refusal::Unavailable(Report::text("no workers")));
    let mut cluster = FakeCluster { does: refusal(), ..FakeCluster::new(&workspace) };
    cluster.is_demanding = true;
    let ran = build(&workspace, &graph, &Arc::new(cluster)).of(&["b"]).run();
    assert_eq!(ran.failure(), "a: was not executed: no workers");
    assert!(ran.ok().failures[0].kind.is_of_the_cluster());
    let cluster = FakeCluster::that(&workspace, refusal());
    let ran = build(&workspace, &graph, &cluster).of(&["b"]).run();
    assert_eq!((ran.ends().as_str(), cluster.executed()), ("a ran, b ran", 2));
    assert_eq!((ran.ok().summary.ran_on_cluster, ran.starts().as_str()), (0, "a a b b"));
    // A blob that is here, and that the cluster does not find all the same, is no reason to try for ever.
    let workspace = Workspace::new();
    let graph = chain(&workspace, &["a"]);
    let lost = Digest::of(DigestFunction::Blake3, b"lost");
    let cluster = FakeCluster::that(&workspace, Does::Refuses(Refusal::Missing(lost)));
    let ran = build(&workspace, &graph, &cluster).of(&["a"]).run();
    assert_eq!((ran.ends().as_str(), cluster.executed()), ("a ran", 1));
}

fn a_worker_that_is_unfit_is_not_the_tools_failure() {
    let check = |exit_code, stderr: &[u8], complaints: &[&str]| {
        let workspace = Workspace::new();
        let stderr_raw = stderr.to_vec();
        let result = reapi::ActionResult { exit_code, stderr_raw, ..Default::default() };
        let cluster = FakeCluster::that(&workspace, Does::Gives(Box::new(result)));
        let graph = chain(&workspace, &["a"]);
        let ran = build(&workspace, &graph, &cluster).of(&["a"]).run();
        assert_eq!((ran.ends().as_str(), ran.ok().summary.ran_on_cluster), ("a ran", 0));
        assert_eq!(*cluster.complaints.lock().unwrap(), complaints);
    };
    check(127, b"run launcher: there is no program cc\n", &["there is no program cc"]);
    check(137, b"", &[]);
}

fn a_tool_that_fails_there_has_failed() {
    let workspace = Workspace::new();
    let graph = chain(&workspace, &["a"]);
    let check = |does, expect: &str| {
        let cluster = FakeCluster::that(&workspace, does);
        let ran = build(&workspace, &graph, &cluster).of(&["a"]).run();
        assert_eq!(ran.failure(), expect);
        ran.ok().failures[0].clone()
    };
    let stderr_raw = b"no such variable".to_vec();
    let result = reapi::ActionResult { exit_code: 1, stderr_raw, ..Default::default() };
    let failure = check(Does::Gives(Box::new(result)), "a: exited with status 1");
    assert_eq!(failure.stderr, b"no such variable");
    assert!(failure.command.unwrap().shell().contains("echo a"));
    let failure = check(Does::Refuses(Refusal::TimedOut), "a: ran into its time limit of 0 s").kind;
    assert!(matches!(failure, FailureKind::TimedOut(_)));
}

fn results_that_lack_something_are_no_results() {
    let workspace = Workspace::new();
    let graph = chain(&workspace, &["a"]);
    let cluster = FakeCluster::that(&workspace, Does::Gives(Box::default()));
    let ran = build(&workspace, &graph, &cluster).of(&["a"]).run();
    assert_eq!(ran.failure(), "a: left no `o`, which it declares as an output");
    let digest = Digest::of(DigestFunction::Blake3, b"");
    let broken = reapi::OutputFile { digest: None, ..file(&digest) };
    let result = reapi::ActionResult { output_files: vec![broken], ..Default::default() };
    let cluster = FakeCluster::that(&workspace, Does::Gives(Box::new(result)));
    let ran = build(&workspace, &graph, &cluster).of(&["a"]).run();
    assert_eq!((ran.ends().as_str(), ran.ok().summary.ran_on_cluster), ("a ran", 0));
}

/// Builds an action that leaves a folder with these links on a cluster. The store lacks the folder's messages unless they are
/// `known`.
fn build_links(workspace: &Workspace, links: &[(&str, &str)], known: bool) -> Ran {
    let graph = chain(workspace, &["a"]);
    let mut tree = Tree::default();
    for (path, target) in links {
        tree.insert(path, Entry::Symlink { target: (*target).to_owned() }).unwrap();
    }
    let (root, _) = tree.digest(DigestFunction::Blake3).unwrap();
    if known {
        workspace.store.put_tree(&tree).unwrap();
    }
    let folder = reapi::OutputDirectory {
        path: "out/o".to_owned(),
        root_directory_digest: Some(root.to_reapi()),
        ..Default::default()
    };
    let result = reapi::ActionResult { output_directories: vec![folder], ..Default::default() };
    let cluster = FakeCluster::that(workspace, Does::Gives(Box::new(result)));
    build(workspace, &graph, &cluster).of(&["a"]).run()
}

fn folders_are_results_by_their_messages() {
    let workspace = Workspace::new();
    let ran = build_links(&workspace, &[("l", "b")], false);
    assert_eq!((ran.ends().as_str(), ran.ok().summary.ran_on_cluster), ("a ran", 0));
}

fn links_that_leave_an_output_are_refused_as_here() {
    let check = |links: &[(&str, &str)], expect: &str| {
        let ran = build_links(&Workspace::new(), links, true);
        let expect = format!("a: left an output that can't be kept: the symbolic link {expect}");
        assert_eq!(ran.failure(), expect);
    };
    check(&[("l", "/etc")], "`l` has the absolute target `/etc`");
    check(&[("d/l", "/etc")], "`d/l` has the absolute target `/etc`");
    check(&[("l", "../../up")], "`l` to `../../up` leaves the folder of outputs");
    check(&[("d/l", "../../up")], "`d/l` to `../../up` leaves the folder of outputs");
    check(&[("d/up", ".."), ("e", "d/up/../x")], "`e` to `d/up/../x` leaves the folder of outputs");
    // What stays inside is kept.
    let ran = build_links(&Workspace::new(), &[("d/up", ".."), ("d/l", "../e/f")], true);
    assert_eq!((ran.ends().as_str(), ran.ok().summary.ran_on_cluster), ("a ran", 1));
}

fn a_link_is_no_output_as_here() {
    let link = || reapi::OutputSymlink {
        path: "out/o".to_owned(),
        target: "../etc".to_owned(),
        ..Default::default()
    };
    let results = [
        reapi::ActionResult { output_symlinks: vec![link()], ..Default::default() },
        reapi::ActionResult { output_file_symlinks: vec![link()], ..Default::default() },
        reapi::ActionResult { output_directory_symlinks: vec![link()], ..Default::default() },
    ];
    for result in results {
        let workspace = Workspace::new();
        let cluster = FakeCluster::that(&workspace, Does::Gives(Box::new(result)));
        let graph = chain(&workspace, &["a"]);
        let ran = build(&workspace, &graph, &cluster).of(&["a"]).run();
        let expect = "`o` is a symbolic link, which can't be an output";
        assert_eq!(ran.failure(), format!("a: left an output that can't be kept: {expect}"));
    }
}

fn a_cancelled_build_ends_at_once() {
    let workspace = Workspace::new();
    let graph = chain(&workspace, &["a"]);
    let cluster = FakeCluster::that(&workspace, Does::Hangs);
    let build = build(&workspace, &graph, &cluster).of(&["a"]);
    let cancel = build.cancel.clone();
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            while cluster.executed() == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
            cancel.cancel();
        });
        build.run()
    });
    assert_eq!((ran.ok().status, ran.ends().as_str()), (Status::Interrupted, "a cancelled"));
}

fn offline_nothing_is_sent_away() {
    let workspace = Workspace::new();
    let graph = chain(&workspace, &["a"]);
    let cluster = Arc::new(FakeCluster::new(&workspace));
    let offline = build(&workspace, &graph, &cluster).options(|options| options.offline = true);
    assert_eq!(offline.of(&["a"]).run().ends(), "a ran");
    assert_eq!(cluster.executed(), 0);
}
