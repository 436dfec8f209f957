//! The *types* and *check* actions of TypeScript: declarations of the world, made from its WIT, and
//! tsc over everything that the source imports.
//!
//! Nothing waits for the check, as esbuild only drops types; but a build in which it fails has failed.
//! Besides the project's own code it looks at whether the module's exports fit the world.

use engine::{Action, ActionId, Input, Label, Source};
use serde_json::{Value, json};

use super::engine::Node;
use super::fetch::MODULES;
use super::package::PackageSources;
use super::world::World;
use crate::lang::source_tree::SourceTree;
use crate::lang::{ComponentWit, Request, base_environment, process};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::TYPESCRIPT;

/// The folder of the declarations; also the output that they are.
const TYPES: &str = "types";
/// The output of the check: what tsc keeps of a run, as it writes nothing else.
const CHECKED: &str = "checked.tsbuildinfo";
/// The folder of our tsconfig.json.
const CONFIGURATION: &str = "check";

/// Plans both actions and returns the check.
pub(super) fn plan(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
    wit: &ComponentWit,
    world: &World,
    sources: &PackageSources,
    packages: Option<&Source>,
) -> Result<ActionId, PlanError> {
    let types = types(planner, request, wit, world)?;
    let mut configuration = SourceTree::default();
    let text = format!("{:#}\n", tsconfig(request.source, sources));
    configuration.generated(ProjectPath::parse("tsconfig.json")?, text);
    let configuration = planner.store_tree(configuration)?;
    let argv = ["/usr/bin/tsc", "--project", "/check/tsconfig.json", "--pretty"];
    let process = process(argv.map(str::to_owned).to_vec(), base_environment(), "src");
    let mut action = Action::process(Label::new(request.name, "check"), process)
        .input(Input::root(planner.image(TYPESCRIPT)?))
        .input(Input::new("src", Source::Tree(sources.tree)))
        .input(Input::new(CONFIGURATION, Source::Tree(configuration)))
        .input(Input::new(TYPES, Source::output(types, TYPES)))
        .output(CHECKED);
    if let Some(packages) = packages {
        action = action.input(Input::new(MODULES, packages.clone()));
    }
    planner.add(action)
}

/// Plans the declarations of the world's imports and exports.
fn types(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
    wit: &ComponentWit,
    world: &World,
) -> Result<ActionId, PlanError> {
    let entry = format!("../src/{}", request.source);
    let arguments = [wit.world.as_str(), &entry];
    let arguments = arguments.into_iter().chain(world.imports.iter().map(String::as_str));
    let action = Node::new(planner)?
        .action(Label::new(request.name, "types"), "types.mjs", arguments)
        .input(Input::new("wit", Source::Tree(wit.tree)))
        .output(TYPES);
    planner.add(action)
}

/// The project's configuration, applied to what is bundled and nothing else; a strict one if it has
/// none.
fn tsconfig(entry: &ProjectPath, sources: &PackageSources) -> Value {
    let mut options = json!({
        "noEmit": true,
        "composite": false,
        "incremental": true,
        "tsBuildInfoFile": format!("/out/{CHECKED}"),
        "allowImportingTsExtensions": true,
        "moduleDetection": "force",
        "rootDir": "/",
        "skipLibCheck": true,
    });
    let mut files = vec![format!("../src/{entry}")];
    files.extend(sources.declarations.iter().map(|path| format!("../src/{path}")));
    files.extend(["world.d.ts", "fits-world.ts"].map(|name| format!("../{TYPES}/{name}")));
    match &sources.tsconfig {
        Some(path) => json!({
            "extends": format!("../src/{path}"),
            "compilerOptions": options,
            "files": files,
            "include": [],
        }),
        None => {
            // What the engine has: the language, and the interfaces of the web without a document.
            let own = json!({
                "strict": true,
                "target": "es2022",
                "lib": ["es2023", "esnext.disposable", "webworker", "webworker.iterable"],
                "module": "esnext",
                "moduleResolution": "bundler",
                "resolveJsonModule": true,
                "isolatedModules": true,
                "types": [],
            });
            let (Value::Object(options), Value::Object(own)) = (&mut options, own) else {
                unreachable!("both are written as objects above")
            };
            options.extend(own);
            json!({ "compilerOptions": options, "files": files })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_of_the_project_is_extended() {
        let path = |text: &str| ProjectPath::parse(text).unwrap();
        let sources = |tsconfig: Option<&str>| PackageSources {
            tree: cache::Digest::of(cache::DigestFunction::Blake3, b""),
            declarations: vec![path("a/env.d.ts")],
            tsconfig: tsconfig.map(path),
        };
        let config = tsconfig(&path("a/src/app.ts"), &sources(Some("a/tsconfig.json")));
        assert_eq!(config["extends"], "../src/a/tsconfig.json");
        assert_eq!(config["include"], json!([]));
        assert_eq!(config["compilerOptions"]["strict"], Value::Null);
        let files = [
            "../src/a/src/app.ts",
            "../src/a/env.d.ts",
            "../types/world.d.ts",
            "../types/fits-world.ts",
        ];
        assert_eq!(config["files"], json!(files));
        let config = tsconfig(&path("a/src/app.ts"), &sources(None));
        assert_eq!(config["extends"], Value::Null);
        assert_eq!(config["compilerOptions"]["strict"], true);
        assert_eq!(config["compilerOptions"]["noEmit"], true);
    }
}
