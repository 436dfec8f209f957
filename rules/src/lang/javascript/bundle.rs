//! The *bundle* action: esbuild makes one ECMAScript module of the sources and the packages they use.
//!
//! An action of its own, as it costs next to nothing and its result often stays the same: comments,
//! types and files that nothing imports do not reach the engine.

use cache::Digest;
use engine::{Action, Input, Label, Source};

use super::fetch::MODULES;
use super::module_name;
use super::world::World;
use crate::lang::{Request, base_environment, process};
use crate::plan::{PlanError, Planner};
use crate::toolchain::ESBUILD;

/// The output: a folder with one module.
const OUTPUT: &str = "bundle";

/// The newest language that the engine understands in full.
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
        // Neither a browser nor Node.js: without this, packages that are not modules would not be found.
        "--platform=neutral",
        "--main-fields=module,main",
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
    let mode = if request.release { "production" } else { "development" };
    if !request.env.contains_key("NODE_ENV") {
        arguments.push(defined("NODE_ENV", mode));
    }
    arguments.extend(request.env.iter().map(|(name, value)| defined(name, value)));
    arguments
}

/// There is no `process` in the engine: what the component's `env` says is filled in.
fn defined(name: &str, value: &str) -> String {
    format!("--define:process.env.{name}={}", serde_json::Value::from(value))
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
            env: &env,
            features: &Features::default(),
            check: true,
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
        ] {
            assert!(arguments.iter().any(|argument| argument == expected), "{arguments:?}");
        }
    }
}
