//! Adds the actions that compile a Python component: one that fetches its packages, if it has any, and one
//! that runs componentize-py.
//!
//! componentize-py starts the interpreter that will be in the component, lets it import the module, and keeps
//! the interpreter's memory. So the component contains only the modules that were imported by then: folders
//! on the search path cost nothing, and the component has no files from which it could import something
//! later. Therefore the imports inside of functions are done at the end of the module, too (see `late`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::{Action, Input, Label, Source};

use super::error::PythonError;
use super::fetch::FetchWheels;
use super::late::{self, Late};
use super::lock::{self, Lock};
use super::metadata::Metadata;
use super::module::{self, Module, PYTHONPATH};
use crate::path::ProjectPath;
use crate::planner::source_tree::{SourceTree, Without};
use crate::planner::{
    Compiled, LangError, PlanError, Planner, Request, base_environment, deterministic_process,
    in_action,
};
use crate::toolchain::COMPONENTIZE_PY;

/// The scripts that run componentize-py, by name. The first one is started, and imports the others.
const SCRIPTS: [(&str, &str); 3] = [
    (ENTRY_FILE, include_str!("scripts/entry.py")),
    ("native_code.py", include_str!("scripts/native_code.py")),
    ("wit_of_packages.py", include_str!("scripts/wit_of_packages.py")),
];
/// The folder in which the compile action sees the scripts, and the notes that they show.
const TOOL: &str = "deps/run";
const ENTRY_FILE: &str = "entry.py";
const NOTES_FILE: &str = "notes.txt";
/// A module that is added to those that the interpreter sees, and the folder that it stands in.
const LATE_IMPORTS: &str = include_str!("scripts/_run_late_imports.py");
const MODULES: &str = "deps/run-modules";
/// The folder in which the compile action sees the metadata of the project's own packages.
const METADATA: &str = "deps/metadata";
/// The folder in which the compile action sees the third-party packages.
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
    search.push(format!("/{MODULES}"));
    let argv = argv(&wit.world, &module.name, search);
    let process = deterministic_process(argv, environment(request), in_action(&module.root));
    let mut action = Action::process(Label::new(request.name, "compile"), process)
        .input(Input::root(image))
        .input(Input::new("src", Source::Tree(sources)))
        .input(Input::new("wit", Source::Tree(wit.tree)))
        .input(Input::new(TOOL, Source::Tree(tool)))
        .input(Input::new(MODULES, Source::Tree(added_modules(planner)?)));
    if let Some(packages) = packages {
        action = action.input(Input::new(PACKAGES, packages));
    }
    if let Some(metadata) = metadata {
        action = action.input(Input::new(METADATA, Source::Tree(metadata)));
    }
    let action = planner.add(action.output("component.wasm"))?;
    Ok(Compiled::new(action, "component.wasm"))
}

/// Returns the folders of the project that are searched after the module's own, each once.
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

fn environment(request: &Request<'_>) -> BTreeMap<String, String> {
    let mut env = base_environment();
    // componentize-py would look for programs in `PATH` and ask them for more folders to search.
    env.insert("PATH".to_owned(), "/no/programs".to_owned());
    env.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
    env.insert("PYTHONHASHSEED".to_owned(), "0".to_owned());
    env.extend(request.env.clone());
    // The user's `PYTHONPATH` is meant for the guest. This one tells the host's Python where componentize-py
    // is.
    env.insert(PYTHONPATH.to_owned(), "/usr/lib/componentize-py".to_owned());
    env
}

/// Stores the tree of sources: the Python files of all folders that are searched, and what `inputs` names.
/// The late imports are appended to the component's module.
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
    if let Some(source) = source {
        tree.generated(request.source.clone(), late.appended_to(&source));
    }
    planner.store_tree(tree)
}

/// Stores the tree of scripts that run componentize-py, with the notes that they show to the user.
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
    for (name, text) in SCRIPTS {
        tree.generated(ProjectPath::parse(name)?, text);
    }
    if !notes.is_empty() {
        tree.generated(ProjectPath::parse(NOTES_FILE)?, notes);
    }
    planner.store_tree(tree)
}

/// Stores the tree of modules that are added to those that the interpreter sees.
fn added_modules(planner: &mut Planner<'_>) -> Result<cache::Digest, PlanError> {
    let mut tree = SourceTree::default();
    tree.generated(ProjectPath::parse(&format!("{}.py", late::OTHERS))?, LATE_IMPORTS);
    planner.store_tree(tree)
}

/// Stores the metadata of the project and of its other packages, as an installer would leave it. `None` if
/// there is none.
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

/// Returns the folder of third-party packages, if there are any. It is fetched once for all components that
/// share a lockfile.
fn packages(planner: &mut Planner<'_>, lock: Option<Lock>) -> Result<Option<Source>, PlanError> {
    let Some(lock) = lock.filter(|lock| !lock.packages.is_empty()) else { return Ok(None) };
    let owner = match lock.folder.is_root() {
        true => "python".to_owned(),
        false => format!("python {}", lock.folder),
    };
    let fetch = planner.once(&format!("wheels {}", lock.folder), |planner| {
        let fetch = FetchWheels::new(lock, planner.project().to_owned(), planner.registries());
        planner.add(Action::builtin(Label::new(owner, "fetch"), fetch).output(FetchWheels::OUTPUT))
    })?;
    Ok(Some(Source::output(fetch, FetchWheels::OUTPUT)))
}
