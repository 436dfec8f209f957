//! Python: a module with everything it imports, made a component by componentize-py.
//!
//! One action: *compile* runs componentize-py on a pinned CPython over the Python files below the
//! folder of `source`. componentize-py embeds an interpreter of its own, so there is no layer.

use engine::{Action, Input, Label, Process, Source};

use super::source_tree::{SourceTree, Without};
use super::{Compiled, LangError, Request, base_environment, limits};
use crate::plan::{PlanError, Planner};
use crate::toolchain::COMPONENTIZE_PY;

/// Runs the wheel's entry point: a wheel that is only unpacked has no script of its own.
const ENTRY: &str = "import sys, componentize_py; \
                     sys.argv[0] = 'componentize-py'; componentize_py.script()";

/// Adds the action that makes `request`'s component.
pub(super) fn compile(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
) -> Result<Compiled, PlanError> {
    let wit = request.wit.ok_or(LangError::NeedsWit { language: "python" })?;
    let image = planner.image(COMPONENTIZE_PY)?;
    let folder = request.source.parent();
    let project = planner.project().to_owned();
    let mut tree = SourceTree::default();
    let without = Without { folders: planner.outputs(), marker: Some("pyvenv.cfg") };
    tree.folder(&project, &folder, &without, &|path| path.as_str().ends_with(".py"))?;
    tree.file(request.source.clone());
    request.add_inputs(&mut tree);
    let sources = planner.store_tree(tree)?;
    let module = request.source.file_stem();
    let argv = ["/usr/bin/python3", "-c", ENTRY, "-d", "/wit", "-w", &wit.world]
        .into_iter()
        .chain(["componentize", module, "-p", ".", "-o", "/out/component.wasm"])
        .map(str::to_owned)
        .collect();
    let mut env = base_environment();
    env.insert("PATH".to_owned(), "/usr/bin:/bin".to_owned());
    env.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
    env.insert("PYTHONHASHSEED".to_owned(), "0".to_owned());
    env.insert("PYTHONPATH".to_owned(), "/usr/lib/componentize-py".to_owned());
    env.extend(request.env.clone());
    let cwd = if folder.is_root() { "src".to_owned() } else { format!("src/{folder}") };
    let process = Process { argv, env, cwd, limits: limits() };
    let action = Action::process(Label::new(request.name, "compile"), process)
        .input(Input::root(image))
        .input(Input::new("src", Source::Tree(sources)))
        .input(Input::new("wit", Source::Tree(wit.tree)))
        .output("component.wasm");
    Ok(Compiled {
        action: planner.add(action)?,
        output: "component.wasm".to_owned(),
        checks: Vec::new(),
    })
}
