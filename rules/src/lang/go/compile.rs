//! The actions of a Go component: standard library, bindings, fetch, packages, compile.

use std::collections::BTreeMap;

use cache::Digest;
use engine::{Action, ActionId, Input, Label, Source};

use super::bindings::{Layout, PLACE, RUNTIME_FOLDER, vendored_runtime};
use super::fetch::{FetchModules, MODULES};
use super::module::{Module, RUNTIME, RUNTIME_VERSION, read};
use super::packages::Packages;
use super::seal::SealCache;
use super::tinygo::{self, TINYGO};
use crate::lang::bindings::{Bindings, Generator};
use crate::lang::source_tree::SourceTree;
use crate::lang::{Compiled, ComponentWit, LangError, Request, base_environment, process};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::GO;

/// Where actions see the compiled standard library, and the name of that output.
const STD: &str = "std";
/// Where actions see the build cache, and the name of that output.
const CACHE: &str = "cache";
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
    let module = Module::discover(&project, request.source)?;
    let (package, folder) = main_package(&module, request.source);
    let exports = match &package {
        Some(_) => folders_in(planner, &folder.join("exports"), ""),
        None => folders_in(planner, &folder, "export_"),
    };
    let roots = std::iter::once(folder.clone()).chain(exports);
    let packages = Packages::find(&project, &module, roots)?;
    let layout = Layout {
        command: package.is_some() && !packages.links_exports,
        vendor: module.vendored.then(|| module.dir.join("vendor")),
        package,
        folder,
    };
    let go = Go {
        std: Source::output(standard_library(planner)?, STD),
        image: planner.image(GO)?,
        bindings: bindings(planner, request.name, wit, &layout)?,
        modules: fetch(planner, &module)?,
        module: &module,
        layout: &layout,
    };
    let layer = layer(planner, &go, request.name, &packages)?;
    let sources = sources(planner, &module, &packages, request)?;
    let action = planner.add(go.compile(request, sources, layer))?;
    Ok(Compiled::new(action, "core.wasm"))
}

/// The folder of bindings.
fn bindings(
    planner: &mut Planner<'_>,
    name: &str,
    wit: &ComponentWit,
    layout: &Layout,
) -> Result<Source, PlanError> {
    let bindings = Bindings {
        generator: Generator::Go(layout.clone()),
        world: wit.world.clone(),
        place: wit.place.to_string(),
    };
    let action = Action::builtin(Label::new(name, "bindings"), bindings)
        .input(Input::new("wit", Source::Tree(wit.tree)))
        .output(Bindings::OUTPUT);
    Ok(Source::output(planner.add(action)?, Bindings::OUTPUT))
}

/// The build cache in which all is compiled but the component's own packages.
fn layer(
    planner: &mut Planner<'_>,
    go: &Go<'_>,
    name: &str,
    packages: &Packages,
) -> Result<Source, PlanError> {
    // Of the project it sees which modules there are, and a folder `vendor`.
    let mut tree = SourceTree::default();
    manifests(planner, go.module, &mut tree)?;
    let skeleton = planner.store_tree(tree)?;
    let filled = planner.add(go.packages(name, packages, skeleton))?;
    let seal = Action::builtin(Label::new(name, "layer"), SealCache)
        .input(Input::new(SealCache::CACHE, Source::output(filled, CACHE)))
        .output(SealCache::CACHE);
    Ok(Source::output(planner.add(seal)?, SealCache::CACHE))
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

/// The action that compiles the standard library, once for all components.
fn standard_library(planner: &mut Planner<'_>) -> Result<ActionId, PlanError> {
    planner.once("go standard library", |planner| {
        let image = planner.image(GO)?;
        let argv = ["install", "-pkgdir=/out/std", "std"].map(str::to_owned).to_vec();
        let mut env = environment();
        env.insert("GOCACHE".to_owned(), "/tmp/cache".to_owned());
        let process = process(go(argv), env, "");
        let action = Action::process(Label::new("go", "standard library"), process);
        planner.add(action.input(Input::root(image)).output(STD))
    })
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

fn sources(
    planner: &mut Planner<'_>,
    module: &Module,
    packages: &Packages,
    request: &Request<'_>,
) -> Result<Digest, PlanError> {
    let project = planner.project().to_owned();
    let mut tree = SourceTree::default();
    packages.add_to(&project, planner.outputs(), &mut tree)?;
    tree.file(request.source.clone());
    request.add_inputs(&mut tree);
    manifests(planner, module, &mut tree)?;
    planner.store_tree(tree)
}

/// How the go command is called for one component.
struct Go<'a> {
    image: Source,
    std: Source,
    bindings: Source,
    modules: Option<Source>,
    module: &'a Module,
    layout: &'a Layout,
}

impl Go<'_> {
    /// Compiles the bindings of imports and other people's packages. What can't be compiled here is
    /// passed over: an import may be for another system. The compile tells what really is missing.
    fn packages(&self, name: &str, packages: &Packages, skeleton: Digest) -> Action {
        let ours = match &self.layout.package {
            Some(package) => format!("{package}/imports/..."),
            None => format!("{STANDALONE}/..."),
        };
        let mut argv = self.command("list", "imports.json");
        argv.extend(["-e", "-export", "-f", "{{with .Error}}{{.}}{{end}}"].map(str::to_owned));
        // The index of the standard library's packages is worth keeping as well.
        argv.extend([STD.to_owned(), ours]);
        argv.extend(["runtime", "types"].map(|name| format!("{RUNTIME}/wit/{name}")));
        argv.extend(packages.third_party.iter().cloned());
        let mut env = self.environment();
        env.insert("GOCACHE".to_owned(), format!("/out/{CACHE}"));
        let process = process(argv, env, place(&self.module.dir));
        let action = Action::process(Label::new(name, "packages"), process);
        self.inputs(action, skeleton).output(CACHE)
    }

    /// Compiles the component's own packages and links them with what the layer has.
    fn compile(&self, request: &Request<'_>, sources: Digest, layer: Source) -> Action {
        let mut argv = self.command("build", "overlay.json");
        if !self.layout.command {
            argv.push("-buildmode=c-shared".to_owned());
        }
        // The run-time package reaches for functions of Go's own run time.
        let stripped = if request.release { "-s -w " } else { "" };
        argv.push(format!("-ldflags={stripped}-buildid= -checklinkname=0"));
        argv.extend(["-o", "/out/core.wasm", "."].map(str::to_owned));
        let mut env = self.environment();
        env.insert("GOCACHE".to_owned(), format!("/{CACHE}"));
        env.extend(request.env.clone());
        let process = process(argv, env, place(&self.layout.folder));
        let action = Action::process(Label::new(request.name, "compile"), process);
        self.inputs(action, sources).input(Input::scratch(CACHE, layer)).output("core.wasm")
    }

    fn inputs(&self, action: Action, sources: Digest) -> Action {
        let action = action
            .input(Input::root(self.image.clone()))
            .input(Input::new("src", Source::Tree(sources)))
            .input(Input::new(PLACE, self.bindings.clone()))
            .input(Input::new(STD, self.std.clone()));
        match &self.modules {
            Some(modules) => action.input(Input::new(MODULES, modules.clone())),
            None => action,
        }
    }

    fn command(&self, verb: &str, overlay: &str) -> Vec<String> {
        let mode = if self.module.vendored { "vendor" } else { "readonly" };
        go(vec![
            verb.to_owned(),
            format!("-mod={mode}"),
            format!("-pkgdir=/{STD}"),
            format!("-overlay=/{PLACE}/{overlay}"),
        ])
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let mut env = environment();
        let modules =
            if self.modules.is_some() { format!("/{MODULES}") } else { "/tmp/mod".into() };
        env.insert("GOMODCACHE".to_owned(), modules);
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
        ("GOFLAGS", "-trimpath -buildvcs=false"),
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
