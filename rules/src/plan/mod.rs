//! Makes the graph of a build out of a manifest and a lock.
//!
//! Every selected component becomes the actions of its language and then one *finish*, which checks the
//! result against its WIT world. Toolchain images, and what several components share, are added once.
//! Planning reads manifests, lockfiles and WIT and takes sources into the store, but runs no action.
//!
//! Some tools say themselves what the steps of their work are, as Cargo does. Then the first plan ends with the
//! action that asks the tool, [`Plan::unknown`]. Once its result is known, the same project is planned anew.

mod composition;
mod fit;
mod selection;
mod wit;

use std::collections::{BTreeMap, BTreeSet};

use cache::ContentStore;
use engine::{Action, ActionId, Graph, Input, Label, Source, SourceError, State};

pub use selection::{Mocked, OnlyForTests, Selection, UnknownComponent, needed_by, toolchains};
pub(crate) use wit::request as wit_request;
pub use wit::{COPY, WitFolder, wit_folders};

use crate::lang;
use crate::manifest::{self, CapabilityKind, Component, Diagnostic, Manifest, Origin};
use crate::path::ProjectPath;
use crate::planner::{
    Compiled, Consulted, Finished, Options, PlanError, Planner, Project, Request,
};
use crate::wasm::{Demand, Finish, Finishing, LONGEST, Stamp};
use crate::wit::Origins;

/// A planned build.
#[derive(Debug)]
pub struct Plan {
    /// The graph of all actions.
    pub graph: Graph,
    /// The planned components, in the order of run.toml. While there are [unknown](Self::unknown) results, some
    /// components are missing.
    pub components: Vec<PlannedComponent>,
    /// The last actions of components that are composed with packages for tests. The output is that of the component.
    pub mocked: BTreeMap<Mocked, ActionId>,
    /// The actions whose results have to be known before the rest can be planned.
    pub unknown: BTreeSet<ActionId>,
    /// The outputs of actions that the graph was made by. These actions have to be built, too, so that a comparison
    /// of builds notices if an output is not the same each time.
    pub consulted: BTreeMap<ActionId, Consulted>,
    /// The actions that a front end has added to the graph. The build makes their results and has their blobs present.
    pub added_actions: Vec<ActionId>,
    /// See [`note`](Self::note).
    pub(crate) notes: BTreeMap<ActionId, String>,
    /// The toolchains that users have added to the lock and that the components are built with.
    /// [`Proof`](crate::proof::Proof) says whether one gives the same bytes each time.
    pub added: BTreeSet<String>,
    /// Warnings for the user, which do not stop the build.
    pub warnings: BTreeSet<String>,
}

impl Plan {
    /// Returns what planning noted of an action, to be told if the action fails.
    #[must_use]
    pub fn note(&self, label: &Label) -> Option<&str> {
        Some(self.notes.get(&self.graph.find(label)?)?)
    }
}

/// A component and the action that makes it.
#[derive(Debug, Clone)]
pub struct PlannedComponent {
    /// The component's name.
    pub name: String,
    /// The line of its `[[component]]` in run.toml, counted from 1.
    pub line: usize,
    /// True if run.toml has a `wit` key for it.
    pub has_wit: bool,
    /// The places that the files of its completed WIT folder come from.
    pub wit: Origins,
    /// True if it has an `inputs` list.
    pub has_inputs: bool,
    /// The last action of the component, its finish.
    pub action: ActionId,
    /// The name of the output of that action that is the component.
    pub output: String,
    /// The component's checks: actions that it does not depend on, but that must succeed for the build to
    /// succeed.
    pub checks: Vec<ActionId>,
}

/// The errors because of which a build can't be planned.
#[derive(Debug, Default)]
pub struct Problems {
    /// The errors of each component, with their places in run.toml.
    pub findings: Vec<Diagnostic>,
    /// True if the store has no room for the sources. Then run.toml is not at fault.
    pub no_room: bool,
    /// True if this user has no access to a part of the store. Then run.toml is not at fault either.
    pub is_closed: bool,
}

impl Problems {
    fn add(&mut self, error: PlanError, component: &Component, store: &ContentStore) {
        self.no_room |= error.is_for_want_of_room();
        self.is_closed |= error.is_refused_by_the_store(store.root());
        self.findings.push(error.diagnostic(component));
    }
}

/// The last actions of a component, before it is composed with what it depends on.
struct Ends {
    finish: ActionId,
    checks: Vec<ActionId>,
    /// The check and the stamp that it gets. What is composed of it gets the same.
    finishing: Finishing,
    /// True if its world is known, so that its imports were compared with the exports of its dependencies.
    has_world: bool,
    /// The completed WIT folder.
    folder: Option<cache::Digest>,
    /// The places that the files of its completed WIT folder come from.
    wit: Origins,
}

/// Plans the selected components.
///
/// # Errors
/// Fails if any component can't be planned. All errors are returned at once, with their places in run.toml.
pub fn plan(
    project: Project<'_>,
    selection: &Selection,
    store: &ContentStore,
    state: &mut State,
    options: &Options,
) -> Result<Plan, Problems> {
    let mut planner = Planner::new(project, store, state, options);
    let (mut components, mut unknown) = (Vec::new(), BTreeSet::new());
    let mut problems = Problems::default();
    let selected: Vec<&Component> = selection.components(project.manifest).collect();
    let needed = selection::with_dependencies(&project.manifest.components, &selected);
    let ready_made = ready_made(&mut planner, &needed);
    let mut finished = composition::Finished::new();
    for (component, ready_made) in needed.into_iter().zip(ready_made) {
        planner.begin(component);
        match plan_component(&mut planner, component, ready_made, options) {
            Ok(ends) => drop(finished.insert(component.name.as_str(), (component, ends))),
            Err(PlanError::Unknown(action)) => {
                unknown.insert(action);
            }
            Err(error) => problems.add(error, component, store),
        }
    }
    // They are the same for all components, and their files are read.
    let (mut packages, mut with_packages) = (None, BTreeMap::new());
    for component in selected {
        if !composition::is_complete(component, &finished) {
            continue;
        }
        planner.begin(component);
        let known = packages.take().map_or_else(|| composition::packages(&planner), Ok);
        let made = known.and_then(|known| {
            let known = packages.insert(known);
            let action = composition::compose(&mut planner, component, &finished, known)?;
            let mut others =
                selection.mocked().filter(|mocked| mocked.component == component.name.as_str());
            others.try_for_each(|mocked| {
                let action = composition::mock(&mut planner, component, &finished, known, mocked)?;
                with_packages.insert(mocked.clone(), action);
                Ok::<_, PlanError>(())
            })?;
            Ok(action)
        });
        let action = match made {
            Ok(action) => action,
            Err(error) => {
                problems.add(error, component, store);
                continue;
            }
        };
        let (_, Ends { checks, wit, .. }) = &finished[component.name.as_str()];
        components.push(PlannedComponent {
            name: component.name.to_string(),
            line: project.manifest.line(component.span),
            has_wit: component.wit.is_some(),
            wit: wit.clone(),
            has_inputs: !component.inputs.is_empty(),
            action,
            output: Finish::OUTPUT.to_owned(),
            checks: checks.clone(),
        });
    }
    if problems.findings.is_empty() {
        let Finished { graph, consulted, notes, added, warnings } = planner.finish();
        Ok(Plan {
            graph,
            components,
            mocked: with_packages,
            unknown,
            consulted,
            added_actions: Vec::new(),
            notes,
            added,
            warnings,
        })
    } else {
        problems.findings.dedup();
        Err(problems)
    }
}

fn plan_component(
    planner: &mut Planner<'_>,
    component: &Component,
    ready_made: Option<Result<Source, PlanError>>,
    options: &Options,
) -> Result<Ends, PlanError> {
    let wit = wit::complete(planner, component)?;
    fit::check(planner, component, wit.as_ref())?;
    let (built, stamp, checks) = match &component.origin {
        Origin::Prebuilt { .. } => {
            let taken = ready_made.expect("every ready-made component was taken");
            (taken?, None, Vec::new())
        }
        Origin::Source { file, language } => {
            let rule = lang::rule(language.value);
            let is_new = wit.as_ref().is_some_and(|wit| wit.origins.uses_wasi_3());
            if let Some(reason) = rule.no_wasi_3.filter(|_| is_new) {
                return Err(PlanError::NoWasi3 { language: language.value, reason });
            }
            let request = Request {
                name: component.name.as_str(),
                source: &file.value,
                inputs: &planner.matching(&component.inputs)?,
                exclude: &component.exclude,
                env: &component.environment(),
                features: &component.features,
                check: *component.check,
                compiler: component.compiler.as_ref().map(|compiler| compiler.value),
                wit: wit.as_ref(),
                release: options.release,
            };
            let Compiled { action, output, checks } = (rule.compile)(planner, &request)?;
            let built = Source::output(action, output);
            (built, Some(Box::new(facts(planner.manifest(), component))), checks)
        }
    };
    let finishing = Finishing {
        world: wit.as_ref().map(|wit| wit.world.clone()),
        stamp,
        demand: demand(planner.manifest(), component),
        origins: wit.as_ref().map(|wit| wit.origins.clone()).unwrap_or_default(),
    };
    let finish = Finish { finishing: finishing.clone(), limits: planner.worker_limits() };
    let label = Label::new(component.name.as_str(), "finish");
    let mut action = Action::builtin(label, finish).input(Input::new("in", built));
    if let Some(wit) = &wit {
        action = action.input(Input::new("wit", Source::Tree(wit.tree)));
    }
    Ok(Ends {
        finish: planner.add(action.output(Finish::OUTPUT))?,
        checks,
        // A composed component may import what any of its parts is granted.
        finishing: Finishing { demand: Demand::default(), ..finishing },
        has_world: wit.is_some(),
        folder: wit.as_ref().map(|wit| wit.tree),
        wit: wit.map(|wit| wit.origins).unwrap_or_default(),
    })
}

/// Returns what a component may not import: what it is not granted, but for what the run time of its language imports by
/// itself. Nobody knows the language of a ready-made component.
fn demand(manifest: &Manifest, component: &Component) -> Demand {
    let brings = match &component.origin {
        Origin::Source { language, .. } => lang::rule(language.value).brings,
        Origin::Prebuilt { .. } => lang::rule::BROUGHT_BY_ANY,
    };
    let kinds = CapabilityKind::ALL.iter();
    let denied = kinds.filter(|kind| !component.is_granted(**kind) && !brings.contains(kind));
    let granted = component.capabilities.iter().map(|capability| capability.value.to_string());
    Demand {
        denied: denied.map(|kind| kind.as_str().to_owned()).collect(),
        granted: granted.collect(),
        place: format!("{}:{}", manifest::FILE_NAME, manifest.line(component.span)),
    }
}

/// Takes the ready-made ones of these components into the store, and gives `None` for the others.
///
/// They are taken all at once, because a project may have thousands of them. An error belongs to its component, and is
/// reported when that one is planned.
fn ready_made<'c>(
    planner: &mut Planner<'_>,
    components: &[&'c Component],
) -> Vec<Option<Result<Source, PlanError>>> {
    let file = |component: &&'c Component| component.origin.ready_made();
    let files: Vec<&ProjectPath> = components.iter().filter_map(file).collect();
    let mut taken = take(planner, &files).into_iter();
    components.iter().map(|component| file(component).and_then(|_| taken.next())).collect()
}

/// Takes files of ready-made components into the store. One that is too long is not even copied.
fn take(planner: &mut Planner<'_>, files: &[&ProjectPath]) -> Vec<Result<Source, PlanError>> {
    let explain = |(taken, file): (Result<Source, PlanError>, &&ProjectPath)| {
        taken.map_err(|error| match error {
            PlanError::Source(SourceError::TooLong { length, .. }) => {
                PlanError::TooLong { path: file.to_string(), length }
            }
            error => error,
        })
    };
    planner.single_files(files, LONGEST).into_iter().zip(files).map(explain).collect()
}

/// Returns the metadata that is written into a component that was compiled here.
fn facts(manifest: &Manifest, component: &Component) -> Stamp {
    let project = &manifest.project;
    let authors: Vec<&str> = project.authors.iter().map(|author| author.value.as_str()).collect();
    Stamp {
        name: Some(component.name.to_string()),
        version: Some(project.version.value.to_string()),
        description: project.description.as_ref().map(|text| text.value.clone()),
        authors: (!authors.is_empty()).then(|| authors.join(", ")),
        licenses: project.license.as_ref().map(|license| license.value.to_string()),
        source: project.repository.as_ref().map(|url| url.value.to_string()),
        revision: None,
        processed_by: vec![("run".to_owned(), env!("CARGO_PKG_VERSION").to_owned())],
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use cache::DigestFunction;
    use engine::Work;
    use sandbox::Isolation;

    use super::*;
    use crate::dependency::Packages;
    use crate::platform::UnsupportedHost;
    use crate::toolchain::{Images, Lock};

    /// Plans a project with these components on a machine that no images are made for.
    fn plan_on_an_unknown_machine(components: &str) -> Result<Plan, Problems> {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path();
        let text = format!("[project]\nname = \"p\"\nversion = \"0.1.0\"\n{components}");
        for (name, text) in
            [("run.toml", text.as_str()), ("a.wasm", ""), ("app.py", ""), ("w.wit", WIT)]
        {
            std::fs::write(project.join(name), text).unwrap();
        }
        let manifest = Manifest::parse(&text, project).0.unwrap();
        let store = cache::DiskStore::open(&project.join("store"), DigestFunction::Blake3).unwrap();
        let mut state = State::open(&store, &project.join("state"));
        let host = UnsupportedHost { architecture: "riscv64", system: "linux" };
        let images = Arc::new(Images {
            lock: Lock::default(),
            platform: Err(host),
            function: DigestFunction::Blake3,
            registries: Arc::default(),
        });
        let packages = Packages::default();
        let project =
            Project { folder: project, manifest: &manifest, images: &images, packages: &packages };
        let options = Options { release: true, epoch: None, isolation: Isolation::default() };
        plan(project, &Selection::default(), &store, &mut state, &options)
    }

    const WIT: &str = "package a:b;\nworld w {}\n";

    #[test]
    fn components_that_are_built_already_need_no_known_machine() {
        let prebuilt = "[[component]]\nname = \"a\"\npath = \"a.wasm\"\n";
        let plan = plan_on_an_unknown_machine(prebuilt).unwrap();
        assert_eq!(plan.components.len(), 1);
        let python = "[[component]]\nname = \"a\"\nsource = \"app.py\"\nlanguage = \"python\"\n\
                      wit = \"w.wit\"\n";
        let problems = plan_on_an_unknown_machine(python).unwrap_err().findings;
        assert_eq!(problems[0].message, "no toolchain images are made for riscv64 linux");
    }

    /// Describes, for each action of a plan, everything that its key depends on.
    fn fingerprints(plan: &Plan) -> BTreeMap<String, String> {
        let label = |id| plan.graph.action(id).label.to_string();
        let all = plan.graph.actions().map(|(_, action)| {
            let work = match &action.work {
                Work::Process(process) => format!("{process:?}"),
                Work::Builtin(builtin) => {
                    format!("{} {} {:?}", builtin.name(), builtin.version(), builtin.arguments())
                }
            };
            let inputs = action.inputs.iter().map(|input| match &input.from {
                Source::Output { action, path } => {
                    format!("{} {} {path}", input.at, label(*action))
                }
                from => format!("{} {from:?}", input.at),
            });
            let inputs: Vec<String> = inputs.collect();
            (action.label.to_string(), format!("{work}\n{inputs:?}\n{:?}", action.outputs))
        });
        all.collect()
    }

    #[test]
    fn keys_depend_neither_on_the_selection_nor_on_the_order_of_components() {
        let example =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/polyglot");
        let text = std::fs::read_to_string(example.join("run.toml")).unwrap();
        let (head, rest) = text.split_once("[[component]]").unwrap();
        let (components, tail) = rest.split_once("[dependencies]").unwrap();
        // Every other component has limits of its own. If a shared action took the limits of one component,
        // this would show it.
        let blocks = components.split("[[component]]").enumerate().map(|(number, block)| {
            let limits = if number % 2 == 0 && block.contains("source = ") {
                "timeout = \"7m\"\nmemory = \"3GiB\"\n"
            } else {
                ""
            };
            format!("[[component]]{}\n{limits}\n", block.trim_end())
        });
        let blocks: Vec<String> = blocks.collect();
        let of = |blocks: &[String]| format!("{head}{}[dependencies]{tail}", blocks.concat());
        let backwards: Vec<String> = blocks.iter().rev().cloned().collect();

        let folder = tempfile::tempdir().unwrap();
        let store =
            cache::DiskStore::open(&folder.path().join("store"), DigestFunction::Blake3).unwrap();
        let images = Arc::new(Images {
            lock: Lock::read(&example.join("run.lock.toml")).unwrap().unwrap(),
            platform: Ok(crate::platform::Platform::X86_64Linux),
            function: DigestFunction::Blake3,
            registries: Arc::default(),
        });
        let plan_of = |text: &str, names: &[&str]| {
            let (manifest, diagnostics) = Manifest::parse(text, &example);
            let manifest = manifest.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let selection = Selection::new(&manifest, &names).unwrap();
            let mut state = State::open(&store, &folder.path().join("state"));
            let packages = Packages::default();
            let project = Project {
                folder: &example,
                manifest: &manifest,
                images: &images,
                packages: &packages,
            };
            let options = Options { release: true, epoch: None, isolation: Isolation::default() };
            fingerprints(&plan(project, &selection, &store, &mut state, &options).unwrap())
        };
        let all = plan_of(&of(&blocks), &[]);
        assert!(all.len() > 40, "{}", all.len());
        assert_eq!(plan_of(&of(&backwards), &[]), all);
        for names in [&["slug"][..], &["quote"], &["quote", "slug"], &["calc"], &["shop", "api"]] {
            for text in [of(&blocks), of(&backwards)] {
                for (label, fingerprint) in plan_of(&text, names) {
                    assert_eq!(all.get(&label), Some(&fingerprint), "{label} of {names:?}");
                }
            }
        }
    }
}
