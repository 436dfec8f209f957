//! The *types* and *check* actions of TypeScript. *types* makes declarations of the world from its WIT;
//! *check* runs tsc on everything that the source imports.
//!
//! No action waits for the check, because esbuild drops the types without reading them. But a build in which
//! the check fails has failed. Besides the project's own code, the check compares the module's exports with
//! the world.

use engine::{Action, ActionId, Input, Label, Source};
use serde_json::{Value, json};

use super::engine::Node;
use super::fetch::MODULES;
use super::package::{self, PackageSources};
use super::tsconfig;
use super::world::World;
use crate::path::ProjectPath;
use crate::planner::source_tree::SourceTree;
use crate::planner::{ComponentWit, PlanError, Planner, Request, base_environment, process};
use crate::toolchain::TYPESCRIPT;

/// The name of the output with the declarations, and of the folder in which the check sees them.
const TYPES: &str = "types";
/// The output of the check: the state that tsc keeps of a run. With `--noEmit` it writes nothing else.
const CHECKED: &str = "checked.tsbuildinfo";
/// The folder of the tsconfig.json that is made here if the project has none.
const CONFIGURATION: &str = "check";

/// The first major version of tsc that is a native program. Earlier ones are run by Node.js.
const FIRST_NATIVE: u64 = 7;

/// Plans both actions and returns the check.
pub(super) fn plan(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
    wit: &ComponentWit,
    world: &World,
    sources: PackageSources,
    packages: Option<&Source>,
) -> Result<ActionId, PlanError> {
    let types = types(planner, request, wit, world)?;
    let files = files(request.source, &sources.declarations);
    let mut own = SourceTree::default();
    let mut tree = sources.tree;
    let project = match &sources.tsconfig {
        Some(path) => {
            let text = package::read_text(planner.project(), path)?.unwrap_or_default();
            if let Some(text) = tsconfig::applied(&text, &files) {
                tree.generated(path.clone(), text);
            }
            format!("/src/{path}")
        }
        None => {
            let text = format!("{:#}\n", strict(&files));
            own.generated(ProjectPath::parse("tsconfig.json")?, text);
            format!("/{CONFIGURATION}/tsconfig.json")
        }
    };
    let process = process(tsc(planner, &project), base_environment(), "src");
    let mut action = Action::process(Label::new(request.name, "check"), process)
        .input(Input::root(planner.image(TYPESCRIPT)?))
        .input(Input::new("src", Source::Tree(planner.store_tree(tree)?)))
        .input(Input::new(CONFIGURATION, Source::Tree(planner.store_tree(own)?)))
        .input(Input::new(TYPES, Source::output(types, TYPES)))
        .output(CHECKED);
    if let Some(packages) = packages {
        action = action.input(Input::new(MODULES, packages.clone()));
    }
    planner.add(action)
}

/// Plans the action that makes declarations of the world's imports and exports.
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

/// Returns the command of the check. Its arguments override the configuration.
fn tsc(planner: &Planner<'_>, project: &str) -> Vec<String> {
    let version = planner.version(TYPESCRIPT).unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse().ok());
    let program: &[&str] = match major {
        Some(0..FIRST_NATIVE) => &["/usr/bin/node", "/usr/lib/typescript/lib/tsc.js"],
        _ => &["/usr/bin/tsc"],
    };
    let state = format!("/out/{CHECKED}");
    let options = [
        "--project",
        project,
        "--pretty",
        "--noEmit",
        "--emitDeclarationOnly",
        "false",
        "--composite",
        "false",
        "--incremental",
        "--tsBuildInfoFile",
        &state,
        "--allowImportingTsExtensions",
        "--moduleDetection",
        "force",
        "--rootDir",
        "/",
        "--skipLibCheck",
    ];
    program.iter().chain(&options).map(|word| (*word).to_owned()).collect()
}

/// Returns the files to check: the source, which brings in all that it imports; the files that only declare
/// types; and the two files of the world.
fn files(entry: &ProjectPath, declarations: &[ProjectPath]) -> Vec<String> {
    let own = std::iter::once(entry).chain(declarations).map(|path| format!("/src/{path}"));
    let world = ["world.d.ts", "fits-world.ts"].map(|name| format!("/{TYPES}/{name}"));
    own.chain(world).collect()
}

/// Returns the configuration for a project that has none. It allows what the engine has: the language, and
/// the interfaces of the web without a document.
fn strict(files: &[String]) -> Value {
    json!({
        "compilerOptions": {
            "strict": true,
            "target": "es2022",
            "lib": ["es2023", "esnext.disposable", "webworker", "webworker.iterable"],
            "module": "esnext",
            "moduleResolution": "bundler",
            "resolveJsonModule": true,
            "isolatedModules": true,
            "types": [],
        },
        "files": files,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_checked_with_its_declarations_and_the_world() {
        let path = |text: &str| ProjectPath::parse(text).unwrap();
        let found = files(&path("a/src/app.ts"), &[path("a/env.d.ts")]);
        let expect =
            ["/src/a/src/app.ts", "/src/a/env.d.ts", "/types/world.d.ts", "/types/fits-world.ts"];
        assert_eq!(found, expect);
    }
}
