//! From a manifest and a lock to the graph of a build.
//!
//! Every enabled component becomes: the actions of its language, then one *finish* that checks the
//! result against its WIT world. Toolchain images and what several components share are added once.
//! Planning reads manifests, lockfiles and WIT and takes sources into the store; it runs nothing.

mod error;
mod fit;
mod planner;
mod selection;
mod wit;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache::DiskStore;
use engine::{Action, ActionId, Graph, Input, Label, Source, Sources};
use sandbox::Isolation;

pub use error::PlanError;
pub(crate) use planner::Planner;
pub use selection::{Selection, UnknownComponent, needed_by, toolchains};

use crate::environment;
use crate::lang::{Compiled, Request};
use crate::manifest::{Component, Diagnostic, Manifest, Origin};
use crate::path::ProjectPath;
use crate::toolchain::Images;
use crate::wasm::{Finish, Finishing, LONGEST, Stamp};

/// How registries' clients are run. None of it feeds a key.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    /// The user's environment: where proxies, credentials and configurations are found.
    pub variables: BTreeMap<OsString, OsString>,
    /// Whether the network may not be used.
    pub offline: bool,
    /// The checkout that the project is in: what stands there configures no client.
    pub checkout: PathBuf,
    /// Variables of the environment that files of the checkout may refer to, by the user's leave.
    pub lent: Vec<String>,
}

impl Clients {
    /// What a client gets to see of the user's environment: what all clients share (home, proxies,
    /// certificates, …), the variables that `own` names (`CARGO_*`), and never those of `run`.
    pub(crate) fn for_client(&self, own: &[&str]) -> BTreeMap<OsString, OsString> {
        environment::for_client(&self.variables, own)
    }

    /// The same, and the variables that files of the checkout may refer to.
    pub(crate) fn for_client_and_lent(&self, own: &[&str]) -> BTreeMap<OsString, OsString> {
        let lent = self.lent.iter().map(String::as_str);
        self.for_client(&own.iter().copied().chain(lent).collect::<Vec<_>>())
    }

    /// Whether files of the checkout may refer to this variable.
    pub(crate) fn is_lent(&self, name: &str) -> bool {
        self.lent.iter().any(|lent| lent == name)
    }
}

/// What is planned from.
#[derive(Debug, Clone, Copy)]
pub struct Project<'a> {
    /// The folder of run.toml.
    pub folder: &'a Path,
    /// What run.toml says.
    pub manifest: &'a Manifest,
    /// The toolchain images that run.lock.toml pins.
    pub images: &'a Arc<Images>,
}

/// How it is to be built.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// Which components.
    pub selection: &'a Selection,
    /// Whether to optimise.
    pub release: bool,
    /// How registries are reached.
    pub clients: Arc<Clients>,
    /// If no command may see what differs from run to run: the time that commands see, in seconds since
    /// 1970. Otherwise only those don't whose results would show it.
    pub epoch: Option<u64>,
    /// By which means commands are kept apart from the machine.
    pub isolation: Isolation,
}

/// The time that is used where there is no better one: 1980-01-01, the first that a ZIP archive can
/// hold.
pub const DEFAULT_EPOCH: u64 = 315_532_800;

/// The actions of a build.
#[derive(Debug)]
pub struct Plan {
    /// All actions.
    pub graph: Graph,
    /// The components, in the order of run.toml.
    pub components: Vec<PlannedComponent>,
    /// Toolchains that the components are to be built with to the same bytes each time
    /// ([`Options::epoch`]), although nobody has found out whether they can: those that the user has
    /// added.
    pub unpromised: BTreeSet<String>,
    /// Texts that the user should read, though they do not stop the build.
    pub warnings: BTreeSet<String>,
}

/// A component and the action that leaves it.
#[derive(Debug, Clone)]
pub struct PlannedComponent {
    /// Its name.
    pub name: String,
    /// The line of its `[[component]]`, from 1.
    pub line: usize,
    /// Tells if run.toml says what its WIT is.
    pub has_wit: bool,
    /// The last of its actions.
    pub action: ActionId,
    /// The output of that action that is the component.
    pub output: String,
    /// Further actions without whose success the build has failed, although the component does not
    /// depend on them.
    pub checks: Vec<ActionId>,
}

/// Why a build can't be planned.
#[derive(Debug)]
pub struct Problems {
    /// What is wrong with each component, with its place in run.toml.
    pub findings: Vec<Diagnostic>,
    /// Whether the store has no room for the sources: then run.toml is not at fault.
    pub no_room: bool,
    /// Whether a part of the store is closed to this user; the same holds.
    pub is_closed: bool,
}

/// The last actions of a component.
struct Ends {
    finish: ActionId,
    checks: Vec<ActionId>,
}

/// Plans the selected components.
///
/// # Errors
/// What is wrong with each component that can't be planned, all at once, with its place in run.toml.
pub fn plan(
    project: Project<'_>,
    store: &DiskStore,
    sources: &mut Sources,
    options: &Options<'_>,
) -> Result<Plan, Problems> {
    let mut planner = Planner::new(project, store, sources, options);
    let mut components = Vec::new();
    let mut problems = Problems { findings: Vec::new(), no_room: false, is_closed: false };
    for component in options.selection.components(project.manifest) {
        planner.begin(component);
        match plan_component(&mut planner, component, options) {
            Ok(Ends { finish, checks }) => components.push(PlannedComponent {
                name: component.name.to_string(),
                line: project.manifest.line(component.span),
                has_wit: component.wit.is_some(),
                action: finish,
                output: Finish::OUTPUT.to_owned(),
                checks,
            }),
            Err(error) => {
                problems.no_room |= error.is_for_want_of_room();
                problems.is_closed |= error.is_refused_by_the_store(store.root());
                problems.findings.push(error.diagnostic(component));
            }
        }
    }
    if problems.findings.is_empty() {
        let (graph, unpromised, warnings) = planner.into_parts();
        Ok(Plan { graph, components, unpromised, warnings })
    } else {
        problems.findings.dedup();
        Err(problems)
    }
}

fn plan_component(
    planner: &mut Planner<'_>,
    component: &Component,
    options: &Options<'_>,
) -> Result<Ends, PlanError> {
    let wit = wit::complete(planner, component)?;
    fit::check(planner, component, wit.as_ref())?;
    let (built, stamp, checks) = match &component.origin {
        Origin::Prebuilt { file } => (ready_made(planner, &file.value)?, None, Vec::new()),
        Origin::Source { file, language } => {
            let request = Request {
                name: component.name.as_str(),
                source: &file.value,
                inputs: &planner.matching(&component.inputs)?,
                exclude: &component.exclude,
                env: &component.env.iter().map(|(k, v)| (k.to_string(), v.value.clone())).collect(),
                features: &component.features,
                check: *component.check,
                wit: wit.as_ref(),
                release: options.release,
            };
            let Compiled { action, output, checks } =
                (language.value.rule().compile)(planner, &request)?;
            let built = Source::output(action, output);
            (built, Some(facts(planner.manifest(), component)), checks)
        }
    };
    let finishing = Finishing {
        world: wit.as_ref().map(|wit| wit.world.clone()),
        stamp,
        place: wit.as_ref().map_or_else(String::new, |wit| wit.place.to_string()),
    };
    let finish = Finish { finishing, limits: planner.worker_limits() };
    let label = Label::new(component.name.as_str(), "finish");
    let mut action = Action::builtin(label, finish).input(Input::new("in", built));
    if let Some(wit) = wit {
        action = action.input(Input::new("wit", Source::Tree(wit.tree)));
    }
    Ok(Ends { finish: planner.add(action.output(Finish::OUTPUT))?, checks })
}

/// A component that is taken as it is. One that is too long is not even copied into the store.
fn ready_made(planner: &mut Planner<'_>, file: &ProjectPath) -> Result<Source, PlanError> {
    match std::fs::metadata(file.on_disk(planner.project())) {
        Ok(metadata) if metadata.is_file() && metadata.len() > LONGEST => {
            Err(PlanError::TooLong { path: file.to_string(), length: metadata.len() })
        }
        // What is wrong with any other is for those to say who read it.
        _ => planner.source_file(file),
    }
}

/// What is written into a component that was compiled here.
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
        processed_by: vec![("run".to_owned(), env!("CARGO_PKG_VERSION").to_owned())],
    }
}

#[cfg(test)]
mod tests {
    use cache::DigestFunction;
    use engine::State;

    use super::*;
    use crate::toolchain::{Lock, Registries, UnsupportedHost};

    /// Plans a project of these components on a machine that no images are made for.
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
        let store = DiskStore::open(&project.join("store"), DigestFunction::Blake3).unwrap();
        let mut state = State::open(&store, &project.join("state"));
        let host = UnsupportedHost { architecture: "riscv64", system: "linux" };
        let images = Arc::new(Images {
            lock: Lock::default(),
            platform: Err(host),
            function: DigestFunction::Blake3,
            registries: Registries::default(),
        });
        let project = Project { folder: project, manifest: &manifest, images: &images };
        let options = Options {
            selection: &Selection::default(),
            release: true,
            clients: Arc::default(),
            epoch: None,
            isolation: Isolation::default(),
        };
        plan(project, &store, state.sources(), &options)
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
}
