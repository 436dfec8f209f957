//! Languages: how a component's sources become a component or core module.
//!
//! One module each. It is given a [`Request`] and a [`Planner`], adds its actions to the graph and
//! says which output is the result; checking against the WIT world and stamping are the same for
//! all ([`crate::wasm::Finish`]). To add a language: a module here, an arm in [`compile`], an entry
//! in the toolchain catalogue.

mod bindings;
mod javascript;
mod python;
mod rust;
mod source_tree;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use cache::Digest;
use engine::ActionId;
use sandbox::Limits;

pub use javascript::NpmError;
pub use rust::CargoError;
pub(crate) use source_tree::SourceTree;
pub use source_tree::SourceTreeError;

use crate::manifest::Language;
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::{COMPONENTIZE_PY, RUST};

/// A component to compile, as its language needs to know it.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The component's name.
    pub(crate) name: &'a str,
    /// `source`.
    pub(crate) source: &'a ProjectPath,
    /// Files that the globs of `inputs` match.
    pub(crate) inputs: &'a [ProjectPath],
    /// `env`.
    pub(crate) env: &'a BTreeMap<String, String>,
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

/// Why a component's actions can't be planned.
#[derive(Debug, thiserror::Error)]
pub enum LangError {
    /// The Cargo package.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// The npm package.
    #[error(transparent)]
    Npm(#[from] NpmError),
    /// The source files.
    #[error(transparent)]
    Sources(#[from] SourceTreeError),
    /// The language makes bindings from WIT and there is none.
    #[error("a {language} component needs `wit`: its bindings are made from it")]
    NeedsWit {
        /// The language.
        language: &'static str,
    },
    /// The world can't be joined with the JavaScript engine, which has the same version of an
    /// interface with more in it.
    #[error(
        "the JavaScript engine has another form of `{0}`, so a world can't import that version"
    )]
    EngineVersion(&'static str),
    /// The language's rule has not been written yet.
    #[error("components in {0} can't be built by this version")]
    Unsupported(Language),
}

impl LangError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cargo(error) => error.hint(),
            Self::Npm(error) => error.hint(),
            Self::EngineVersion(_) => Some(
                "take another version of WASI 0.2, such as 0.2.9 or 0.2.12: hosts treat them alike"
                    .to_owned(),
            ),
            Self::NeedsWit { .. } => Some("add `wit = \"wit\"` to the component".to_owned()),
            Self::Unsupported(_) => Some(
                "build it with the language's own tools and name the result by `path`".to_owned(),
            ),
            Self::Sources(_) => None,
        }
    }
}

/// The toolchains that a language needs.
pub(crate) fn toolchains(language: Language) -> &'static [&'static str] {
    match language {
        Language::Rust => &[RUST],
        Language::Python => &[COMPONENTIZE_PY],
        Language::JavaScript => javascript::JAVASCRIPT_TOOLCHAINS,
        Language::TypeScript => javascript::TYPESCRIPT_TOOLCHAINS,
        Language::Go | Language::Zig => &[],
    }
}

/// Adds the actions that compile a component.
pub(crate) fn compile(
    planner: &mut Planner<'_>,
    language: Language,
    request: &Request<'_>,
) -> Result<Compiled, PlanError> {
    match language {
        Language::Rust => rust::compile(planner, request),
        Language::Python => python::compile(planner, request),
        Language::JavaScript | Language::TypeScript => {
            javascript::compile(planner, language, request)
        }
        Language::Go | Language::Zig => Err(LangError::Unsupported(language).into()),
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

/// The environment of every action: fixed locale, time zone and home, and nothing of the user's.
fn base_environment() -> BTreeMap<String, String> {
    [
        ("HOME", "/tmp"),
        ("TMPDIR", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        ("SOURCE_DATE_EPOCH", "315532800"),
        ("ZERO_AR_DATE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// What a compiler may use up: generous, so that only a runaway one meets a limit.
fn limits() -> Limits {
    Limits { timeout: Some(Duration::from_secs(3600)), ..Limits::STANDARD }
}
