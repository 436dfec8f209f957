//! Languages: how a component's sources become a component or core module.
//!
//! One module each. It is given a [`Request`] and a [`Planner`], adds its actions to the graph and
//! says which output is the result; checking against the WIT world and stamping are the same for
//! all ([`crate::wasm::Finish`]). To add a language: a module here with its [`Rule`], a line in
//! [`LANGUAGES`], an entry in the toolchain catalogue.

mod bindings;
mod download;
mod go;
mod javascript;
mod python;
mod rule;
mod rust;
mod source_tree;
mod walk;
mod zig;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use cache::Digest;
use engine::{ActionId, Process};
use sandbox::{Determinism, Isolation, Limits};

pub(crate) use bindings::GenerateBindings;
pub use rule::Complaint;
pub(crate) use rule::{LanguageError, Rule, ToolOutput};
pub use source_tree::SourceTreeError;
pub(crate) use source_tree::{NEVER_SOURCES, SourceTree};
pub(crate) use walk::Walk;

use crate::manifest::{Features, Pattern, Spanned};
use crate::path::ProjectPath;
use crate::plan::DEFAULT_EPOCH;

/// All languages, in the order of the documentation.
pub(crate) static LANGUAGES: [&Rule; 8] = [
    &rust::RULE,
    &python::RULE,
    &go::RULE,
    &javascript::RULE,
    &javascript::TYPESCRIPT_RULE,
    &zig::RULE,
    &zig::C_RULE,
    &zig::CPP_RULE,
];

/// A component to compile, as its language needs to know it.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The component's name.
    pub(crate) name: &'a str,
    /// `source`.
    pub(crate) source: &'a ProjectPath,
    /// Files that the globs of `inputs` match.
    pub(crate) inputs: &'a [ProjectPath],
    /// `exclude`.
    pub(crate) exclude: &'a [Spanned<Pattern>],
    /// `env`.
    pub(crate) env: &'a BTreeMap<String, String>,
    /// `features` and `default_features`.
    pub(crate) features: &'a Features,
    /// `check`.
    pub(crate) check: bool,
    /// Its WIT, completed.
    pub(crate) wit: Option<&'a ComponentWit>,
    /// Whether to optimise.
    pub(crate) release: bool,
}

/// A component's WIT folder with all that it refers to.
#[derive(Debug, Clone)]
pub(crate) struct ComponentWit {
    /// The completed folder.
    pub(crate) tree: Digest,
    /// The world that the component targets.
    pub(crate) world: String,
    /// The folder of the checkout that it stands for.
    pub(crate) place: ProjectPath,
}

/// Where the result of compiling is found.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The action that makes it.
    pub(crate) action: ActionId,
    /// The output of that action.
    pub(crate) output: String,
    /// Actions that the component does not depend on, but without whose success its build has failed.
    pub(crate) checks: Vec<ActionId>,
}

impl Compiled {
    /// The output of an action, with nothing to check beside it.
    fn new(action: ActionId, output: &str) -> Self {
        Self { action, output: output.to_owned(), checks: Vec::new() }
    }
}

/// Why a component's actions can't be planned.
#[derive(Debug, thiserror::Error)]
pub enum LangError {
    /// The language has something to say.
    #[error(transparent)]
    Language(Complaint),
    /// The source files.
    #[error(transparent)]
    Sources(#[from] SourceTreeError),
    /// The language makes bindings from WIT and there is none.
    #[error("a {language} component needs `wit`: its bindings are made from it")]
    NeedsWit {
        /// The language.
        language: &'static str,
    },
}

impl LangError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Language(complaint) => complaint.hint(),
            Self::NeedsWit { .. } => Some(
                "add `wit = \"wit\"` to the component, or a world that is built in, such as \
                 `world = \"wasi:cli/command@0.2.4\"`"
                    .to_owned(),
            ),
            Self::Sources(error) => error.hint(),
        }
    }
}

impl<E: LanguageError> From<E> for LangError {
    fn from(error: E) -> Self {
        Self::Language(error.into())
    }
}

impl Request<'_> {
    /// Adds the files of `inputs`.
    fn add_inputs(&self, tree: &mut SourceTree) {
        self.inputs.iter().for_each(|path| tree.file(path.clone()));
    }

    /// Adds the files of `inputs`, and the WIT: in its own place, and at `default`, where bindings
    /// generators look for it, unless the checkout has something else there.
    fn add_inputs_and_wit(&self, project: &Path, tree: &mut SourceTree, default: &ProjectPath) {
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

/// Where tools that write times look for one.
pub(crate) const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The environment of every action: fixed locale, time zone and home, and nothing of the user's.
fn base_environment() -> BTreeMap<String, String> {
    [
        ("HOME", "/tmp"),
        ("TMPDIR", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        (SOURCE_DATE_EPOCH, &DEFAULT_EPOCH.to_string()),
        ("ZERO_AR_DATE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// A command that sees what it is given, and is let to look at the clock. `cwd` is below the root.
fn process(argv: Vec<String>, env: BTreeMap<String, String>, cwd: impl Into<String>) -> Process {
    // Generous, so that only a runaway compiler meets a limit.
    let limits = Limits { timeout: Some(Duration::from_secs(3600)), ..Limits::STANDARD };
    let isolation = Isolation::default();
    Process { argv, env, cwd: cwd.into(), limits, determinism: None, stdout: None, isolation }
}

/// A command whose result would hold what it has seen of chance and time.
fn deterministic_process(
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: impl Into<String>,
) -> Process {
    Process { determinism: Some(Determinism::at(DEFAULT_EPOCH)), ..process(argv, env, cwd) }
}
