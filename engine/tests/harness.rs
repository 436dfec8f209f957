//! The harness of the stories: a project with a store, builtins made of closures, and builds whose events are recorded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache::{Digest, DigestFunction, DiskStore};
use engine::{
    Action, ActionEnd, ActionId, Artifact, BuildError, BuildRequest, Builtin, BuiltinContext,
    BuiltinError, Cluster, Download, Event, Events, Export, Graph, Hit, Input, Label, Options,
    Outcome, Process, Remote, Source, SourceFile, State, Target,
};
use sandbox::{Cancel, Isolation, Limits};

/// The options of the stories: one job, and a stop at the first failure.
pub(crate) const OPTIONS: Options = Options {
    jobs: 1,
    cluster_jobs: 0,
    downloads: 1,
    keep_going: false,
    offline: false,
    keep_sandbox: false,
    download: Download::Toplevel,
    upload_patience: Duration::from_secs(60),
    anew: None,
};

/// A folder with a project and a store.
pub(crate) struct Workspace {
    folder: PathBuf,
    pub(crate) store: DiskStore,
    /// Removes the folder when the story is over.
    _temporary: Option<tempfile::TempDir>,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        fs::create_dir(temporary.path().join(".run")).unwrap();
        let workspace = Self::at(temporary.path());
        Self { _temporary: Some(temporary), ..workspace }
    }

    /// Opens the workspace that another process has made.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), store: open_store(folder), _temporary: None }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    pub(crate) fn write(&self, path: &str, content: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn state(&self) -> State {
        State::open(&self.store, &self.path(".run/state"))
    }

    pub(crate) fn forget_state(&self) {
        fs::remove_file(self.path(".run/state")).unwrap();
    }

    /// Returns the text of a file in the store.
    pub(crate) fn text(&self, artifact: Artifact) -> String {
        String::from_utf8(self.store.get(artifact.digest()).unwrap().unwrap()).unwrap()
    }

    /// Removes a blob from the store, and every tree that was put on disk.
    pub(crate) fn lose(&self, digest: &Digest) {
        let mut found = 0;
        for path in self.blob_files(digest) {
            fs::remove_file(path).unwrap();
            found += 1;
        }
        assert!(found > 0, "{digest} was not in the store");
        let trees = self.store.root().join("trees");
        fs::rename(&trees, self.path(&format!("lost-trees-{digest}").replace('/', "-"))).unwrap();
        fs::create_dir_all(trees.join(digest.function().name())).unwrap();
    }

    /// Lists the files in which the store keeps a blob.
    pub(crate) fn blob_files(&self, digest: &Digest) -> Vec<PathBuf> {
        let hex = digest.hex();
        let plain =
            self.store.root().join("cas").join(digest.function().name()).join(&hex[..2]).join(&hex);
        let executable = plain.with_extension("x");
        [plain, executable].into_iter().filter(|path| path.exists()).collect()
    }

    pub(crate) fn build<'a>(&'a self, graph: &'a Graph) -> TestBuild<'a> {
        TestBuild {
            workspace: self,
            graph,
            targets: Vec::new(),
            exports: Vec::new(),
            options: OPTIONS,
            cancel: Cancel::new(),
            remote: None,
            cluster: None,
        }
    }
}

pub(crate) fn open_store(folder: &Path) -> DiskStore {
    DiskStore::open(&folder.join("store"), DigestFunction::Blake3).unwrap()
}

/// A build that has not been started.
pub(crate) struct TestBuild<'a> {
    workspace: &'a Workspace,
    graph: &'a Graph,
    targets: Vec<Target>,
    exports: Vec<Export>,
    pub(crate) options: Options,
    pub(crate) cancel: Cancel,
    remote: Option<Arc<dyn Remote>>,
    cluster: Option<Arc<dyn Cluster>>,
}

impl TestBuild<'_> {
    /// Asks for actions by name.
    pub(crate) fn of(mut self, names: &[&str]) -> Self {
        self.targets.extend(names.iter().map(|name| Target::known(id(self.graph, name))));
        self
    }

    /// Gives the build a cache beyond this machine.
    pub(crate) fn remote(mut self, remote: Arc<dyn Remote>) -> Self {
        self.remote = Some(remote);
        self
    }

    /// Gives the build a cluster that executes this many actions at once.
    pub(crate) fn cluster(mut self, cluster: Arc<dyn Cluster>, jobs: usize) -> Self {
        self.cluster = Some(cluster);
        self.options.cluster_jobs = jobs;
        self
    }

    /// Asks for an action whose blobs have to be in the store at the end.
    pub(crate) fn present(mut self, name: &str) -> Self {
        self.targets.push(Target::present(id(self.graph, name)));
        self
    }

    /// Asks for an export of the output `o` of an action.
    pub(crate) fn export(mut self, name: &str, to: &Path) -> Self {
        let (action, output) = (id(self.graph, name), "o".to_owned());
        self.exports.push(Export { action, output, to: to.to_owned() });
        self
    }

    pub(crate) fn exports(mut self, exports: &[Export]) -> Self {
        self.exports.extend_from_slice(exports);
        self
    }

    pub(crate) fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    pub(crate) fn run(self) -> Ran {
        let mut state = self.workspace.state();
        self.run_with(&mut state)
    }

    pub(crate) fn run_with(self, state: &mut State) -> Ran {
        let log = Arc::new(RecordedEvents::default());
        let build = BuildRequest {
            graph: self.graph,
            targets: &self.targets,
            exports: &self.exports,
            options: self.options,
            store: &self.workspace.store,
            state,
            remote: self.remote,
            cluster: self.cluster,
            says_missing: |text| text.to_lowercase().contains("no such file"),
            events: log.clone(),
            cancel: self.cancel,
        };
        let outcome = build.run();
        Ran { outcome, events: std::mem::take(&mut *log.0.lock().unwrap()) }
    }
}

/// A build that is over.
pub(crate) struct Ran {
    pub(crate) outcome: Result<Outcome, BuildError>,
    pub(crate) events: Vec<Event>,
}

impl Ran {
    pub(crate) fn ok(&self) -> &Outcome {
        self.outcome.as_ref().unwrap()
    }

    /// Returns the ways in which actions ended, in order: `a ran, b known`.
    pub(crate) fn ends(&self) -> String {
        let end = |event: &Event| {
            let Event::Finished { label, finish, .. } = event else { return None };
            let how = match finish {
                ActionEnd::Hit(Hit::State) => "known".to_owned(),
                ActionEnd::Hit(Hit::Local) => "cached".to_owned(),
                ActionEnd::Hit(Hit::Remote) => "remote".to_owned(),
                ActionEnd::Hit(Hit::Pinned) => "pinned".to_owned(),
                ActionEnd::Ran(_) => "ran".to_owned(),
                ActionEnd::Failed(_) => "failed".to_owned(),
                ActionEnd::Skipped { because } => format!("skipped for {}", because.owner()),
                ActionEnd::Cancelled => "cancelled".to_owned(),
            };
            Some(format!("{} {how}", label.owner()))
        };
        self.events.iter().filter_map(end).collect::<Vec<_>>().join(", ")
    }

    /// Returns the names of the actions that started, in order.
    pub(crate) fn starts(&self) -> String {
        let start = |event: &Event| match event {
            Event::Started { label, .. } => Some(label.owner().to_owned()),
            _ => None,
        };
        self.events.iter().filter_map(start).collect::<Vec<_>>().join(" ")
    }

    /// Returns the only failure as a text: the name of the action and the error.
    pub(crate) fn failure(&self) -> String {
        let [failure] = self.ok().failures.as_slice() else {
            panic!("not one failure: {:?}", self.ok().failures)
        };
        format!("{}: {}", failure.label.owner(), failure.kind)
    }

    /// Returns the output `o` of an action.
    pub(crate) fn artifact(&self, graph: &Graph, name: &str) -> Artifact {
        self.ok().artifact(id(graph, name), "o").unwrap()
    }
}

#[derive(Default)]
struct RecordedEvents(Mutex<Vec<Event>>);

impl Events for RecordedEvents {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

pub(crate) type Work = dyn Fn(&BuiltinContext) -> Result<(), BuiltinError> + Send + Sync;

/// A builtin made of a closure.
struct Closure {
    arguments: Vec<String>,
    network: bool,
    work: Box<Work>,
}

impl Builtin for Closure {
    fn name(&self) -> &'static str {
        "closure"
    }

    fn version(&self) -> &'static str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        self.arguments.clone()
    }

    fn needs_network(&self) -> bool {
        self.network
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        (self.work)(cx)
    }
}

/// Adds the action `name` with the output `o`, which needs the outputs `o` of others.
///
/// `text` stands for the values that the closure captures, so it feeds the key.
pub(crate) fn closure(
    graph: &mut Graph,
    name: &str,
    (text, needs): (&str, &[&str]),
    work: impl Fn(&BuiltinContext) -> Result<(), BuiltinError> + Send + Sync + 'static,
) -> ActionId {
    let arguments = vec![text.to_owned()];
    let closure = Closure { arguments, network: false, work: Box::new(work) };
    graph.add(needing(graph, Action::builtin(label(name), closure), needs)).unwrap()
}

/// Adds such an action whose work needs the network.
pub(crate) fn download(
    graph: &mut Graph,
    name: &str,
    text: &str,
    work: impl Fn(&BuiltinContext) -> Result<(), BuiltinError> + Send + Sync + 'static,
) -> ActionId {
    let arguments = vec![text.to_owned()];
    let closure = Closure { arguments, network: true, work: Box::new(work) };
    graph.add(Action::builtin(label(name), closure).output("o")).unwrap()
}

/// Adds an action whose output is `text`, followed by the outputs of the actions that it needs in brackets.
pub(crate) fn join(graph: &mut Graph, name: &str, text: &str, needs: &[&str]) -> ActionId {
    let own = text.to_owned();
    closure(graph, name, (text, needs), move |cx| write_joined(cx, &own))
}

/// Adds an action that may have to run although its result is known.
pub(crate) fn again(graph: &mut Graph, name: &str, runs_again: bool) {
    let work = Box::new(|cx: &BuiltinContext| write_joined(cx, ""));
    let closure = Closure { arguments: Vec::new(), network: false, work };
    let action = Action::builtin(label(name), closure).output("o");
    graph.add(action.runs_again(runs_again)).unwrap();
}

/// Adds the action `name` with any inputs and the output `o`.
pub(crate) fn builtin(
    graph: &mut Graph,
    name: &str,
    inputs: impl IntoIterator<Item = Input>,
    work: impl Fn(&BuiltinContext) -> Result<(), BuiltinError> + Send + Sync + 'static,
) -> ActionId {
    let closure = Closure { arguments: Vec::new(), network: false, work: Box::new(work) };
    let action = Action::builtin(label(name), closure);
    let action = inputs.into_iter().fold(action, Action::input);
    graph.add(action.output("o")).unwrap()
}

/// Writes `text`, and the inputs in brackets, to the output `o`.
pub(crate) fn write_joined(cx: &BuiltinContext, text: &str) -> Result<(), BuiltinError> {
    let mut joined = text.to_owned();
    let names: Vec<String> = cx.inputs().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        joined += &format!("[{}]", String::from_utf8(cx.read(&name)?).unwrap());
    }
    fs::write(cx.out()?.join("o"), joined).unwrap();
    Ok(())
}

/// Adds an action that runs a shell line with `image` at the root, and has the output `o`.
pub(crate) fn shell(
    graph: &mut Graph,
    name: &str,
    line: &str,
    inputs: impl IntoIterator<Item = Input>,
) -> ActionId {
    let action = inputs.into_iter().fold(Action::process(label(name), sh(line)), Action::input);
    graph.add(action.output("o")).unwrap()
}

pub(crate) fn sh(line: &str) -> Process {
    let env = [("PATH", "/usr/bin:/bin"), ("LC_ALL", "C")];
    Process {
        argv: ["/bin/sh", "-c", line].map(str::to_owned).to_vec(),
        env: BTreeMap::from(env.map(|(name, value)| (name.to_owned(), value.to_owned()))),
        cwd: String::new(),
        limits: Limits::STANDARD,
        determinism: None,
        stdout: None,
        isolation: Isolation::default(),
    }
}

fn needing(graph: &Graph, action: Action, needs: &[&str]) -> Action {
    let input = |need: &&str| Input::new(*need, Source::output(id(graph, need), "o"));
    needs.iter().map(input).fold(action, Action::input).output("o")
}

pub(crate) fn label(name: &str) -> Label {
    Label::new(name, "step")
}

pub(crate) fn id(graph: &Graph, name: &str) -> ActionId {
    graph.find(&label(name)).unwrap_or_else(|| panic!("no action {name}"))
}

/// Lists every file below `folder`, with its path in the folder.
pub(crate) fn files_of(folder: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push((format!("{path}/"), entry.path()));
            } else {
                files.push(SourceFile { path, file: entry.path() });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}
