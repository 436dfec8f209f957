//! The actions of a Python component: fetch, compile.
//!
//! componentize-py starts the interpreter that will be in the component, lets it import the module,
//! and keeps its memory. So what counts is what was imported by then: folders on the search path
//! cost nothing, and a component has no files to read later. What functions import is imported at the
//! end of the module (`late.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::{Action, Input, Label, Source};

use super::PythonError;
use super::fetch::FetchWheels;
use super::late::{self, Late};
use super::lock::{self, Lock};
use super::metadata::Metadata;
use super::module::{self, Module, PYTHONPATH};
use crate::lang::source_tree::{SourceTree, Without};
use crate::lang::{Compiled, LangError, Request, base_environment, deterministic_process};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::COMPONENTIZE_PY;

/// What runs the tool.
const ENTRY: &str = include_str!("entry.py");
/// Where the compile sees it, and the notes that it shows.
const TOOL: &str = "deps/run";
const ENTRY_FILE: &str = "entry.py";
const NOTES_FILE: &str = "notes.txt";
/// Where the compile sees the metadata of the project's own packages.
const METADATA: &str = "deps/metadata";
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
    let further = further_folders(planner.project(), request, &module, lock.as_ref())?;
    let late = late::find(planner.project(), request.source, &module, &further)?;
    let sources = sources(planner, request, &module, &further, &late)?;
    let metadata = metadata(planner, request, lock.as_ref())?;
    let tool = tool(planner, late, lock.as_ref())?;
    let packages = packages(planner, lock)?;

    let mut search: Vec<String> =
        further.iter().map(|folder| format!("/{}", in_action(folder))).collect();
    search.extend(packages.is_some().then(|| format!("/{PACKAGES}")));
    search.extend(metadata.is_some().then(|| format!("/{METADATA}")));
    let argv = argv(&wit.world, &module.name, search);
    let process = deterministic_process(argv, environment(request), in_action(&module.root));
    let mut action = Action::process(Label::new(request.name, "compile"), process)
        .input(Input::root(image))
        .input(Input::new("src", Source::Tree(sources)))
        .input(Input::new("wit", Source::Tree(wit.tree)))
        .input(Input::new(TOOL, Source::Tree(tool)));
    if let Some(packages) = packages {
        action = action.input(Input::new(PACKAGES, packages));
    }
    if let Some(metadata) = metadata {
        action = action.input(Input::new(METADATA, Source::Tree(metadata)));
    }
    let action = planner.add(action.output("component.wasm"))?;
    Ok(Compiled::new(action, "component.wasm"))
}

/// Folders of the project that are searched after the module's own.
fn further_folders(
    project: &Path,
    request: &Request<'_>,
    module: &Module,
    lock: Option<&Lock>,
) -> Result<Vec<ProjectPath>, PythonError> {
    let mut folders = match request.env.get(PYTHONPATH) {
        Some(value) => module::search_path(project, value)?,
        None => Vec::new(),
    };
    let local = lock.into_iter().flat_map(|lock| &lock.local);
    folders.extend(local.map(|package| module::importable(project, &package.folder)));
    let mut seen = BTreeSet::from([module.root.clone()]);
    folders.retain(|folder| seen.insert(folder.clone()));
    Ok(folders)
}

fn argv(world: &str, module: &str, search: Vec<String>) -> Vec<String> {
    let entry = format!("/{TOOL}/{ENTRY_FILE}");
    let start = ["/usr/bin/python3", &entry, "-w", world, "componentize", module, "-p", "."];
    let search = search.into_iter().flat_map(|folder| ["-p".to_owned(), folder]);
    start.map(str::to_owned).into_iter().chain(search).collect()
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
    late: &Late,
) -> Result<cache::Digest, PlanError> {
    let project = planner.project().to_owned();
    let mut tree = SourceTree::default();
    let without = Without { folders: planner.outputs(), marker: Some("pyvenv.cfg") };
    for folder in std::iter::once(&module.root).chain(search).collect::<BTreeSet<_>>() {
        tree.folder(&project, folder, &without, &|path| path.as_str().ends_with(".py"))?;
    }
    tree.file(request.source.clone());
    request.add_inputs(&mut tree);
    let source = late::text(&project, request.source)?;
    if let Some(source) = source.and_then(|source| late.appended_to(&source)) {
        tree.generated(request.source.clone(), source);
    }
    planner.store_tree(tree)
}

/// What runs componentize-py, with what it tells the user.
fn tool(
    planner: &mut Planner<'_>,
    late: Late,
    lock: Option<&Lock>,
) -> Result<cache::Digest, PlanError> {
    let left_out = lock.into_iter().flat_map(|lock| &lock.left_out);
    let left_out = left_out.map(|package| {
        format!(
            "note: `{package}` in a lockfile is left out: the toolchain that run.lock.toml pins makes the \
             component"
        )
    });
    let warnings = late.warnings.into_iter().map(|warning| format!("warning: {warning}"));
    let notes: String = left_out.chain(warnings).map(|note| format!("{note}\n")).collect();
    let mut tree = SourceTree::default();
    tree.generated(ProjectPath::parse(ENTRY_FILE)?, ENTRY);
    if !notes.is_empty() {
        tree.generated(ProjectPath::parse(NOTES_FILE)?, notes);
    }
    planner.store_tree(tree)
}

/// The metadata of the project and of its other packages, as an installer would leave it.
fn metadata(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
    lock: Option<&Lock>,
) -> Result<Option<cache::Digest>, PlanError> {
    let mut all = Metadata::nearest(planner.project(), request.source)?;
    for package in lock.into_iter().flat_map(|lock| &lock.local) {
        all.extend(Metadata::of(planner.project(), &package.folder)?);
    }
    if all.is_empty() {
        return Ok(None);
    }
    let mut tree = SourceTree::default();
    for (path, text) in all.iter().flat_map(Metadata::files) {
        tree.generated(ProjectPath::parse(&path)?, text);
    }
    planner.store_tree(tree).map(Some)
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
