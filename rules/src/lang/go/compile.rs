//! Adds the actions of a Go component: bindings, fetch, the list of packages, and an action for each package.

use std::collections::BTreeMap;
use std::rc::Rc;

use cache::Digest;
use engine::{Action, ActionId, Input, Label, Process, Source};

use super::arrange::Arrange;
use super::command::{code_settings, environment, go, module_cache, settings};
use super::fetch::{FetchModules, Fetched};
use super::flags::Flags;
use super::listed::FIELDS;
use super::module::{Module, read};
use super::packages::Packages;
use super::pieces::Pieces;
use super::sources::Sources;
use super::whole_module::WholeModule;
use super::{constraint, tinygo};
use crate::lang::bindings::go::{
    Layout, OVERLAY, PLACE, RUNTIME_FOLDER, RUNTIME_VERSION, vendored_runtime,
};
use crate::lang::bindings::{Bindings, Generator, WhatToBind};
use crate::manifest::{Compiler, Component, Language};
use crate::path::ProjectPath;
use crate::planner::source_tree::SourceTree;
use crate::planner::{
    Compiled, ComponentWit, LangError, PlanError, Planner, Request, in_action, process,
};
use crate::toolchain::{GO, TINYGO};

/// The module path of the generator's other layout, for single programs.
const STANDALONE: &str = "wit_component";

/// Adds the actions that compile `request`'s component; the last one leaves a core module.
pub(crate) fn compile(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
) -> Result<Compiled, PlanError> {
    let wit = request.wit.ok_or(LangError::NeedsWit { language: "go" })?;
    if request.compiler == Some(Compiler::TinyGo) {
        return tinygo::compile(planner, request);
    }
    warn_of_idle_tinygo(planner, request);
    let project = planner.project().to_owned();
    let flags = Flags::of(request.env)?;
    let (module, sources) = (Module::of(planner, request.source)?, Sources::of(planner)?);
    let (package, folder) = main_package(&module, request.source);
    let exports = match &package {
        Some(_) => folders_in(planner, &folder.join("exports"), ""),
        None => folders_in(planner, &folder, "export_"),
    };
    let roots = std::iter::once(folder.clone()).chain(exports.iter().cloned());
    let excludes = |name: &str, head: &str| constraint::excludes(name, head, &flags.tags);
    let mut packages = Packages::find(&sources, &module, roots, &excludes)?;
    packages.check_cgo(request.source)?;
    let whole =
        match packages.third_party.is_empty() {
            true => None,
            false => {
                let key = format!("Go packages of {} {:?}", module.dir, flags.tags);
                Some(planner.known(&key, |planner| {
                    WholeModule::read(planner, &sources, &module, &excludes)
                })?)
            }
        };
    let layout = Layout {
        command: package.is_some() && !packages.links_exports,
        vendor: module.vendored.then(|| module.dir.join("vendor")),
        package,
        folder,
    };
    packages.add_generated(&module, &layout, &exports);
    packages.check_cycles(&layout.folder)?;
    packages.find_embedded(&project, planner.outputs());
    let go = Go {
        image: planner.image(GO)?,
        bindings: bindings(planner, request.name, wit, &layout)?,
        modules: FetchModules::add(planner, &module, GO)?,
        module: &module,
        whole: whole.as_deref(),
        layout: &layout,
        request,
        flags: &flags,
    };
    let arranged = arrange(planner, &go, &packages)?;
    let program = planner.content(arranged, Arrange::PROGRAM)?;
    let program = serde_json::from_slice(&program).expect("BUG: the program can't be read");
    let pieces = Pieces {
        go: &go,
        packages: &packages,
        sources: &sources,
        program: &program,
        arranged,
        platform: planner.platform()?,
    };
    let linked = pieces.build(planner)?;
    Ok(Compiled::new(linked, Pieces::OUTPUT))
}

/// Warns if the lock has a TinyGo that no component asks for, because somebody probably expects it to be
/// used.
fn warn_of_idle_tinygo(planner: &mut Planner<'_>, request: &Request<'_>) {
    let asks = |component: &Component| {
        component.compiler.as_ref().is_some_and(|compiler| compiler.value == Compiler::TinyGo)
    };
    let unused = planner.is_added(TINYGO)
        && !planner.components_in(Language::Go).iter().any(|(_, c)| asks(c));
    if unused && request.compiler.is_none() {
        planner.warn(format!(
            "run.lock.toml has {TINYGO}, which compiles no component: write `compiler = \"{TINYGO}\"` in a component in go, \
             or take it out with `run toolchain remove {TINYGO}`"
        ));
    }
}

/// Plans the bindings of a component and returns the folder that they are in.
fn bindings(
    planner: &mut Planner<'_>,
    name: &str,
    wit: &ComponentWit,
    layout: &Layout,
) -> Result<Source, PlanError> {
    let bindings = Bindings {
        what: WhatToBind {
            generator: Generator::Go(layout.clone()),
            world: wit.world.clone(),
            origins: wit.origins.clone(),
        },
        limits: planner.worker_limits(),
    };
    let action = Action::builtin(Label::new(name, "bindings"), bindings)
        .input(Input::new("wit", Source::Tree(wit.tree)))
        .output(Bindings::OUTPUT);
    Ok(Source::output(planner.add(action)?, Bindings::OUTPUT))
}

/// Adds the actions that have the go command list what the component is made of, and arrange that for planning
/// and for the linker.
fn arrange(
    planner: &mut Planner<'_>,
    go: &Go<'_>,
    packages: &Packages,
) -> Result<ActionId, PlanError> {
    let mut tree =
        go.whole.map_or_else(SourceTree::default, |whole| SourceTree::on(Rc::clone(&whole.heads)));
    packages.add_heads(&mut tree);
    manifests(planner, go.module, &mut tree)?;
    let heads = planner.store_tree(tree)?;
    let listed = planner.add(go.list(heads))?;
    let arrange =
        Arrange { main: go.main(), link: go.flags.link.clone(), tags: go.flags.tags_flag() };
    let action = Action::builtin(Label::new(go.request.name, "layer"), arrange)
        .input(Input::new(Arrange::BINDINGS, go.bindings.clone()))
        .input(Input::new(Arrange::LISTED, Source::output(listed, Arrange::LISTED)))
        .output(Arrange::PROGRAM)
        .output(Arrange::LINKED)
        .output(Arrange::LINK);
    planner.add(action)
}

/// Returns the import path of the component's main package, and its folder. There is no path for a module
/// `wit_component`, which has the generator's other layout: its root is the main package, which nothing can
/// import.
fn main_package(module: &Module, source: &ProjectPath) -> (Option<String>, ProjectPath) {
    if module.manifest.module == STANDALONE {
        return (None, module.dir.clone());
    }
    let folder = source.parent();
    (Some(module.import_path(&folder)), folder)
}

/// Returns the folders in `folder` whose names begin with `prefix`.
fn folders_in(planner: &Planner<'_>, folder: &ProjectPath, prefix: &str) -> Vec<ProjectPath> {
    let entries = std::fs::read_dir(folder.on_disk(planner.project()));
    let mut names: Vec<String> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    names.iter().map(|name| folder.join(name)).collect()
}

/// Adds the manifests of the project's modules. The component's own gets what the bindings need.
fn manifests(
    planner: &Planner<'_>,
    module: &Module,
    tree: &mut SourceTree,
) -> Result<(), PlanError> {
    let project = planner.project();
    module.add_to(project, planner.outputs(), tree)?;
    tree.generated(module.dir.join("go.mod"), module.completed(RUNTIME_FOLDER));
    if module.vendored {
        let list = module.dir.join("vendor/modules.txt");
        let text = read(project, &list)?;
        let added = vendored_runtime(&text, RUNTIME_VERSION);
        tree.generated(list, text + &added);
    }
    Ok(())
}

/// The inputs with which Go's tools are called for one component.
pub(super) struct Go<'a> {
    pub(super) image: Source,
    pub(super) bindings: Source,
    pub(super) modules: Option<Fetched>,
    module: &'a Module,
    /// The packages that other people's packages could import, if the component uses other people's packages.
    whole: Option<&'a WholeModule>,
    pub(super) layout: &'a Layout,
    pub(super) request: &'a Request<'a>,
    flags: &'a Flags,
}

impl Go<'_> {
    /// Returns the import path of the main package.
    pub(super) fn main(&self) -> String {
        self.module.import_path(&self.layout.folder)
    }

    /// Returns the action that lists the files and packages of the component. It sees only the heads of the
    /// files, so an edit below them does not repeat it.
    fn list(&self, heads: Digest) -> Action {
        let mode = if self.module.vendored { "vendor" } else { "readonly" };
        let argv = vec![
            "list".to_owned(),
            format!("-mod={mode}"),
            format!("-overlay=/{PLACE}/{OVERLAY}"),
            "-deps".to_owned(),
            format!("-json={FIELDS}"),
            ".".to_owned(),
        ];
        let mut env = environment();
        env.insert("GOMODCACHE".to_owned(), module_cache(self.modules.is_some()));
        env.insert("GOCACHE".to_owned(), "/tmp/cache".to_owned());
        // An index of the packages would be made for this call only.
        env.insert("GODEBUG".to_owned(), "goindex=0".to_owned());
        env.extend(self.variables());
        env.extend(settings(self.request, self.flags));
        let process = Process {
            stdout: Some(Arrange::LISTED.to_owned()),
            ..process(go(argv), env, in_action(&self.layout.folder))
        };
        let action = Action::process(Label::new(self.request.name, "list"), process)
            .input(Input::root(self.image.clone()))
            .input(Input::new("src", Source::Tree(heads)))
            .input(Input::new(PLACE, self.bindings.clone()));
        let modules = self.modules.iter().flat_map(Fetched::parts);
        modules.fold(action, Action::input).output(Arrange::LISTED)
    }

    /// Returns the component's `env` without `GOFLAGS`, whose flags each tool gets as arguments.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let mut env = self.request.env.clone();
        env.remove("GOFLAGS");
        env
    }

    /// Returns the variables of the component's `env` that decide what code is made of a file.
    pub(super) fn code_settings(&self) -> BTreeMap<String, String> {
        code_settings(self.request)
    }
}
