//! Adds the actions of a Go component: standard library, bindings, fetch, other people's packages, and the
//! component's own packages.

use std::collections::BTreeMap;
use std::rc::Rc;

use cache::Digest;
use engine::{Action, ActionId, Input, Label, Process, Source};

use super::arrange::{Arrange, Own};
use super::command::{environment, go, module_cache, settings};
use super::fetch::{FetchModules, MODULES};
use super::flags::Flags;
use super::listed::{COMPILED_FIELDS, OWN_FIELDS};
use super::module::{Module, read};
use super::packages::Packages;
use super::shared::PickShared;
use super::sources::Sources;
use super::standard_library::{self, STD};
use super::tools::Tools;
use super::whole_module::WholeModule;
use super::{constraint, tinygo};
use crate::lang::bindings::go::{
    IMPORTS, LANGUAGE, Layout, OVERLAY, PLACE, RUNTIME, RUNTIME_FOLDER, RUNTIME_VERSION,
    vendored_runtime,
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
        written: packages.own.keys().filter(|folder| exports.contains(folder)).cloned().collect(),
        package,
        folder,
    };
    packages.add_generated(&module, &layout);
    packages.find_embedded(&project, planner.outputs());
    let go = Go {
        image: planner.image(GO)?,
        std: standard_library::compiled(planner, request, &flags)?,
        bindings: bindings(planner, request.name, wit, &layout)?,
        modules: FetchModules::add(planner, &module, GO)?,
        module: &module,
        whole: whole.as_deref(),
        layout: &layout,
        request,
        flags: &flags,
    };
    let arranged = arrange(planner, &go, &packages)?;
    let tools = Tools { go: &go, packages: &packages, arranged, platform: planner.platform()? };
    let linked = tools.build(planner)?;
    Ok(Compiled::new(linked, Tools::OUTPUT))
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

/// Adds the actions that have the go command list what the component is made of, compile the packages that
/// are not the user's own, and arrange both for the compiler and the linker.
fn arrange(
    planner: &mut Planner<'_>,
    go: &Go<'_>,
    packages: &Packages,
) -> Result<ActionId, PlanError> {
    // The action sees only the manifests of the project's modules, and a folder `vendor`.
    let mut tree = SourceTree::default();
    manifests(planner, go.module, &mut tree)?;
    let skeleton = planner.store_tree(tree)?;
    let mut tree =
        go.whole.map_or_else(SourceTree::default, |whole| SourceTree::on(Rc::clone(&whole.heads)));
    packages.add_heads(&mut tree);
    manifests(planner, go.module, &mut tree)?;
    let heads = planner.store_tree(tree)?;
    let listed = planner.add(go.list(heads))?;
    let picked = pick_shared(planner, go, packages, skeleton, listed)?;
    let compiled = planner.add(go.packages(packages, picked))?;

    let own = packages.own.iter().map(|(folder, package)| {
        (package.path.clone(), Own { folder: folder.clone(), embeds: package.embeds() })
    });
    let arrange = Arrange {
        main: go.module.import_path(&go.layout.folder),
        own: own.collect(),
        link: go.flags.link.clone(),
        tags: go.flags.tags_flag(),
    };
    let outputs: Vec<String> = arrange.outputs().collect();
    let action = Action::builtin(Label::new(go.request.name, "layer"), arrange)
        .input(Input::new(Arrange::STD, go.std.clone()))
        .input(Input::new(Arrange::BINDINGS, go.bindings.clone()))
        .input(Input::new(Arrange::CACHE, Source::output(compiled, Arrange::CACHE)))
        .input(Input::new(Arrange::COMPILED, Source::output(compiled, Arrange::COMPILED)))
        .input(Input::new(Arrange::LISTED, Source::output(listed, Arrange::LISTED)));
    planner.add(outputs.into_iter().fold(action, Action::output))
}

/// Returns the modules of the project, together with the sources of packages that other people's packages
/// import.
fn pick_shared(
    planner: &mut Planner<'_>,
    go: &Go<'_>,
    packages: &Packages,
    skeleton: Digest,
    listed: ActionId,
) -> Result<Source, PlanError> {
    let Some(whole) = go.whole else { return Ok(Source::Tree(skeleton)) };
    let mut tree = SourceTree::on(Rc::clone(&whole.sources));
    packages.own.values().for_each(|package| package.add_to(&mut tree));
    let sources = planner.store_tree(tree)?;
    let action = Action::builtin(Label::new(go.request.name, "shared"), PickShared)
        .input(Input::new(PickShared::LISTED, Source::output(listed, Arrange::LISTED)))
        .input(Input::new(PickShared::SKELETON, Source::Tree(skeleton)))
        .input(Input::new(PickShared::SOURCES, Source::Tree(sources)))
        .output(PickShared::PICKED);
    Ok(Source::output(planner.add(action)?, PickShared::PICKED))
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
    pub(super) std: Source,
    pub(super) bindings: Source,
    modules: Option<Source>,
    module: &'a Module,
    /// The packages that other people's packages could import, if the component uses other people's packages.
    whole: Option<&'a WholeModule>,
    pub(super) layout: &'a Layout,
    pub(super) request: &'a Request<'a>,
    flags: &'a Flags,
}

impl Go<'_> {
    /// Returns the action that compiles the bindings of imports and other people's packages. A package that
    /// does not compile is ignored here, because perhaps only a file that is not compiled imports it.
    /// [`Arrange`] reports those that are really missing.
    fn packages(&self, packages: &Packages, sources: Source) -> Action {
        let mut argv = self.list_command(IMPORTS);
        argv.extend(["-e", "-deps", "-export"].map(str::to_owned));
        argv.extend([format!("-pkgdir=/{STD}"), format!("-json={COMPILED_FIELDS}")]);
        argv.push(format!("-gcflags={RUNTIME}/...=-lang=go{LANGUAGE}"));
        match &self.layout.package {
            Some(package) => {
                argv.extend(["imports", "exports"].map(|below| format!("{package}/{below}/...")));
            }
            None => argv.push(format!("{STANDALONE}/...")),
        }
        argv.extend(["runtime", "types"].map(|name| format!("{RUNTIME}/wit/{name}")));
        argv.extend(packages.third_party.iter().cloned());
        let mut env = self.environment();
        env.insert("GOCACHE".to_owned(), format!("/out/{}", Arrange::CACHE));
        let process = Process {
            stdout: Some(Arrange::COMPILED.to_owned()),
            ..process(argv, env, in_action(&self.module.dir))
        };
        let action = Action::process(Label::new(self.request.name, "packages"), process);
        self.inputs(action, sources)
            .input(Input::new(STD, self.std.clone()))
            .output(Arrange::CACHE)
            .output(Arrange::COMPILED)
    }

    /// Returns the action that lists the files and packages of the component. It sees only the heads of the
    /// files, so an edit below them does not repeat it.
    fn list(&self, heads: Digest) -> Action {
        let mut argv = self.list_command(OVERLAY);
        argv.extend(["-deps".to_owned(), format!("-json={OWN_FIELDS}"), ".".to_owned()]);
        let mut env = self.environment();
        env.insert("GOCACHE".to_owned(), "/tmp/cache".to_owned());
        env.extend(self.variables());
        env.extend(settings(self.request, self.flags));
        let process = Process {
            stdout: Some(Arrange::LISTED.to_owned()),
            ..process(argv, env, in_action(&self.layout.folder))
        };
        let action = Action::process(Label::new(self.request.name, "list"), process);
        self.inputs(action, Source::Tree(heads)).output(Arrange::LISTED)
    }

    /// Returns the component's `env` without `GOFLAGS`, whose flags each tool gets as arguments.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let mut env = self.request.env.clone();
        env.remove("GOFLAGS");
        env
    }

    fn inputs(&self, action: Action, sources: Source) -> Action {
        let action = action
            .input(Input::root(self.image.clone()))
            .input(Input::new("src", sources))
            .input(Input::new(PLACE, self.bindings.clone()));
        match &self.modules {
            Some(modules) => action.input(Input::new(MODULES, modules.clone())),
            None => action,
        }
    }

    fn list_command(&self, overlay: &str) -> Vec<String> {
        let mode = if self.module.vendored { "vendor" } else { "readonly" };
        go(vec!["list".to_owned(), format!("-mod={mode}"), format!("-overlay=/{PLACE}/{overlay}")])
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let mut env = environment();
        env.insert("GOMODCACHE".to_owned(), module_cache(self.modules.is_some()));
        env.extend(settings(self.request, self.flags));
        env
    }
}
