//! Compiles a package through cargo-component. This file contains the additions to the compile action that
//! other packages have.
//!
//! cargo-component knows only wasm32-wasip1. It adds that target unless another one that it knows is
//! configured, and asks if the target's standard library is installed. Components here are compiled for
//! wasm32-wasip2, which needs no adapter, on the same layer as all others. So wasm32-wasip1 is configured,
//! wasm32-wasip2 is named on the command line, which wins for Cargo, and a folder that holds only an
//! explanation stands where the library would be.

use cache::{Digest, Entry};
use engine::{Action, Input, Source};

use super::error::CargoError;
use super::manifests::read_manifest;
use super::metadata::{self, WIT};
use super::package::Package;
use super::tool::built_tool;
use super::workspace::Workspace;
use crate::path::ProjectPath;
use crate::planner::source_tree::SourceTree;
use crate::planner::{ComponentWit, PlanError, Planner, Request};
use crate::toolchain::CARGO_COMPONENT;

/// The path by which the tool finds out if the target that it knows is installed.
const KNOWN_TARGET: &str = "usr/lib/rust/lib/rustlib/wasm32-wasip1/why";
const WHY: &str =
    "cargo-component refuses to start without this folder; nothing is compiled for this target\n";

/// The additions to the compile action of such a package.
pub(super) struct CargoComponent {
    /// The trees that are mounted beside the image.
    roots: [Source; 2],
    wit: Digest,
    /// The path of the package's manifest, and the text that the action sees there.
    manifest: (ProjectPath, String),
    /// The tool's own lockfile. Without one, it refuses WIT of several packages when it is offline. Packages
    /// in folders are not listed in it.
    lockfile: ProjectPath,
    /// The file of bindings that the tool writes among the sources. A copy in the checkout is not used.
    bindings: ProjectPath,
}

impl CargoComponent {
    /// The program.
    pub(super) const PROGRAM: &str = CARGO_COMPONENT;

    /// Compares the package's manifest with run.toml, and adds the actions that build the tool.
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

    /// Returns true if the tool generates the file.
    pub(super) fn makes(&self, path: &ProjectPath) -> bool {
        *path == self.bindings
    }

    /// Adds the manifest and the lockfile for the tool to the sources.
    pub(super) fn add_generated(&self, sources: &mut SourceTree) {
        let (path, text) = &self.manifest;
        sources.generated(path.clone(), text.as_str());
        sources.generated(self.lockfile.clone(), "version = 1\n");
    }

    /// The variable that keeps the tool from adding a target.
    pub(super) const ENVIRONMENT: (&str, &str) = ("CARGO_BUILD_TARGET", "wasm32-wasip1");

    /// Returns the sources as a scratch input, because the tool writes bindings among them.
    pub(super) fn sources(sources: Digest) -> Input {
        Input::scratch("src", Source::Tree(sources))
    }

    /// Adds the tool and the WIT.
    pub(super) fn add_to(&self, action: Action) -> Action {
        let action = action.input(Input::new(WIT, Source::Tree(self.wit)));
        self.roots.iter().cloned().map(Input::root).fold(action, Action::input)
    }
}

/// Returns the names of the folders below `deps/` of completed WIT.
fn packages(planner: &Planner<'_>, wit: &ComponentWit) -> Result<Vec<String>, PlanError> {
    let store = planner.store();
    let folder =
        |digest: &Digest| store.directory(digest)?.ok_or(cache::StoreError::Missing(*digest));
    match folder(&wit.tree)?.entries.get("deps") {
        Some(Entry::Subtree(deps)) => Ok(folder(deps)?.entries.into_keys().collect()),
        _ => Ok(Vec::new()),
    }
}
