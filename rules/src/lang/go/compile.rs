//! The actions of a Go component: standard library, bindings, fetch, the packages of others, and how
//! the go command is called for them.

use std::collections::BTreeMap;

use cache::Digest;
use engine::{Action, ActionId, Input, Label, Process, Source};

use super::arrange::{Arrange, Own};
use super::bindings::{
    IMPORTS, LANGUAGE, Layout, OVERLAY, PLACE, RUNTIME_FOLDER, vendored_runtime,
};
use super::constraint;
use super::fetch::{FetchModules, MODULES};
use super::flags::Flags;
use super::listed::{COMPILED_FIELDS, OWN_FIELDS};
use super::module::{Module, RUNTIME, RUNTIME_VERSION, read};
use super::packages::Packages;
use super::shared::PickShared;
use super::tinygo::{self, TINYGO};
use super::tools::Tools;
use crate::lang::bindings::{Bindings, Generator, WhatToBind};
use crate::lang::source_tree::SourceTree;
use crate::lang::{Compiled, ComponentWit, LangError, Request, base_environment, process};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::GO;

/// Where actions see the compiled standard library, and the name of that output.
pub(super) const STD: &str = "std";
/// Flags of every call of the go command.
const FLAGS: &str = "-trimpath -buildvcs=false";
/// The path of a module in the generator's way for single programs.
const STANDALONE: &str = "wit_component";

/// Adds the actions that compile `request`'s component; the last one leaves a core module.
pub(crate) fn compile(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
) -> Result<Compiled, PlanError> {
    let wit = request.wit.ok_or(LangError::NeedsWit { language: "go" })?;
    if let Some(image) = planner.pinned(TINYGO)? {
        return tinygo::compile(planner, request, wit, image);
    }
    let project = planner.project().to_owned();
    let flags = Flags::of(request.env)?;
    let module = Module::discover(&project, request.source)?;
    let (package, folder) = main_package(&module, request.source);
    let exports = match &package {
        Some(_) => folders_in(planner, &folder.join("exports"), ""),
        None => folders_in(planner, &folder, "export_"),
    };
    let roots = std::iter::once(folder.clone()).chain(exports.iter().cloned());
    let excludes = |name: &str, head: &str| constraint::excludes(name, head, &flags.tags);
    let mut packages = Packages::find(&project, &module, roots, &excludes)?;
    packages.check_cgo(request.source)?;
    packages.find_others(&project, &module, &excludes)?;
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
        std: Source::output(standard_library(planner, request, &flags)?, STD),
        bindings: bindings(planner, request.name, wit, &layout)?,
        modules: fetch(planner, &module)?,
        module: &module,
        layout: &layout,
        request,
        flags: &flags,
    };
    let arranged = arrange(planner, &go, &packages)?;
    let tools = Tools { go: &go, packages: &packages, arranged, platform: planner.platform()? };
    let linked = tools.build(planner)?;
    Ok(Compiled::new(linked, Tools::OUTPUT))
}

/// The folder of bindings.
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
            place: wit.place.to_string(),
        },
        limits: planner.worker_limits(),
    };
    let action = Action::builtin(Label::new(name, "bindings"), bindings)
        .input(Input::new("wit", Source::Tree(wit.tree)))
        .output(Bindings::OUTPUT);
    Ok(Source::output(planner.add(action)?, Bindings::OUTPUT))
}

/// Has the go command say what the component is made of, and compile of that what is not the
/// user's own; then lays out both for the compiler and the linker.
fn arrange(
    planner: &mut Planner<'_>,
    go: &Go<'_>,
    packages: &Packages,
) -> Result<ActionId, PlanError> {
    // Of the project it sees which modules there are, and a folder `vendor`.
    let mut tree = SourceTree::default();
    manifests(planner, go.module, &mut tree)?;
    let skeleton = planner.store_tree(tree)?;
    let mut tree = SourceTree::default();
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

/// The modules of the project, with the sources of packages that other people's packages import.
fn pick_shared(
    planner: &mut Planner<'_>,
    go: &Go<'_>,
    packages: &Packages,
    skeleton: Digest,
    listed: ActionId,
) -> Result<Source, PlanError> {
    if packages.third_party.is_empty() {
        return Ok(Source::Tree(skeleton));
    }
    let mut tree = SourceTree::default();
    let all = packages.own.values().chain(packages.others.values());
    all.for_each(|package| package.add_to(&mut tree));
    let sources = planner.store_tree(tree)?;
    let action = Action::builtin(Label::new(go.request.name, "shared"), PickShared)
        .input(Input::new(PickShared::LISTED, Source::output(listed, Arrange::LISTED)))
        .input(Input::new(PickShared::SKELETON, Source::Tree(skeleton)))
        .input(Input::new(PickShared::SOURCES, Source::Tree(sources)))
        .output(PickShared::PICKED);
    Ok(Source::output(planner.add(action)?, PickShared::PICKED))
}

/// The import path of the component's main package, and its folder. A module `wit_component` is
/// laid out in the generator's way for single programs: its root is the main package, which has no
/// path that could be imported.
fn main_package(module: &Module, source: &ProjectPath) -> (Option<String>, ProjectPath) {
    if module.manifest.module == STANDALONE {
        return (None, module.dir.clone());
    }
    let folder = source.parent();
    (Some(module.import_path(&folder)), folder)
}

/// The folders in `folder` whose names begin with `prefix`.
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

/// The action that compiles the standard library, once for all components that want the same of it.
fn standard_library(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
    flags: &Flags,
) -> Result<ActionId, PlanError> {
    let settings = settings(request, flags);
    planner.once(&format!("go standard library {settings:?}"), |planner| {
        let image = planner.image(GO)?;
        let argv = ["install", "-pkgdir=/out/std", "std"].map(str::to_owned).to_vec();
        let mut env = environment();
        env.insert("GOCACHE".to_owned(), "/tmp/cache".to_owned());
        let owner = if settings.is_empty() { "go" } else { request.name };
        env.extend(settings);
        let process = process(go(argv), env, "");
        let action = Action::process(Label::new(owner, "standard library"), process);
        planner.add(action.input(Input::root(image)).output(STD))
    })
}

/// The variables of a component's `env` that decide what code Go makes, and of which files. All of a
/// program has to be compiled with the same. Flags are added to ours.
fn settings(request: &Request<'_>, flags: &Flags) -> BTreeMap<String, String> {
    const NAMES: [&str; 2] = ["GOEXPERIMENT", "GOWASM"];
    let env = request.env.iter().filter(|(name, _)| NAMES.contains(&name.as_str()));
    let mut settings: BTreeMap<String, String> =
        env.map(|(name, value)| (name.clone(), value.clone())).collect();
    if let Some(tags) = flags.tags_flag() {
        settings.insert("GOFLAGS".to_owned(), format!("{FLAGS} {tags}"));
    }
    settings
}

/// The action that fetches other people's modules, if there are any.
pub(super) fn fetch(
    planner: &mut Planner<'_>,
    module: &Module,
) -> Result<Option<Source>, PlanError> {
    let fetch = FetchModules::new(module, planner.clients());
    if module.vendored || fetch.is_empty() {
        return Ok(None);
    }
    let image = planner.image(GO)?;
    let owner = match module.dir.as_str() {
        "" => "go".to_owned(),
        dir => format!("go {dir}"),
    };
    let action = planner.once(&format!("go modules {}", module.dir), |planner| {
        let action = Action::builtin(Label::new(owner, "fetch"), fetch);
        planner.add(action.input(Input::new("image", image)).output(FetchModules::OUTPUT))
    })?;
    Ok(Some(Source::output(action, FetchModules::OUTPUT)))
}

/// The modules of the project, with what bindings need added to the component's own.
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

/// How Go's tools are called for one component.
pub(super) struct Go<'a> {
    pub(super) image: Source,
    pub(super) std: Source,
    pub(super) bindings: Source,
    modules: Option<Source>,
    module: &'a Module,
    pub(super) layout: &'a Layout,
    pub(super) request: &'a Request<'a>,
    flags: &'a Flags,
}

impl Go<'_> {
    /// Compiles the bindings of imports and other people's packages. What can't be compiled here is
    /// passed over, as a package may be imported by a file that does not count; [`Arrange`] tells
    /// what really is missing.
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
            ..process(argv, env, place(&self.module.dir))
        };
        let action = Action::process(Label::new(self.request.name, "packages"), process);
        self.inputs(action, sources)
            .input(Input::new(STD, self.std.clone()))
            .output(Arrange::CACHE)
            .output(Arrange::COMPILED)
    }

    /// Has the go command say of which files and packages the component is made. It sees the heads
    /// of the files, so only an edit of these asks it again.
    fn list(&self, heads: Digest) -> Action {
        let mut argv = self.list_command(OVERLAY);
        argv.extend(["-deps".to_owned(), format!("-json={OWN_FIELDS}"), ".".to_owned()]);
        let mut env = self.environment();
        env.insert("GOCACHE".to_owned(), "/tmp/cache".to_owned());
        env.extend(self.variables());
        env.extend(settings(self.request, self.flags));
        let process = Process {
            stdout: Some(Arrange::LISTED.to_owned()),
            ..process(argv, env, place(&self.layout.folder))
        };
        let action = Action::process(Label::new(self.request.name, "list"), process);
        self.inputs(action, Source::Tree(heads)).output(Arrange::LISTED)
    }

    /// The component's `env`. Of `GOFLAGS`, each tool is told what is for it.
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

/// Where the go command looks for other people's modules.
pub(super) fn module_cache(fetched: bool) -> String {
    if fetched { format!("/{MODULES}") } else { "/tmp/mod".to_owned() }
}

/// The working directory of a command that works in a folder of the project.
pub(super) fn place(folder: &ProjectPath) -> String {
    if folder.is_root() { "src".to_owned() } else { format!("src/{folder}") }
}

/// The image has no shell: the go command is called by its path.
fn go(arguments: Vec<String>) -> Vec<String> {
    std::iter::once("/usr/lib/go/bin/go".to_owned()).chain(arguments).collect()
}

/// What every call sees: a compiler for WebAssembly, and no way to a network.
pub(super) fn environment() -> BTreeMap<String, String> {
    let mut env = base_environment();
    let fixed = [
        ("PATH", "/usr/lib/go/bin"),
        ("GOROOT", "/usr/lib/go"),
        ("GOPATH", "/tmp/go"),
        ("GOENV", "off"),
        ("GOFLAGS", FLAGS),
        ("GOPROXY", "off"),
        ("GOSUMDB", "off"),
        ("GOTELEMETRY", "off"),
        ("GOTOOLCHAIN", "local"),
        ("GOWORK", "off"),
        ("CGO_ENABLED", "0"),
        ("GOOS", "wasip1"),
        ("GOARCH", "wasm"),
        // Compiled packages of the standard library are files that can be handed on.
        ("GODEBUG", "installgoroot=all"),
    ];
    env.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    env
}
