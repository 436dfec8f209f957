//! JavaScript and TypeScript: a module with everything it imports, made a component by the parts of
//! jco and componentize-js.
//!
//! Five actions for each component: the *engine* is knit together with the world and compiled once
//! per world; *fetch* gets the packages of package-lock.json; *bundle* makes one module of the
//! sources, so that an edit of a comment goes no further; *compile* runs that module in the engine
//! and keeps the state it is in then. For TypeScript, *check* looks at the types, unless `check = false`: a build
//! fails with it, but waits for it at no point.

mod bundle;
mod check;
mod engine;
mod fetch;
mod hints;
mod lock;
mod package;
mod tsconfig;
mod world;

use std::path::PathBuf;

use engine::PreparedEngine;
use lock::Needs;
use package::Package;
use world::World;

use super::{Compiled, LangError, LanguageError, Request, Rule};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::{ESBUILD, JCO, TYPESCRIPT};

pub(super) const RULE: Rule = Rule {
    name: "javascript",
    endings: &["js", "mjs"],
    nicknames: &["js", "node"],
    also_reads: &[],
    has_check: false,
    toolchains: |_, _| vec![ESBUILD, JCO],
    compile: |planner, request| compile(planner, request, Dialect::JavaScript),
    hints: hints::hints,
};

pub(super) const TYPESCRIPT_RULE: Rule = Rule {
    name: "typescript",
    endings: &["ts", "mts"],
    nicknames: &["ts"],
    also_reads: &["javascript"],
    has_check: true,
    toolchains: |_, _| vec![ESBUILD, JCO, TYPESCRIPT],
    compile: |planner, request| compile(planner, request, Dialect::TypeScript),
    // Those of JavaScript.
    hints: |_| Vec::new(),
};

/// Which of the two languages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    JavaScript,
    TypeScript,
}

/// What is wrong with an npm package before any action runs.
#[derive(Debug, thiserror::Error)]
pub(super) enum NpmError {
    /// A manifest or lockfile can't be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: ProjectPath,
        /// Why.
        source: std::io::Error,
    },
    /// A manifest is not JSON of the right form.
    #[error("`{path}` is not valid")]
    Parse {
        /// The file.
        path: ProjectPath,
        /// Where and why.
        source: serde_json::Error,
    },
    /// There are dependencies and no lockfile.
    #[error("there is no package-lock.json beside `{manifest}`, which has dependencies")]
    NoLockfile {
        /// The package's manifest.
        manifest: ProjectPath,
    },
    /// A package of a workspace is not in the lockfile of the workspace.
    #[error(
        "no package-lock.json beside `{root}`, which has workspaces, is made for `{manifest}`, which has dependencies"
    )]
    NoLockfileOfWorkspace {
        /// The package's manifest.
        manifest: ProjectPath,
        /// That of the workspace.
        root: ProjectPath,
    },
    /// The workspace of a package is not inside the project.
    #[error(
        "`{manifest}` is a package of the workspace in {}, whose package-lock.json is outside of this project",
        .root.display()
    )]
    WorkspaceAround {
        /// The package's manifest.
        manifest: ProjectPath,
        /// The folder of the workspace.
        root: PathBuf,
    },
    /// The lockfile was made for another manifest.
    #[error("`{lock}` does not fit its package.json: {difference}")]
    StaleLockfile {
        /// The lockfile.
        lock: ProjectPath,
        /// The first dependency that differs.
        difference: String,
    },
    /// The lockfile has something that can't be fetched.
    #[error("`{lock}` can't be used: {reason}")]
    Lockfile {
        /// The lockfile.
        lock: ProjectPath,
        /// Why.
        reason: String,
    },
    /// The world can't be joined with the engine, which has the same version of an interface with
    /// more in it.
    #[error(
        "the JavaScript engine has another form of `{0}`, so a world can't import that version"
    )]
    EngineVersion(&'static str),
    /// The engine knows nothing of asynchronous calls between components.
    #[error(
        "the JavaScript engine can't have `async` functions of a world: `{}`",
        .functions.join("`, `")
    )]
    Async {
        /// Their names.
        functions: Vec<String>,
    },
}

impl LanguageError for NpmError {
    fn hint(&self) -> Option<String> {
        let install = |file: &ProjectPath| {
            let folder = file.parent();
            let place =
                if folder.is_root() { String::new() } else { format!(" --prefix {folder}") };
            format!("npm install --package-lock-only{place}")
        };
        match self {
            Self::NoLockfile { manifest } => Some(format!("make it with: {}", install(manifest))),
            Self::StaleLockfile { lock, .. } => {
                Some(format!("bring it up to date with: {}", install(lock)))
            }
            Self::NoLockfileOfWorkspace { root, .. } => {
                Some(format!("make the one of the workspace with: {}", install(root)))
            }
            Self::WorkspaceAround { root, .. } => Some(format!(
                "put run.toml into {}, with paths that start there: npm keeps one lockfile for all packages of a workspace",
                root.display()
            )),
            Self::Lockfile { .. } => Some(
                "a dependency has to come from a registry, with its `integrity` in the lockfile, or has to be a folder \
                 of this project, as a workspace or by `file:`"
                    .to_owned(),
            ),
            Self::EngineVersion(_) => Some(
                "take another version of WASI 0.2, such as 0.2.9 or 0.2.12: hosts treat them alike"
                    .to_owned(),
            ),
            Self::Async { .. } => Some(
                "declare it as `func` in the WIT: an `async` function of a module may implement it, and its \
                 result is waited for"
                    .to_owned(),
            ),
            Self::Read { .. } | Self::Parse { .. } => None,
        }
    }

    fn is_about_wit(&self) -> bool {
        matches!(self, Self::EngineVersion(_) | Self::Async { .. })
    }
}

/// Adds the actions that make `request`'s component.
fn compile(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
    dialect: Dialect,
) -> Result<Compiled, PlanError> {
    let typed = dialect == Dialect::TypeScript;
    let name = if typed { TYPESCRIPT_RULE.name } else { RULE.name };
    let wit = request.wit.ok_or(LangError::NeedsWit { language: name })?;
    let world = World::of(planner, wit)?;
    let package = Package::discover(planner.project(), request.source);
    let needs = Needs::of(planner, &package, &|name| typed && fetch::has_types_only(name))?;
    let packages = fetch::packages(planner, &package, &needs, typed)?;
    let sources = package.sources(planner, request, &needs)?;
    let engine = PreparedEngine::plan(planner, request, wit, &world)?;
    let tree = planner.store_tree(sources.tree.clone())?;
    let bundle = bundle::plan(planner, request, &world, tree, packages.as_ref())?;
    let checks = match typed && request.check {
        true => vec![check::plan(planner, request, wit, &world, sources, packages.as_ref())?],
        false => Vec::new(),
    };
    let action = engine.compile(request, bundle);
    Ok(Compiled { action: planner.add(action)?, output: engine::OUTPUT.to_owned(), checks })
}

/// The name of the bundle: of the source, but JavaScript.
fn module_name(request: &Request<'_>) -> String {
    format!("{}.js", request.source.file_stem())
}
