//! The request of the planner to a language module, and the answer.
//!
//! A request holds the component's keys in checked form, so that a language module need not look them up in
//! run.toml.

use std::collections::BTreeMap;
use std::path::Path;

use cache::Digest;
use engine::ActionId;

use super::source_tree::SourceTree;
use crate::manifest::{Compiler, Features, Pattern, Spanned};
use crate::path::ProjectPath;
use crate::wit::Origins;

/// A component to compile, with everything that its language needs to know.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The component's name.
    pub(crate) name: &'a str,
    /// The key `source`: the main source file.
    pub(crate) source: &'a ProjectPath,
    /// The files that the patterns of the key `inputs` match.
    pub(crate) inputs: &'a [ProjectPath],
    /// The key `exclude`: patterns of files that are not compiled.
    pub(crate) exclude: &'a [Spanned<Pattern>],
    /// The key `env`: environment variables of the build.
    pub(crate) env: &'a BTreeMap<String, String>,
    /// The keys `features` and `default_features`.
    pub(crate) features: &'a Features,
    /// The key `check`: true if types are checked beside the build.
    pub(crate) check: bool,
    /// The key `compiler`, if it is written.
    pub(crate) compiler: Option<Compiler>,
    /// The component's completed WIT, if it has WIT.
    pub(crate) wit: Option<&'a ComponentWit>,
    /// True if compilers optimise.
    pub(crate) release: bool,
}

/// The completed WIT of a component: its own files and every package that they refer to.
#[derive(Debug, Clone)]
pub(crate) struct ComponentWit {
    /// The digest of the completed folder in the store.
    pub(crate) tree: Digest,
    /// The world that the component targets.
    pub(crate) world: String,
    /// The folder of the checkout that the completed folder stands for.
    pub(crate) place: ProjectPath,
    /// The places that its files come from, for messages.
    pub(crate) origins: Origins,
}

/// The compiled component or core module, as the output of an action.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The action that makes it.
    pub(crate) action: ActionId,
    /// The name of the action's output.
    pub(crate) output: String,
    /// The checks: actions that the component does not depend on, but that must succeed for its build to
    /// succeed.
    pub(crate) checks: Vec<ActionId>,
}

impl Compiled {
    /// Makes a result of the output of an action, without checks.
    pub(crate) fn new(action: ActionId, output: &str) -> Self {
        Self { action, output: output.to_owned(), checks: Vec::new() }
    }
}

impl Request<'_> {
    /// Adds the files that `inputs` matches.
    pub(crate) fn add_inputs(&self, tree: &mut SourceTree) {
        self.inputs.iter().for_each(|path| tree.file(path.clone()));
    }

    /// Adds the files that `inputs` matches, and the WIT. The WIT is added at its own place and at `default`,
    /// where generators of bindings look for it, unless the checkout has something else there.
    pub(crate) fn add_inputs_and_wit(
        &self,
        project: &Path,
        tree: &mut SourceTree,
        default: &ProjectPath,
    ) {
        self.add_inputs(tree);
        let Some(wit) = self.wit else { return };
        if !self.source.is_in(&wit.place) {
            tree.subtree(wit.place.clone(), wit.tree);
        }
        let apart = !default.is_in(&wit.place) && !wit.place.is_in(default);
        if apart && !default.on_disk(project).exists() {
            tree.subtree(default.clone(), wit.tree);
        }
    }
}
