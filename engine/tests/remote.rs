//! Stories of a cache beyond this machine. It is asked for many results at once, blobs are fetched from it before an
//! action runs again, and results are uploaded to it. A build never depends on it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cache::{Digest, DigestFunction, DiskStore, Entry, reapi};
use engine::{ActionKey, Artifact, BuiltinError, Download, Exported, Graph, Remote};
use sandbox::Cancel;

use crate::harness::{Workspace, closure, download, id, join, write_joined};

crate::tests![
    a_thousand_questions_take_little_longer_than_one,
    what_another_machine_has_made_is_a_hit_without_its_blobs,
    what_is_needed_is_fetched_and_not_made,
    what_the_remote_lacks_or_only_pretends_to_have_is_made,
    equal_actions_are_asked_for_and_end_alike,
    a_failure_does_not_wait_for_further_answers,
    offline_nobody_is_asked,
    a_doubtful_cache_serves_one_project_only,
    what_is_known_here_is_uploaded_once_there_is_a_cache,
    a_cache_that_takes_nothing_is_given_nothing,
    all_outputs_or_none_are_downloaded_if_that_is_wanted,
    uploads_are_given_up_after_a_time,
];

/// A cache of another machine.
#[derive(Default)]
struct FakeRemote {
    store: Option<DiskStore>,
    /// The time that each answer takes.
    latency: Duration,
    /// True if every third answer takes forty times as long, and tells what was true when it was asked for.
    is_uneven: bool,
    /// True if the cache says that it has delivered a blob although it has not.
    pretends: bool,
    /// True if the cache was named by a checkout and nobody else.
    is_doubtful: bool,
    /// True if the cache takes no results.
    is_read_only: bool,
    /// The time that the upload of a result takes, unless it is cancelled.
    upload: Duration,
    kept: AtomicUsize,
    asked: AtomicUsize,
    fetched: AtomicUsize,
    asked_now: AtomicUsize,
    asked_at_once: AtomicUsize,
}

impl FakeRemote {
    fn at(folder: &Path) -> Self {
        let store = DiskStore::open(&folder.join("server"), DigestFunction::Blake3).unwrap();
        Self { store: Some(store), ..Self::default() }
    }

    fn store(&self) -> &DiskStore {
        self.store.as_ref().unwrap()
    }

    /// Returns the number of results that it was asked for, and of fetches from it.
    fn counts(&self) -> (usize, usize) {
        (self.asked.load(Ordering::SeqCst), self.fetched.load(Ordering::SeqCst))
    }
}

/// Copies a file or a tree from one store to another. Returns `true` if all of it was there.
fn copy(artifact: &Artifact, from: &DiskStore, to: &DiskStore) -> bool {
    let blob = |digest: &Digest| from.get(digest).unwrap().map(|bytes| to.put(&bytes).unwrap());
    match artifact {
        Artifact::File { digest, .. } => blob(digest).is_some(),
        Artifact::Tree(digest) => {
            let Some(directory) = from.directory(digest).unwrap() else { return false };
            directory.entries.values().all(|entry| match entry {
                Entry::File { digest, .. } => blob(digest).is_some(),
                Entry::Subtree(digest) => copy(&Artifact::Tree(*digest), from, to),
                _ => true,
            }) && blob(digest).is_some()
        }
    }
}

impl Remote for FakeRemote {
    fn result(&self, key: &ActionKey, _: &Cancel) -> Option<reapi::ActionResult> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let result = self.store().action_result(&key.0);
        let now = self.asked_now.fetch_add(1, Ordering::SeqCst) + 1;
        self.asked_at_once.fetch_max(now, Ordering::SeqCst);
        let is_late = self.is_uneven && number % 3 == 2;
        std::thread::sleep(if is_late { self.latency * 40 } else { self.latency });
        self.asked_now.fetch_sub(1, Ordering::SeqCst);
        result
    }

    fn fetch(&self, artifacts: &[Artifact], store: &DiskStore, _: &Cancel) -> bool {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        self.pretends || artifacts.iter().all(|artifact| copy(artifact, self.store(), store))
    }

    fn is_trusted(&self) -> bool {
        !self.is_doubtful
    }

    fn takes_results(&self) -> bool {
        !self.is_read_only
    }

    fn keep(
        &self,
        key: &ActionKey,
        result: &reapi::ActionResult,
        store: &DiskStore,
        cancel: &Cancel,
    ) {
        assert!(!self.is_read_only);
        if self.store().action_result(&key.0).is_some() {
            return;
        }
        self.kept.fetch_add(1, Ordering::SeqCst);
        let begin = Instant::now();
        while begin.elapsed() < self.upload {
            if cancel.is_cancelled() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        for file in &result.output_files {
            let digest = file.digest.as_ref().unwrap();
            let digest = Digest::from_reapi(store.function(), digest).unwrap();
            assert!(copy(&Artifact::File { digest, executable: false }, store, self.store()));
        }
        self.store().put_action_result(&key.0, result).unwrap();
    }
}

/// Makes a graph in which `c` needs `b`, which needs `a`.
fn chain(last: &str) -> Graph {
    let mut graph = Graph::new();
    join(&mut graph, "a", "a", &[]);
    join(&mut graph, "b", "b", &["a"]);
    join(&mut graph, "c", last, &["b"]);
    graph
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("n{number}")).collect()
}

fn independent(names: &[String]) -> Graph {
    let mut graph = Graph::new();
    for name in names {
        join(&mut graph, name, name, &[]);
    }
    graph
}

#[expect(clippy::print_stdout, reason = "the figure is what this is for")]
fn a_thousand_questions_take_little_longer_than_one() {
    let (one, other) = (Workspace::new(), Workspace::new());
    let names = names(1000);
    let graph = independent(&names);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let server = FakeRemote { latency: Duration::from_millis(50), ..FakeRemote::at(one.folder()) };
    let filled = Arc::new(FakeRemote::at(one.folder()));
    one.build(&graph).of(&names).remote(filled).run().ok();
    let server = Arc::new(server);
    let begin = Instant::now();
    let ran = other.build(&graph).of(&names).remote(server.clone()).run();
    let took = begin.elapsed();
    assert_eq!((ran.ok().summary.hits, ran.ok().summary.ran), (1000, 0));
    assert_eq!(server.counts(), (1000, 0));
    println!("1000 answers of 50 ms each: {took:?}");
    // One after the other, the answers would take 50 s. Without other work on the machine, this takes 0.7 s.
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(server.asked_at_once.load(Ordering::SeqCst) > 64);
}

fn what_another_machine_has_made_is_a_hit_without_its_blobs() {
    let (one, other) = (Workspace::new(), Workspace::new());
    let graph = chain("c");
    let server = Arc::new(FakeRemote::at(one.folder()));
    let ran = one.build(&graph).of(&["c"]).remote(server.clone()).run();
    assert_eq!(ran.ends(), "a ran, b ran, c ran");
    let key = ran.ok().key(id(&graph, "c")).unwrap();
    assert!(server.store().action_result(&key.0).is_some(), "it was told by the end of the build");
    let ran = other.build(&graph).of(&["c"]).remote(server.clone()).run();
    assert_eq!((ran.ends().as_str(), ran.starts().as_str()), ("a remote, b remote, c remote", ""));
    assert_eq!(server.counts().1, 0);
    assert_eq!(ran.ok().key(id(&graph, "c")), Some(key));
    // The result is stored here now, so the cache is not asked again.
    let asked = server.counts();
    let ran = other.build(&graph).of(&["c"]).remote(server.clone()).run();
    assert_eq!(ran.ends(), "a known, b known, c known");
    other.forget_state();
    let ran = other.build(&graph).of(&["c"]).remote(server.clone()).run();
    assert_eq!(ran.ends(), "a cached, b cached, c cached");
    assert_eq!(server.counts(), asked);
}

fn what_is_needed_is_fetched_and_not_made() {
    let (one, other) = (Workspace::new(), Workspace::new());
    let server = Arc::new(FakeRemote::at(one.folder()));
    one.build(&chain("c")).of(&["c"]).remote(server.clone()).run().ok();
    let graph = chain("new");
    let to = other.path("c");
    let build = other.build(&graph).of(&["c"]).export("c", &to).remote(server.clone());
    let ran = build.run();
    assert_eq!(ran.ends(), "a remote, b remote, c ran");
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "new[b[a]]");
    assert_eq!(server.counts().1, 1, "the blob of `a` was of no use to anybody");
    // The blobs that are asked for are fetched, although no action runs.
    let third = Workspace::new();
    let (graph, to) = (chain("c"), third.path("c"));
    let ran = third.build(&graph).of(&["c"]).export("c", &to).remote(server.clone()).run();
    assert_eq!((ran.ends().as_str(), ran.starts().as_str()), ("a remote, b remote, c remote", ""));
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "c[b[a]]");
    assert_eq!(server.counts().1, 2);
}

fn what_the_remote_lacks_or_only_pretends_to_have_is_made() {
    let one = Workspace::new();
    let server = Arc::new(FakeRemote::at(one.folder()));
    one.build(&chain("c")).of(&["c"]).remote(server.clone()).run().ok();
    for text in ["a", "b[a]"] {
        let digest = Digest::of(DigestFunction::Blake3, text.as_bytes());
        std::fs::remove_file(server.store().blob_path(&digest, false).unwrap().unwrap()).unwrap();
    }
    for (pretends, text) in [(false, "new"), (true, "newer")] {
        let other = Workspace::new();
        let server = Arc::new(FakeRemote { pretends, ..FakeRemote::at(one.folder()) });
        let graph = chain(text);
        let ran = other.build(&graph).of(&["c"]).present("c").remote(server.clone()).run();
        assert_eq!(ran.ends(), "a remote, b remote, a ran, b ran, c ran", "{pretends}");
        assert_eq!(other.text(ran.artifact(&graph, "c")), format!("{text}[b[a]]"));
    }
}

fn equal_actions_are_asked_for_and_end_alike() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    let runs = Arc::new(AtomicUsize::new(0));
    for name in ["a", "b", "c"] {
        let runs = runs.clone();
        closure(&mut graph, name, ("same", &[]), move |cx| {
            runs.fetch_add(1, Ordering::SeqCst);
            write_joined(cx, "same")
        });
    }
    let server = Arc::new(FakeRemote {
        latency: Duration::from_millis(5),
        is_uneven: true,
        ..FakeRemote::at(workspace.folder())
    });
    let build = workspace.build(&graph).of(&["a", "b", "c"]).options(|options| options.jobs = 4);
    let ran = build.remote(server).run();
    assert_eq!((ran.ok().summary.ran, ran.ok().summary.hits), (1, 2));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

fn a_failure_does_not_wait_for_further_answers() {
    let workspace = Workspace::new();
    let names = names(1000);
    let mut graph = Graph::new();
    closure(&mut graph, "bad", ("bad", &[]), |_| {
        Err(BuiltinError::failed(&std::io::Error::other("no")))
    });
    for name in &names {
        join(&mut graph, name, name, &[]);
    }
    let server =
        FakeRemote { latency: Duration::from_millis(100), ..FakeRemote::at(workspace.folder()) };
    let server = Arc::new(server);
    let all: Vec<&str> = ["bad"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let begin = Instant::now();
    let ran = workspace.build(&graph).of(&all).remote(server.clone()).run();
    assert_eq!(ran.failure(), "bad: no");
    assert!(server.counts().0 < 1001, "{} asked in {:?}", server.counts().0, begin.elapsed());
    assert!(server.asked_at_once.load(Ordering::SeqCst) > 1);
}

fn a_doubtful_cache_serves_one_project_only() {
    let (one, other) = (Workspace::new(), Workspace::new());
    let graph = chain("c");
    let server = Arc::new(FakeRemote::at(one.folder()));
    one.build(&graph).of(&["c"]).remote(server).run().ok();
    let doubtful = Arc::new(FakeRemote { is_doubtful: true, ..FakeRemote::at(one.folder()) });
    let ran = other.build(&graph).of(&["c"]).remote(doubtful.clone()).run();
    assert_eq!(ran.ends(), "a remote, b remote, c remote");
    let ran = other.build(&graph).of(&["c"]).remote(doubtful).run();
    assert_eq!(ran.ends(), "a known, b known, c known", "the project remembers it");
    // Another project on this machine finds nothing of it in the action cache.
    other.forget_state();
    let ran = other.build(&graph).of(&["c"]).run();
    assert_eq!(ran.ends(), "a ran, b ran, c ran");
}

fn what_is_known_here_is_uploaded_once_there_is_a_cache() {
    let (one, other) = (Workspace::new(), Workspace::new());
    let graph = chain("c");
    one.build(&graph).of(&["c"]).run().ok();
    let server = Arc::new(FakeRemote::at(one.folder()));
    let ran = one.build(&graph).of(&["c"]).remote(server.clone()).run();
    assert_eq!(ran.ends(), "a known, b known, c known");
    let ran = other.build(&graph).of(&["c"]).remote(server).run();
    assert_eq!(ran.ends(), "a remote, b remote, c remote");
    assert_eq!((ran.ok().summary.hits, ran.ok().summary.remote_hits), (3, 3));
}

fn a_cache_that_takes_nothing_is_given_nothing() {
    let workspace = Workspace::new();
    let graph = chain("c");
    let folder = workspace.folder();
    let server = Arc::new(FakeRemote { is_read_only: true, ..FakeRemote::at(folder) });
    workspace.build(&graph).of(&["c"]).remote(server.clone()).run().ok();
    workspace.build(&graph).of(&["c"]).remote(server).run().ok();
}

fn all_outputs_or_none_are_downloaded_if_that_is_wanted() {
    let one = Workspace::new();
    let server = Arc::new(FakeRemote::at(one.folder()));
    let graph = chain("c");
    one.build(&graph).of(&["c"]).remote(server.clone()).run().ok();
    let check = |download, expected: [bool; 3], exported| {
        let other = Workspace::new();
        let to = other.path("c");
        let build = other.build(&graph).of(&["c"]).present("c").export("c", &to);
        let build = build.options(|options| options.download = download);
        let ran = build.remote(server.clone()).run();
        assert_eq!(ran.ends(), "a remote, b remote, c remote");
        let there = ["a", "b[a]", "c[b[a]]"]
            .map(|text| other.store.contains(&Digest::of(DigestFunction::Blake3, text.as_bytes())));
        assert_eq!((there, to.exists()), (expected, exported == Exported::Written));
        assert_eq!(ran.ok().exports, [Some(exported)]);
    };
    check(Download::All, [true; 3], Exported::Written);
    check(Download::Toplevel, [false, false, true], Exported::Written);
    check(Download::Minimal, [false; 3], Exported::NotDownloaded);
}

fn uploads_are_given_up_after_a_time() {
    let workspace = Workspace::new();
    let names = names(40);
    let graph = independent(&names);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hour = Duration::from_secs(3600);
    let server = Arc::new(FakeRemote { upload: hour, ..FakeRemote::at(workspace.folder()) });
    let build = workspace.build(&graph).of(&names).remote(server.clone());
    let build = build.options(|options| options.upload_patience = Duration::from_millis(200));
    let ran = build.run();
    assert_eq!((ran.ok().summary.ran, ran.ok().unfinished_uploads), (40, 40));
    assert!(server.kept.load(Ordering::SeqCst) < 40, "those that wait for a place never begin");
}

fn offline_nobody_is_asked() {
    let workspace = Workspace::new();
    let mut graph = chain("c");
    download(&mut graph, "net", "net", |cx| write_joined(cx, "net"));
    let server = Arc::new(FakeRemote::at(workspace.folder()));
    let build = workspace.build(&graph).of(&["c"]).options(|options| options.offline = true);
    build.remote(server.clone()).run().ok();
    assert_eq!(server.counts(), (0, 0));
}
