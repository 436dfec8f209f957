//! The actions of a Python component: fetch, compile.
//!
//! componentize-py starts the interpreter that will be in the component, lets it import the module,
//! and keeps its memory. So what counts is what was imported by then: folders on the search path
//! cost nothing, and a component has no files to read later.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::{Action, Input, Label, Source};

use super::PythonError;
use super::fetch::FetchWheels;
use super::lock::{self, Lock};
use super::module::{self, Module, PYTHONPATH};
use crate::lang::source_tree::{SourceTree, Without};
use crate::lang::{Compiled, LangError, Request, base_environment, deterministic_process};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::COMPONENTIZE_PY;

/// Runs the wheel's entry point: a wheel that is only unpacked has no script of its own.
const ENTRY: &str = "import sys, componentize_py; \
                     sys.argv[0] = 'componentize-py'; componentize_py.script()";
/// Where the compile sees the third-party packages.
const PACKAGES: &str = "deps/site-packages";

/// Adds the actions that make `request`'s component.
pub(crate) fn compile(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
) -> Result<Compiled, PlanError> {
    let wit = request.wit.ok_or(LangError::NeedsWit { language: "python" })?;
    let image = planner.image(COMPONENTIZE_PY)?;
    let module = Module::of(planner.project(), request.source)?;
    let lock = lock::find(planner.project(), request.source)?;
    let further = further_folders(planner.project(), request, lock.as_ref())?;
    let sources = sources(planner, request, &module, &further)?;
    let packages = packages(planner, lock)?;

    let mut search: Vec<String> =
        further.iter().map(|folder| format!("/{}", in_action(folder))).collect();
    search.extend(packages.is_some().then(|| format!("/{PACKAGES}")));
    let argv = argv(&wit.world, &module.name, search);
    let process = deterministic_process(argv, environment(request), in_action(&module.root));
    let mut action = Action::process(Label::new(request.name, "compile"), process)
        .input(Input::root(image))
        .input(Input::new("src", Source::Tree(sources)))
        .input(Input::new("wit", Source::Tree(wit.tree)));
    if let Some(packages) = packages {
        action = action.input(Input::new(PACKAGES, packages));
    }
    let action = planner.add(action.output("component.wasm"))?;
    Ok(Compiled::new(action, "component.wasm"))
}

/// Folders of the project that are searched after the module's own.
fn further_folders(
    project: &Path,
    request: &Request<'_>,
    lock: Option<&Lock>,
) -> Result<Vec<ProjectPath>, PythonError> {
    let mut folders = match request.env.get(PYTHONPATH) {
        Some(value) => module::search_path(project, value)?,
        None => Vec::new(),
    };
    let local = lock.into_iter().flat_map(|lock| &lock.local);
    folders.extend(local.map(|package| module::importable(project, package)));
    Ok(folders)
}

fn argv(world: &str, module: &str, search: Vec<String>) -> Vec<String> {
    let start = ["/usr/bin/python3", "-c", ENTRY, "-d", "/wit", "-w", world];
    let start = start.into_iter().chain(["componentize", module, "-p", "."]).map(str::to_owned);
    let search = search.into_iter().flat_map(|folder| ["-p".to_owned(), folder]);
    let end = ["-o", "/out/component.wasm"].map(str::to_owned);
    start.chain(search).chain(end).collect()
}

/// Where an action sees a folder of the project.
fn in_action(folder: &ProjectPath) -> String {
    if folder.is_root() { "src".to_owned() } else { format!("src/{folder}") }
}

fn environment(request: &Request<'_>) -> BTreeMap<String, String> {
    let mut env = base_environment();
    // componentize-py would ask programs of these for more folders to search.
    env.insert("PATH".to_owned(), "/no/programs".to_owned());
    env.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
    env.insert("PYTHONHASHSEED".to_owned(), "0".to_owned());
    env.extend(request.env.clone());
    // The user's means the guest; this is where the host finds componentize-py.
    env.insert(PYTHONPATH.to_owned(), "/usr/lib/componentize-py".to_owned());
    env
}

/// The Python files of all folders that are searched, and what `inputs` names.
fn sources(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
    module: &Module,
    search: &[ProjectPath],
) -> Result<cache::Digest, PlanError> {
    let project = planner.project().to_owned();
    let mut tree = SourceTree::default();
    let without = Without { folders: planner.outputs(), marker: Some("pyvenv.cfg") };
    for folder in std::iter::once(&module.root).chain(search).collect::<BTreeSet<_>>() {
        tree.folder(&project, folder, &without, &|path| path.as_str().ends_with(".py"))?;
    }
    tree.file(request.source.clone());
    request.add_inputs(&mut tree);
    planner.store_tree(tree)
}

/// The folder of third-party packages, if there are any: fetched once for all components that share
/// a lockfile.
fn packages(planner: &mut Planner<'_>, lock: Option<Lock>) -> Result<Option<Source>, PlanError> {
    let Some(lock) = lock.filter(|lock| !lock.packages.is_empty()) else { return Ok(None) };
    let owner = match lock.folder.is_root() {
        true => "python".to_owned(),
        false => format!("python {}", lock.folder),
    };
    let fetch = planner.once(&format!("wheels {}", lock.folder), |planner| {
        let fetch = FetchWheels::new(lock, planner.project().to_owned(), planner.clients());
        planner.add(Action::builtin(Label::new(owner, "fetch"), fetch).output(FetchWheels::OUTPUT))
    })?;
    Ok(Some(Source::output(fetch, FetchWheels::OUTPUT)))
}
