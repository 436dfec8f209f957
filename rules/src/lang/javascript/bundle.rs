//! The *bundle* action: esbuild makes one ECMAScript module of the sources and the packages that they use.
//!
//! It is an action of its own because it costs next to nothing and its result often stays the same: comments,
//! types and files that nothing imports do not reach the engine.

use cache::Digest;
use engine::{Action, Input, Label, Source};
use serde_json::Value;

use super::fetch::MODULES;
use super::world::World;
use crate::planner::{PlanError, Planner, Request, base_environment, process};
use crate::toolchain::ESBUILD;

/// The name of the output, a folder with one module.
const OUTPUT: &str = "bundle";

/// The newest version of ECMAScript that the engine understands in full.
const TARGET: &str = "es2022";

/// Plans the bundle of `request`'s component.
pub(super) fn plan(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
    world: &World,
    sources: Digest,
    packages: Option<&Source>,
) -> Result<Source, PlanError> {
    let mut env = base_environment();
    env.extend(request.env.clone());
    let process = process(arguments(request, world), env, "src");
    let mut action = Action::process(Label::new(request.name, "bundle"), process)
        .input(Input::root(planner.image(ESBUILD)?))
        .input(Input::new("src", Source::Tree(sources)))
        .output(OUTPUT);
    if let Some(packages) = packages {
        action = action.input(Input::new(MODULES, packages.clone()));
    }
    Ok(Source::output(planner.add(action)?, OUTPUT))
}

fn arguments(request: &Request<'_>, world: &World) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "/usr/bin/esbuild",
        request.source.as_str(),
        "--bundle",
        "--format=esm",
        // The engine offers what the web offers, and nothing of Node.js. So of a package esbuild takes the
        // fields `browser`, `module` and `main`, in this order, and of its `exports` these conditions,
        // whichever the package lists first.
        "--platform=browser",
        "--conditions=worker,wasm,module",
        "--define:global=globalThis",
        "--charset=utf8",
        "--log-level=warning",
        "--log-limit=0",
        "--color=true",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--target={TARGET}"));
    arguments.push(format!("--outfile=/out/{OUTPUT}/{}", module_name(request)));
    arguments.extend(world.imports.iter().map(|name| format!("--external:{name}")));
    arguments.extend(environment(request));
    arguments
}

/// Returns the options that fill in the component's `env`, because the engine has no `process`. They replace
/// `process.env` as a whole and each variable in it.
fn environment(request: &Request<'_>) -> Vec<String> {
    let mode = if request.release { "production" } else { "development" };
    let mut env = request.env.clone();
    env.entry("NODE_ENV".to_owned()).or_insert_with(|| mode.to_owned());
    let each = env.iter().map(|(name, value)| (format!(".{name}"), Value::from(value.as_str())));
    let whole = (String::new(), Value::from_iter(env.clone()));
    let defined = each.chain([whole]);
    defined.map(|(name, value)| format!("--define:process.env{name}={value}")).collect()
}

/// Returns the file name of the bundle: that of the source with the ending `.js`.
pub(super) fn module_name(request: &Request<'_>) -> String {
    format!("{}.js", request.source.file_stem())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::manifest::Features;
    use crate::path::ProjectPath;

    #[test]
    fn imports_of_the_world_stay_and_the_environment_is_filled_in() {
        let source = ProjectPath::parse("src/app.ts").unwrap();
        let env = BTreeMap::from([("GREETING".to_owned(), "say \"hi\"".to_owned())]);
        let request = Request {
            name: "app",
            source: &source,
            inputs: &[],
            exclude: &[],
            env: &env,
            features: &Features::default(),
            check: true,
            compiler: None,
            wit: None,
            release: true,
        };
        let world = World::parse("wasi:http/types@0.2.4\nlog");
        let arguments = arguments(&request, &world);
        for expected in [
            "src/app.ts",
            "--outfile=/out/bundle/app.js",
            "--external:wasi:http/types@0.2.4",
            "--external:log",
            "--define:process.env.NODE_ENV=\"production\"",
            "--define:process.env.GREETING=\"say \\\"hi\\\"\"",
            "--define:process.env={\"GREETING\":\"say \\\"hi\\\"\",\"NODE_ENV\":\"production\"}",
        ] {
            assert!(arguments.iter().any(|argument| argument == expected), "{arguments:?}");
        }
    }
}
