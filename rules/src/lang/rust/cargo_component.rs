//! Compiling through cargo-component: what the compile of such a package has more than others.
//!
//! cargo-component knows wasm32-wasip1 alone: it adds that target unless another one of those it
//! knows is configured, and asks whether its standard library is installed. Components here are
//! compiled for wasm32-wasip2, which needs no adapter, on the same layer as all others. So the
//! target it knows is configured, the real one is named on the command line, which wins for Cargo,
//! and a folder stands where the library would be.

use cache::{Digest, Entry};
use engine::{Action, Input, Source};

use super::CargoError;
use super::manifests::read_manifest;
use super::metadata::{self, WIT};
use super::package::Package;
use super::tool::built_tool;
use super::workspace::Workspace;
use crate::lang::source_tree::SourceTree;
use crate::lang::{ComponentWit, Request};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::CARGO_COMPONENT;

/// What it asks for to know that the target it knows is installed.
const KNOWN_TARGET: &str = "usr/lib/rust/lib/rustlib/wasm32-wasip1/why";
const WHY: &str =
    "cargo-component refuses to start without this folder; nothing is compiled for this target\n";

/// What a compile takes from here.
pub(super) struct CargoComponent {
    /// Trees that stand beside the image.
    roots: [Source; 2],
    wit: Digest,
    /// The package's manifest, and what the action sees in its place.
    manifest: (ProjectPath, String),
    /// The tool's own lockfile. Offline it refuses WIT of several packages without one; what lies in folders is not
    /// listed there.
    lockfile: ProjectPath,
    /// The file that the tool writes among the sources. What the checkout has there is of no use.
    bindings: ProjectPath,
}

impl CargoComponent {
    /// The program.
    pub(super) const PROGRAM: &str = CARGO_COMPONENT;

    /// Holds the package's manifest against run.toml, and has the tool built.
    pub(super) fn new(
        planner: &mut Planner<'_>,
        workspace: &Workspace,
        package: &Package,
        request: &Request<'_>,
    ) -> Result<Self, PlanError> {
        let manifest = read_manifest(planner.project(), &package.dir)?;
        let wit = metadata::check(package, &manifest, request.wit).map_err(CargoError::from)?;
        let packages = packages(planner, wit)?;
        let mut known_target = SourceTree::default();
        known_target.generated(ProjectPath::parse(KNOWN_TARGET)?, WHY);
        let known_target = Source::Tree(planner.store_tree(known_target)?);
        Ok(Self {
            roots: [built_tool(planner, CARGO_COMPONENT)?, known_target],
            wit: wit.tree,
            manifest: (
                package.dir.join("Cargo.toml"),
                metadata::retargeted(&manifest, &wit.world, packages.into_iter()),
            ),
            lockfile: workspace.root.join("Cargo-component.lock"),
            bindings: package.dir.join("src/bindings.rs"),
        })
    }

    /// Whether the file is one that the tool makes.
    pub(super) fn makes(&self, path: &ProjectPath) -> bool {
        *path == self.bindings
    }

    /// Puts the manifest and the lockfile that the tool is to read among the sources.
    pub(super) fn add_generated(&self, sources: &mut SourceTree) {
        let (path, text) = &self.manifest;
        sources.generated(path.clone(), text.as_str());
        sources.generated(self.lockfile.clone(), "version = 1\n");
    }

    /// The variable that makes it leave the target alone.
    pub(super) const ENVIRONMENT: (&str, &str) = ("CARGO_BUILD_TARGET", "wasm32-wasip1");

    /// The sources: the tool writes bindings among them.
    pub(super) fn sources(sources: Digest) -> Input {
        Input::scratch("src", Source::Tree(sources))
    }

    /// Adds the tool and the WIT.
    pub(super) fn add_to(&self, action: Action) -> Action {
        let action = action.input(Input::new(WIT, Source::Tree(self.wit)));
        self.roots.iter().cloned().map(Input::root).fold(action, Action::input)
    }
}

/// The folders below `deps/` of completed WIT.
fn packages(planner: &Planner<'_>, wit: &ComponentWit) -> Result<Vec<String>, PlanError> {
    let store = planner.store();
    let folder =
        |digest: &Digest| store.directory(digest)?.ok_or(cache::StoreError::Missing(*digest));
    match folder(&wit.tree)?.entries.get("deps") {
        Some(Entry::Subtree(deps)) => Ok(folder(deps)?.entries.into_keys().collect()),
        _ => Ok(Vec::new()),
    }
}
