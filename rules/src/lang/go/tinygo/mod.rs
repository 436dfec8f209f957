//! TinyGo in the place of Go's own compiler, for a component that asks for it: `compiler = "tinygo"`.
//!
//! No registry offers TinyGo: whoever wants it adds it (`run toolchain add tinygo`). The Go that it works
//! with is a toolchain of the catalogue, because TinyGo accepts the Go of its own time and older ones. TinyGo
//! brings its own WASI 0.2, so there is no adapter. Its bindings are generated beforehand and kept with the
//! sources.
//!
//! The actions: *target* ([`Target`]); *cache*, in which TinyGo compiles what is not the project's own, so
//! that an edit compiles only the project's packages; *compile*, which leaves a core module.

mod target;

use std::collections::{BTreeMap, BTreeSet};

use cache::Digest;
use engine::{Action, Input, Label, Source};

use self::target::Target;
use super::command::{environment, module_cache};
use super::error::GoError;
use super::fetch::FetchModules;
use super::flags::Flags;
use super::module::Module;
use super::packages::Packages;
use super::sources::Sources;
use crate::planner::source_tree::SourceTree;
use crate::planner::{Compiled, PlanError, Planner, Request, in_action, process};
use crate::toolchain::{TINYGO, TINYGO_GO};

/// The core module among the outputs.
const OUTPUT: &str = "core.wasm";
/// The output with the packages that TinyGo has compiled and that are not the project's own, and the place of
/// that output as an input.
const CACHE: &str = "cache";
/// The folder of TinyGo's cache while it runs. It has to be the same in every action, and so can't be an
/// output: TinyGo compiles a package again if the paths of its files have changed, and it links those of the
/// library to this folder.
const CACHE_HOME: &str = "/tmp/cache";

/// The tags that TinyGo sets for every program for WASI 0.2.
const TAGS: [&str; 4] = ["osusergo", "purego", "tinygo", "wasip2"];
/// Fills the cache. A failure is ignored here, because the compile action will report it. TinyGo links the
/// sources of the library into its cache by absolute paths; these links are removed, and it makes them anew.
const FILL: &str = "busybox mkdir /out/cache\n\
     tinygo \"$@\" > /tmp/said 2>&1 || exit 0\n\
     busybox rm -rf /tmp/cache/tinygo/goroot-* /tmp/cache/tinygo/*.lock\n\
     busybox cp -r /tmp/cache/tinygo /out/cache/";
/// Compiles with a copy of the cache, because TinyGo writes to it.
const COMPILE: &str = "busybox cp -r /cache /tmp/cache\nexec tinygo \"$@\"";

/// Adds the actions that make `request`'s component with TinyGo.
pub(super) fn compile(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
) -> Result<Compiled, PlanError> {
    let project = planner.project().to_owned();
    let flags = Flags::of(request.env)?;
    if let Some(flag) = flags.link.iter().find(|flag| flag.starts_with("-X")) {
        return Err(GoError::TinyGoFlag { flag: flag.clone() }.into());
    }
    let (module, sources) = (Module::of(planner, request.source)?, Sources::of(planner)?);
    // TinyGo itself knows which build constraints hold, so no file is excluded here.
    let mut packages = Packages::find(&sources, &module, [request.source.parent()], &|_, _| false)?;
    packages.find_embedded(&project, planner.outputs());

    let mut tree = SourceTree::default();
    module.add_to(&project, planner.outputs(), &mut tree)?;
    let tags = flags.tags.iter().map(String::as_str).chain(TAGS);
    let imports = packages.imports_of_others(&module, &tags.map(str::to_owned).collect());
    let program = importing(imports);
    tree.generated(request.source.parent().join("main.go"), program);
    let imports = planner.store_tree(tree)?;

    let mut tree = SourceTree::default();
    packages.own.values().for_each(|package| package.add_to(&mut tree));
    module.add_to(&project, planner.outputs(), &mut tree)?;
    tree.file(request.source.clone());
    request.add_inputs(&mut tree);
    let sources = planner.store_tree(tree)?;

    let tinygo = TinyGo {
        images: [planner.image(TINYGO_GO)?, planner.image(TINYGO)?],
        target: target(planner)?,
        modules: FetchModules::add(planner, &module, TINYGO_GO)?.map(|fetched| fetched.whole()),
        request,
        tags: &flags.tags,
    };
    let filled = planner.add(tinygo.action("cache", FILL, imports).output(CACHE))?;
    let action = tinygo
        .action("compile", COMPILE, sources)
        .input(Input::new(CACHE, Source::output(filled, CACHE)))
        .output(OUTPUT);
    Ok(Compiled::new(planner.add(action)?, OUTPUT))
}

/// Returns the description of TinyGo's target, which all components share.
fn target(planner: &mut Planner<'_>) -> Result<Source, PlanError> {
    let image = planner.image(TINYGO)?;
    let action = planner.once("tinygo target", |planner| {
        let action = Action::builtin(Label::new(TINYGO, "target"), Target)
            .input(Input::new(Target::IMAGE, image));
        planner.add(action.output(Target::OUTPUT))
    })?;
    Ok(Source::output(action, Target::OUTPUT))
}

/// Returns the text of a program that imports these packages and does nothing.
fn importing(packages: BTreeSet<String>) -> String {
    let lines: String = packages.iter().map(|path| format!("\t_ \"{path}\"\n")).collect();
    format!("package main\n\nimport (\n{lines})\n\nfunc main() {{}}\n")
}

/// The inputs with which TinyGo is called for one component.
struct TinyGo<'a> {
    /// The images of Go and TinyGo.
    images: [Source; 2],
    target: Source,
    modules: Option<Input>,
    request: &'a Request<'a>,
    tags: &'a BTreeSet<String>,
}

impl TinyGo<'_> {
    /// Returns an action that calls TinyGo by a script, in the folder of the main package.
    fn action(&self, step: &str, script: &str, sources: Digest) -> Action {
        let argv = ["/usr/bin/sh", "-ec", script, TINYGO].map(str::to_owned);
        let argv = argv.into_iter().chain(self.command()).collect();
        let process = process(argv, self.environment(), in_action(&self.request.source.parent()));
        let action = Action::process(Label::new(self.request.name, step), process)
            .input(Input::new("src", Source::Tree(sources)))
            .input(Input::new(Target::OUTPUT, self.target.clone()));
        let images = self.images.iter().cloned().map(Input::root);
        let modules = self.modules.iter().cloned();
        images.chain(modules).fold(action, Action::input)
    }

    fn command(&self) -> Vec<String> {
        let mut argv = vec!["build".to_owned(), format!("-target=/{}", Target::OUTPUT)];
        let optimise =
            if self.request.release { &["-opt=z", "-no-debug"][..] } else { &["-opt=1"][..] };
        argv.extend(optimise.iter().map(|&flag| flag.to_owned()));
        if !self.tags.is_empty() {
            let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
            argv.push(format!("-tags={}", tags.join(" ")));
        }
        argv.extend(["-o", "/out/core.wasm", "."].map(str::to_owned));
        argv
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let mut env = environment();
        // TinyGo sets these by itself. All other variables are the same as for Go.
        ["GOOS", "GOARCH"].iter().for_each(|name| drop(env.remove(*name)));
        let fixed = [
            ("PATH", "/usr/lib/tinygo/bin:/usr/lib/go/bin:/usr/bin"),
            ("TINYGOROOT", "/usr/lib/tinygo"),
            ("XDG_CACHE_HOME", CACHE_HOME),
            ("GOCACHE", "/tmp/gocache"),
        ];
        env.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
        env.insert("GOMODCACHE".to_owned(), module_cache(self.modules.is_some()));
        let own = self.request.env.iter().filter(|(name, _)| name.as_str() != "GOFLAGS");
        env.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        env
    }
}

#[cfg(test)]
mod tests {
    use cache::DigestFunction;
    use engine::Work;

    use super::*;
    use crate::lang::go::fetch::MODULES;
    use crate::manifest::{Compiler, Features};
    use crate::path::ProjectPath;

    #[test]
    fn tinygo_is_called_in_the_folder_of_the_main_package() {
        let digest = Digest::empty(DigestFunction::Blake3);
        let source = ProjectPath::parse("components/shop/main.go").unwrap();
        let env = ["GOEXPERIMENT", "GOFLAGS"].map(|name| (name.to_owned(), "x".to_owned()));
        let request = Request {
            name: "shop",
            source: &source,
            inputs: &[],
            exclude: &[],
            env: &env.into(),
            features: &Features::default(),
            check: true,
            compiler: Some(Compiler::TinyGo),
            wit: None,
            release: true,
        };
        let tree = || Source::Tree(digest);
        let tags = ["a", "b"].map(str::to_owned).into();
        let tinygo = TinyGo {
            images: [tree(), tree()],
            target: tree(),
            modules: Some(Input::new(MODULES, tree())),
            request: &request,
            tags: &tags,
        };
        let action = tinygo.action("compile", COMPILE, digest);
        let Work::Process(process) = &action.work else { panic!("{action:?}") };
        assert_eq!(process.argv[..2], ["/usr/bin/sh", "-ec"]);
        assert_eq!(
            process.argv[3..],
            [
                "tinygo",
                "build",
                "-target=/target.json",
                "-opt=z",
                "-no-debug",
                "-tags=a b",
                "-o",
                "/out/core.wasm",
                "."
            ]
        );
        assert_eq!(process.cwd, "src/components/shop");
        let variable = |name: &str| process.env.get(name).map(String::as_str);
        assert_eq!(variable("PATH"), Some("/usr/lib/tinygo/bin:/usr/lib/go/bin:/usr/bin"));
        assert_eq!(variable("GOMODCACHE"), Some("/deps/mod"));
        assert_eq!(variable("GOPROXY"), Some("off"));
        assert_eq!(variable("GOEXPERIMENT"), Some("x"));
        assert_eq!(variable("GOOS"), None);
        assert_eq!(variable("GOFLAGS"), Some("-trimpath -buildvcs=false"));
        let places: Vec<&str> = action.inputs.iter().map(|input| input.at.as_str()).collect();
        assert_eq!(places, ["src", "target.json", "", "", "deps/mod"]);
        let request = Request { release: false, ..request };
        assert!(TinyGo { request: &request, ..tinygo }.command().contains(&"-opt=1".to_owned()));
    }

    #[test]
    fn a_program_needs_packages_without_using_them() {
        let program = importing(["fmt", "a.org/x"].map(str::to_owned).into());
        assert_eq!(
            program,
            "package main\n\nimport (\n\t_ \"a.org/x\"\n\t_ \"fmt\"\n)\n\nfunc main() {}\n"
        );
        assert!(importing(BTreeSet::new()).contains("import (\n)"));
    }
}
