//! TinyGo in the place of Go's own compiler, for a project whose lock pins it.
//!
//! The catalogue has no TinyGo: whoever wants it adds it (`run toolchain add tinygo`), with the
//! wasm-tools that it makes components with. It brings its own WASI 0.2, so there is no adapter, and its
//! bindings are generated beforehand and kept with the sources. One action: *compile*. How TinyGo is
//! called is tested; the real one has not been tried.

use cache::Digest;
use engine::{Action, Input, Label, Source};

use super::compile::{environment, fetch, module_cache, place};
use super::module::Module;
use super::packages::Packages;
use super::{GoError, fetch::MODULES};
use crate::lang::source_tree::SourceTree;
use crate::lang::{Compiled, ComponentWit, Request, process};
use crate::plan::{PlanError, Planner};
use crate::toolchain::GO;

/// The toolchain of that name in a lock.
pub(super) const TINYGO: &str = "tinygo";
/// The toolchain that TinyGo makes components with.
const WASM_TOOLS: &str = "wasm-tools";
/// The component among the outputs.
const OUTPUT: &str = "component.wasm";

/// Adds the action that makes `request`'s component with the TinyGo in the image `tinygo`.
pub(super) fn compile(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
    wit: &ComponentWit,
    tinygo: Source,
) -> Result<Compiled, PlanError> {
    let project = planner.project().to_owned();
    let module = Module::discover(&project, request.source)?;
    // Which constraints hold, TinyGo knows.
    let mut packages = Packages::find(&project, &module, [request.source.parent()], &|_, _| false)?;
    let tools = planner.pinned(WASM_TOOLS)?.ok_or(GoError::NoWasmTools)?;
    let images = [planner.image(GO)?, tinygo, tools];
    let modules = fetch(planner, &module)?;
    let mut tree = SourceTree::default();
    packages.find_embedded(&project, planner.outputs());
    packages.own.values().for_each(|package| package.add_to(&mut tree));
    module.add_to(&project, planner.outputs(), &mut tree)?;
    tree.file(request.source.clone());
    request.add_inputs(&mut tree);
    let sources = planner.store_tree(tree)?;
    let action = action(request, wit, sources, modules);
    let action = images.into_iter().fold(action, |action, image| action.input(Input::root(image)));
    Ok(Compiled::new(planner.add(action)?, OUTPUT))
}

fn action(
    request: &Request<'_>,
    wit: &ComponentWit,
    sources: Digest,
    modules: Option<Source>,
) -> Action {
    let mut env = environment();
    // TinyGo picks its own; the rest is the same as for Go.
    ["GOOS", "GOARCH", "GODEBUG"].iter().for_each(|name| drop(env.remove(*name)));
    let path = ["tinygo/bin", "go/bin", "wasm-tools/bin", "wasm-tools"];
    let path = path.map(|folder| format!("/usr/lib/{folder}")).join(":");
    env.insert("PATH".to_owned(), path);
    env.insert("TINYGOROOT".to_owned(), "/usr/lib/tinygo".to_owned());
    env.insert("GOCACHE".to_owned(), "/tmp/cache".to_owned());
    env.insert("GOMODCACHE".to_owned(), module_cache(modules.is_some()));
    env.extend(request.env.clone());
    let cwd = place(&request.source.parent());
    let process = process(command(&wit.world, request.release), env, cwd);
    let action = Action::process(Label::new(request.name, "compile"), process)
        .input(Input::new("src", Source::Tree(sources)))
        .input(Input::new("wit", Source::Tree(wit.tree)))
        .output(OUTPUT);
    match modules {
        Some(modules) => action.input(Input::new(MODULES, modules)),
        None => action,
    }
}

fn command(world: &str, release: bool) -> Vec<String> {
    let mut argv = vec!["/usr/lib/tinygo/bin/tinygo", "build", "-target=wasip2"];
    argv.extend(["-wit-package", "/wit", "-wit-world", world]);
    argv.extend(if release { &["-opt=z", "-no-debug"][..] } else { &["-opt=1"][..] });
    argv.extend(["-o", "/out/component.wasm", "."]);
    argv.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cache::DigestFunction;
    use engine::Work;

    use super::*;
    use crate::manifest::Features;
    use crate::path::ProjectPath;

    #[test]
    fn tinygo_is_called_in_the_folder_of_the_main_package() {
        let digest = Digest::empty(DigestFunction::Blake3);
        let source = ProjectPath::parse("components/shop/main.go").unwrap();
        let place = ProjectPath::parse("components/shop/wit").unwrap();
        let wit = ComponentWit { tree: digest, world: "shop".to_owned(), place };
        let env = BTreeMap::from([("GOEXPERIMENT".to_owned(), "x".to_owned())]);
        let request = Request {
            name: "shop",
            source: &source,
            inputs: &[],
            exclude: &[],
            env: &env,
            features: &Features::default(),
            check: true,
            wit: Some(&wit),
            release: true,
        };
        let action = action(&request, &wit, digest, Some(Source::Tree(digest)));
        let Work::Process(process) = &action.work else { panic!("{action:?}") };
        assert_eq!(
            process.argv.join(" "),
            "/usr/lib/tinygo/bin/tinygo build -target=wasip2 -wit-package /wit -wit-world shop \
             -opt=z -no-debug -o /out/component.wasm ."
        );
        assert_eq!(process.cwd, "src/components/shop");
        let variable = |name: &str| process.env.get(name).map(String::as_str);
        assert_eq!(
            variable("PATH"),
            Some("/usr/lib/tinygo/bin:/usr/lib/go/bin:/usr/lib/wasm-tools/bin:/usr/lib/wasm-tools")
        );
        assert_eq!(variable("GOMODCACHE"), Some("/deps/mod"));
        assert_eq!(variable("GOPROXY"), Some("off"));
        assert_eq!(variable("GOEXPERIMENT"), Some("x"));
        assert_eq!(variable("GOOS"), None);
        let places: Vec<&str> = action.inputs.iter().map(|input| input.at.as_str()).collect();
        assert_eq!(places, ["src", "wit", "deps/mod"]);
        assert_eq!(action.outputs, ["component.wasm"]);
        assert!(command("shop", false).contains(&"-opt=1".to_owned()));
    }
}
