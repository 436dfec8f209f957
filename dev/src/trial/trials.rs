//! Adds an action for each test to a plan, runs the tests, and reads their verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use cache::{ContentStore, Digest, StoreError};
use engine::{
    Action, ActionEnd, ActionId, Artifact, Builtin, BuiltinContext, BuiltinError, Event, Events,
    GraphError, Input, Label, Outcome, Report, Source,
};
use project::Project;
use rules::manifest::Test;
use rules::plan::{Mocked, Plan};
use rules::wasm::{self, Finish};
use runtime::{Loaded, Network, Runtime};
use tokio::sync::OnceCell;

use super::perform::perform;
use super::results::{End, TestResult};
use super::spec::Spec;
use super::verdict::{Fault, Verdict};
use super::world::{is_network, world};

/// A version of the code that tests components, which is part of the action's key. It names the crate that runs them; a test
/// checks its version against Cargo.lock.
const VERSION: &str = "1 wasmtime 48.0.8";

/// The name of the input: the component.
const COMPONENT: &str = "component";

/// The name of the output: the [`Verdict`] as JSON.
const VERDICT: &str = "verdict.json";

/// The time between two looks at whether the build was cancelled.
const POLL: Duration = Duration::from_millis(20);

/// Runs tests. Wasmtime is set up when the first test has to run.
pub struct Trials {
    shared: Arc<Shared>,
    /// True if tests run although they have passed before.
    pub rerun: bool,
}

/// The things that all tests of one run share.
struct Shared {
    /// The network for the requests of components. `None` if no test may use any network.
    network: Option<Network>,
    started: OnceLock<Result<Started, String>>,
}

struct Started {
    /// Runs futures; taken when everything is over.
    tokio: Option<tokio::runtime::Runtime>,
    /// The components that were compiled, by their digests.
    compiled: Mutex<BTreeMap<Digest, Arc<OnceCell<Compiled>>>>,
    runtime: Runtime,
}

/// A compiled component, and the names that it imports.
type Compiled = Result<(Loaded, Vec<String>), String>;

/// A test, and the action that a plan has for it.
#[derive(Clone, Debug)]
pub struct Added {
    /// The test.
    pub test: Test,
    /// The action. `None` if the plan lacks the component, because what the planning needed could not be built.
    pub action: Option<ActionId>,
}

/// The error that the verdict on a test can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The store has lost it, or can't be read.
    #[error("cannot read the result of a test")]
    Store(#[from] StoreError),
    /// It is not in the form of a verdict.
    #[error("the result of test `{test}` is damaged; `run test --rerun` makes it anew")]
    Damaged {
        /// The name of the test.
        test: String,
        /// The error of the parser.
        source: serde_json::Error,
    },
}

impl Trials {
    /// Makes the means to run tests. With `rerun`, they run although they have passed before; without a network, a test that
    /// may use one fails.
    #[must_use]
    pub fn new(rerun: bool, network: Option<Network>) -> Self {
        Self { shared: Arc::new(Shared { network, started: OnceLock::new() }), rerun }
    }

    /// Adds an action for each test to the plan, in the order of the tests.
    ///
    /// # Errors
    /// If the plan has such an action already.
    pub fn add(
        &self,
        plan: &mut Plan,
        project: &Project,
        tests: &[Test],
    ) -> Result<Vec<Added>, GraphError> {
        let mut added = Vec::new();
        for test in tests {
            let component = project.manifest.component(test.component.as_str());
            let source = component.and_then(|_| source_of(plan, test));
            let action = match (component, source) {
                (Some(component), Some(source)) => {
                    let spec = Spec::new(test, component, project);
                    let trial = Trial { spec, shared: Arc::clone(&self.shared) };
                    let action = Action::builtin(label(test), trial)
                        .input(Input::new(COMPONENT, source))
                        .output(VERDICT)
                        .runs_again(self.rerun);
                    let id = plan.graph.add(action)?;
                    plan.added_actions.push(id);
                    Some(id)
                }
                _ => None,
            };
            added.push(Added { test: test.clone(), action });
        }
        Ok(added)
    }

    /// Reads what came out of the tests, in their order.
    ///
    /// # Errors
    /// If a verdict can't be read.
    pub fn results(
        added: &[Added],
        (project, store): (&Project, &ContentStore),
        outcome: &Outcome,
        hits: &Hits,
    ) -> Result<Vec<TestResult>, ResultError> {
        let result = |added: &Added| {
            let artifact = added.action.and_then(|action| outcome.artifact(action, VERDICT));
            let end = match artifact {
                None => End::NotRun,
                Some(artifact) => {
                    let digest = *artifact.digest();
                    let bytes = store.get(&digest)?.ok_or(StoreError::Missing(digest))?;
                    let verdict = serde_json::from_slice(&bytes).map_err(|source| {
                        ResultError::Damaged { test: added.test.name.to_string(), source }
                    })?;
                    End::Done { verdict, is_cached: hits.has(&label(&added.test)) }
                }
            };
            Ok(TestResult::new(&added.test, end, &project.manifest))
        };
        added.iter().map(result).collect()
    }
}

fn label(test: &Test) -> Label {
    Label::new(test.component.as_str(), format!("test {}", test.name.value))
}

/// Returns the component that a test is about, as an output of the plan.
fn source_of(plan: &Plan, test: &Test) -> Option<Source> {
    let component = test.component.value.to_string();
    if !test.with.is_empty() {
        let mocked = Mocked { component, packages: test.packages() };
        return Some(Source::output(*plan.mocked.get(&mocked)?, Finish::OUTPUT));
    }
    let planned = plan.components.iter().find(|planned| planned.name == component)?;
    Some(Source::output(planned.action, planned.output.clone()))
}

/// The action that performs a test.
struct Trial {
    spec: Spec,
    shared: Arc<Shared>,
}

impl Builtin for Trial {
    fn name(&self) -> &'static str {
        "test-component"
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    fn arguments(&self) -> Vec<String> {
        self.spec.arguments()
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let started = self.shared.started().map_err(infrastructure)?;
        let component = cx.read(COMPONENT)?;
        let digest = *cx.input(COMPONENT).digest();
        let tokio = started.tokio.as_ref().expect("is taken only when nothing uses it any more");
        let verdict = tokio.block_on(async {
            tokio::select! {
                verdict = self.verdict(started, digest, component) => Ok(verdict),
                () = cancelled(cx) => Err(BuiltinError::Cancelled),
            }
        })?;
        if !verdict.passed() || !verdict.world.is_empty() {
            cx.only_this_once();
        }
        let text = serde_json::to_vec(&verdict).map_err(|error| BuiltinError::failed(&error))?;
        let digest = cx.store().put(&text)?;
        cx.produce(VERDICT, Artifact::File { digest, executable: false });
        Ok(())
    }
}

impl Trial {
    async fn verdict(&self, started: &Started, digest: Digest, component: Vec<u8>) -> Verdict {
        let (loaded, imports) = match started.load(digest, component).await {
            Ok(compiled) => compiled,
            Err(why) => {
                return Verdict {
                    faults: vec![Fault::new("component", why)],
                    ..Verdict::default()
                };
            }
        };
        let world = world(&self.spec.grants, &imports);
        let network = self.shared.network.clone();
        if network.is_none()
            && let Some(capability) = world.iter().find(|capability| is_network(capability))
        {
            let message =
                format!("it may use the network (`{capability}`), which --offline forbids");
            let faults = vec![Fault::new("name", message)];
            return Verdict { faults, world, ..Verdict::default() };
        }
        Verdict { world, ..perform(&self.spec, loaded.through(network)).await }
    }
}

fn infrastructure(why: &str) -> BuiltinError {
    BuiltinError::Infrastructure(Report::text(why))
}

/// Waits until the build is cancelled.
async fn cancelled(cx: &BuiltinContext) {
    while !cx.cancelled() {
        tokio::time::sleep(POLL).await;
    }
}

impl Shared {
    fn started(&self) -> Result<&Started, &str> {
        let started =
            self.started.get_or_init(|| Started::new().map_err(|error| error.to_string()));
        started.as_ref().map_err(String::as_str)
    }
}

impl Started {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tests")
            .enable_all()
            .build()?;
        // A test has little to do, and waits for the compiler.
        let runtime = Runtime::baseline().or_else(|_| Runtime::new())?;
        Ok(Self { tokio: Some(tokio), compiled: Mutex::default(), runtime })
    }

    /// Compiles a component, once for all tests of it.
    async fn load(&self, digest: Digest, component: Vec<u8>) -> Compiled {
        let cell = {
            let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(compiled.entry(digest).or_default())
        };
        let runtime = self.runtime.clone();
        let compile = async {
            let work = tokio::task::spawn_blocking(move || compile(&runtime, &component));
            work.await.unwrap_or_else(|error| Err(format!("compiling it panicked: {error}")))
        };
        cell.get_or_init(|| compile).await.clone()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // A component that is being compiled can't be stopped, and nobody waits for it.
        if let Some(tokio) = self.tokio.take() {
            tokio.shutdown_background();
        }
    }
}

/// Compiles a component quickly, or, if it uses what the quick compiler does not know, thoroughly.
fn compile(runtime: &Runtime, component: &[u8]) -> Compiled {
    let externs = wasm::externs(component).map_err(|error| error.to_string())?;
    let loaded = match runtime.load(component) {
        Ok(loaded) => loaded,
        Err(runtime::LoadError::Compile(_)) => {
            let thorough = Runtime::new().map_err(|error| error.to_string())?;
            thorough.load(component).map_err(|error| error.to_string())?
        }
        Err(error) => return Err(error.to_string()),
    };
    Ok((loaded, externs.imports))
}

/// Passes events on, and notes which actions' results were known.
pub struct Hits {
    events: Arc<dyn Events>,
    hits: Mutex<BTreeSet<Label>>,
}

impl Hits {
    /// Makes a receiver that passes its events on to another one.
    #[must_use]
    pub fn new(events: Arc<dyn Events>) -> Self {
        Self { events, hits: Mutex::default() }
    }

    fn has(&self, label: &Label) -> bool {
        self.hits.lock().unwrap_or_else(PoisonError::into_inner).contains(label)
    }
}

impl Events for Hits {
    fn event(&self, event: Event) {
        if let Event::Finished { label, finish: ActionEnd::Hit(_), .. } = &event {
            let mut hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
            hits.insert(label.clone());
        }
        self.events.event(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_names_the_crate_that_runs_components() {
        let lock = include_str!("../../../Cargo.lock");
        let (_, rest) = lock.split_once("name = \"wasmtime\"\nversion = \"").unwrap();
        let version = rest.split('"').next().unwrap();
        assert!(VERSION.ends_with(&format!("wasmtime {version}")), "{VERSION} {version}");
    }
}
