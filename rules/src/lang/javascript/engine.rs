//! The *engine* and *compile* actions. *engine* prepares SpiderMonkey for WebAssembly; *compile* lets it read
//! the bundle and keeps the state that it is in then.
//!
//! jco does all this in one step. Here its parts are called in two steps. The first joins the world with the
//! engine and compiles the engine for this machine. It depends on the WIT alone and takes most of the time,
//! so it is a layer. An edit runs only the second step.

use engine::{Action, Input, Label, Source};

use super::bundle::module_name;
use super::world::World;
use crate::path::ProjectPath;
use crate::planner::source_tree::SourceTree;
use crate::planner::{
    ComponentWit, PlanError, Planner, Request, base_environment, deterministic_process,
};
use crate::toolchain::JCO;

/// The output of the compile action: a core module with a description of its world.
pub(super) const OUTPUT: &str = "core.wasm";

/// The inputs with which an action runs one of [`SCRIPTS`]: the image with Node.js, and the scripts.
#[derive(Debug, Clone)]
pub(super) struct Node {
    image: Source,
    scripts: Source,
}

/// The scripts that the actions run on Node.js, by file name.
const SCRIPTS: [(&str, &str); 7] = [
    ("compile.mjs", include_str!("scripts/compile.mjs")),
    ("engine.mjs", include_str!("scripts/engine.mjs")),
    ("imports.mjs", include_str!("scripts/imports.mjs")),
    ("regular.mjs", include_str!("scripts/regular.mjs")),
    ("tools.mjs", include_str!("scripts/tools.mjs")),
    ("types.mjs", include_str!("scripts/types.mjs")),
    ("uses.mjs", include_str!("scripts/uses.mjs")),
];

/// An engine that is ready to read modules for one world.
#[derive(Debug)]
pub(super) struct PreparedEngine {
    node: Node,
    engine: Source,
    cache: Source,
    /// The features that are switched off, each with the imports that it lacks, as compile.mjs takes them.
    off: Vec<String>,
}

impl Node {
    pub(super) fn new(planner: &mut Planner<'_>) -> Result<Self, PlanError> {
        let mut scripts = SourceTree::default();
        for (name, text) in SCRIPTS {
            scripts.generated(ProjectPath::parse(name)?, text);
        }
        let scripts = Source::Tree(planner.store_tree(scripts)?);
        Ok(Self { image: planner.image(JCO)?, scripts })
    }

    /// Returns an action that runs a script.
    pub(super) fn action<'a>(
        &self,
        label: Label,
        script: &str,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Action {
        // The seed is fixed, because a name that a script draws at random may end up in its result.
        let node = ["/usr/bin/node", "--random-seed=1"].map(str::to_owned);
        let argv = node
            .into_iter()
            .chain([format!("/scripts/{script}")])
            .chain(arguments.into_iter().map(str::to_owned))
            .collect();
        let process = deterministic_process(argv, base_environment(), "");
        Action::process(label, process)
            .input(Input::root(self.image.clone()))
            .input(Input::new("scripts", self.scripts.clone()))
    }
}

impl PreparedEngine {
    /// Plans the layer. Components with the same world share it.
    pub(super) fn plan(
        planner: &mut Planner<'_>,
        wit: &ComponentWit,
        world: &World,
    ) -> Result<Self, PlanError> {
        let node = Node::new(planner)?;
        let features = world.features().join(",");
        let layer = planner.once(&format!("engine {} {}", wit.tree, wit.world), |planner| {
            // Two worlds of the same name may differ, so the digest is part of the label.
            let step = format!("engine {} {}", wit.world, &wit.tree.hex()[..8]);
            let imports = world.imports.iter().map(String::as_str);
            let arguments = [wit.world.as_str(), &features].into_iter().chain(imports);
            let action = node
                .action(Label::new("javascript", step), "engine.mjs", arguments)
                .input(Input::new("wit", Source::Tree(wit.tree)))
                .output("engine")
                .output("cache");
            planner.add(action)
        })?;
        let (engine, cache) = (Source::output(layer, "engine"), Source::output(layer, "cache"));
        let off = world.off().into_iter();
        let off =
            off.map(|(feature, imports)| format!("{feature}={}", imports.join(","))).collect();
        Ok(Self { node, engine, cache, off })
    }

    /// Returns the action that makes the component as a core module, [`OUTPUT`].
    pub(super) fn compile(&self, request: &Request<'_>, bundle: Source) -> Action {
        let module = module_name(request);
        let arguments = std::iter::once(module.as_str()).chain(self.off.iter().map(String::as_str));
        self.node
            .action(Label::new(request.name, "compile"), "compile.mjs", arguments)
            .input(Input::new("engine", self.engine.clone()))
            .input(Input::new("cache", self.cache.clone()))
            .input(Input::new("bundle", bundle))
            .output(OUTPUT)
    }
}
