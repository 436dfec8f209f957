//! The *engine* and *compile* actions: SpiderMonkey for WebAssembly, and what becomes of it when it
//! has read the bundle.
//!
//! What jco does in one go is done in two steps here, with its own parts: knitting the world into the
//! engine and compiling the engine for this machine depends on the WIT alone and takes most of the
//! time, so it is a layer; an edit runs the rest.

use engine::{Action, Input, Label, Source};

use super::module_name;
use super::world::World;
use crate::lang::source_tree::SourceTree;
use crate::lang::{ComponentWit, Request, base_environment, deterministic_process};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::JCO;

/// The output of the compile: a core module that says what its world is.
pub(super) const OUTPUT: &str = "core.wasm";

/// What is needed to run one of [`SCRIPTS`].
#[derive(Debug, Clone)]
pub(super) struct Node {
    image: Source,
    scripts: Source,
}

/// What the actions run on Node.js, by file name.
const SCRIPTS: [(&str, &str); 7] = [
    ("compile.mjs", include_str!("scripts/compile.mjs")),
    ("engine.mjs", include_str!("scripts/engine.mjs")),
    ("imports.mjs", include_str!("scripts/imports.mjs")),
    ("regular.mjs", include_str!("scripts/regular.mjs")),
    ("tools.mjs", include_str!("scripts/tools.mjs")),
    ("types.mjs", include_str!("scripts/types.mjs")),
    ("uses.mjs", include_str!("scripts/uses.mjs")),
];

/// An engine that is ready for modules of a world.
#[derive(Debug)]
pub(super) struct PreparedEngine {
    node: Node,
    engine: Source,
    cache: Source,
    /// The features that are off, as compile.mjs takes them.
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

    /// An action that runs a script.
    pub(super) fn action<'a>(
        &self,
        label: Label,
        script: &str,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Action {
        // A fixed seed, as a name drawn at random may end up in a result.
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
        request: &Request<'_>,
        wit: &ComponentWit,
        world: &World,
    ) -> Result<Self, PlanError> {
        let node = Node::new(planner)?;
        let features = world.features().join(",");
        let layer = planner.once(&format!("engine {} {}", wit.tree, wit.world), |planner| {
            let imports = world.imports.iter().map(String::as_str);
            let arguments = [wit.world.as_str(), &features].into_iter().chain(imports);
            let action = node
                .action(Label::new(request.name, "engine"), "engine.mjs", arguments)
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

    /// The action that leaves the component as a core module: [`OUTPUT`].
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
