//! The error when a component can't be planned, and its place in run.toml.
//!
//! Each cause keeps its own type, so that the place and the hint can be chosen by it.

use std::error::Error;
use std::path::Path;

use cache::StoreError;
use engine::{ActionId, BuiltinError, SourceError};

use super::{LangError, LanguageError, SourceTreeError};
use crate::dependency::AdmitError;
use crate::manifest::{Component, Diagnostic, Invalid, Language, Span};
use crate::path::PathError;
use crate::worker::{ErrandError, Refused};
use crate::{toolchain, wit};

/// The reason why a component can't be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The component's language module reports an error.
    #[error(transparent)]
    Lang(#[from] LangError),
    /// Its sources can't be listed or taken into the store.
    #[error(transparent)]
    SourceTree(#[from] SourceTreeError),
    /// A source file can't be taken into the store.
    #[error(transparent)]
    Source(#[from] engine::SourceError),
    /// A path is not inside the project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A pattern is malformed.
    #[error("{}", .0.message)]
    Pattern(Invalid),
    /// A pattern of `inputs` matches nothing.
    #[error("`{0}` in `inputs` matches no file")]
    NoMatch(String),
    /// Its WIT files can't be read.
    #[error(transparent)]
    WitSource(#[from] wit::SourceError),
    /// Its WIT is invalid, or it is not clear which world it targets.
    #[error(transparent)]
    Wit(#[from] Refused),
    /// Its WIT could not be read within the worker's limits, or not at all.
    #[error("its WIT can't be read")]
    UnreadWit(#[source] BuiltinError),
    /// A component that it depends on does not export what it imports.
    #[error("`{dependency}` {message}")]
    Misfit {
        /// The name of the other component.
        dependency: String,
        /// The rest of the message: what does not fit.
        message: String,
    },
    /// A package that its tests are to use is no component.
    #[error("`{0}` is a WIT package, so no component can be composed with it")]
    NoComponent(String),
    /// Its world is one of WASI 0.3, and its language has no tool for that.
    #[error("its world needs WASI 0.3, which {language} can't be compiled for: {reason}")]
    NoWasi3 {
        /// The language.
        language: Language,
        /// The reason.
        reason: &'static str,
    },
    /// A component in `[dependencies]` can't be used.
    #[error("a file in [dependencies] can't be used")]
    Package(#[from] AdmitError),
    /// A ready-made component is too long.
    #[error(
        "`{path}` has {length} bytes; the limit for a component is {} (1 GiB)",
        crate::wasm::LONGEST
    )]
    TooLong {
        /// The path of the file.
        path: String,
        /// The length of the file in bytes.
        length: u64,
    },
    /// Its toolchain is not pinned, or not made for this machine.
    #[error(transparent)]
    Toolchain(#[from] toolchain::NoImage),
    /// The result of this action decides what the component's other actions are, and is not known yet. This is
    /// no error for the user: the action is run, and planned is anew.
    #[error("an action has to run before the component can be planned")]
    Unknown(ActionId),
    /// The actions do not form a valid graph.
    #[error("its actions make no graph")]
    Graph(#[from] engine::GraphError),
    /// The tree of its source files can't be built.
    #[error(transparent)]
    Tree(#[from] cache::TreeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] cache::StoreError),
}

impl<E: LanguageError> From<E> for PlanError {
    fn from(error: E) -> Self {
        Self::Lang(error.into())
    }
}

impl From<ErrandError> for PlanError {
    fn from(error: ErrandError) -> Self {
        match error {
            ErrandError::Wit(refused) => Self::Wit(refused),
            ErrandError::Builtin(error) => Self::UnreadWit(error),
        }
    }
}

impl From<Invalid> for PlanError {
    fn from(invalid: Invalid) -> Self {
        Self::Pattern(invalid)
    }
}

impl PlanError {
    /// Returns whether the store has no room for what is planned.
    pub(crate) fn is_for_want_of_room(&self) -> bool {
        let first: &(dyn Error + 'static) = self;
        let mut chain = std::iter::successors(Some(first), |error: &&_| (*error).source());
        chain.any(|error| error.downcast_ref().is_some_and(cache::is_out_of_space))
    }

    /// Returns whether this user has no access to something in the store at `root`.
    pub(crate) fn is_refused_by_the_store(&self, root: &Path) -> bool {
        let error = match self {
            Self::Store(error)
            | Self::Source(SourceError::Store(error))
            | Self::SourceTree(
                SourceTreeError::Store(error) | SourceTreeError::Source(SourceError::Store(error)),
            )
            | Self::Lang(LangError::Sources(
                SourceTreeError::Store(error) | SourceTreeError::Source(SourceError::Store(error)),
            )) => error,
            _ => return false,
        };
        // The same error is also used for the user's own files, when these are to be put into the store.
        matches!(error, StoreError::Io { path, source, .. }
            if source.kind() == std::io::ErrorKind::PermissionDenied && path.starts_with(root))
    }

    /// Makes a finding of the error, at the key of run.toml that it is about.
    pub(crate) fn diagnostic(&self, component: &Component) -> Diagnostic {
        let mut message = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        let diagnostic = Diagnostic::error(self.place(component), message)
            .label(format!("for component `{}`", component.name.as_str()));
        match self.hint() {
            Some(hint) => diagnostic.help(hint),
            None => diagnostic,
        }
    }

    fn place(&self, component: &Component) -> Span {
        let wit = component.wit.as_ref().map(|wit| wit.span);
        let world = component.world.as_ref().map(|world| world.span);
        match self {
            Self::Wit(refused) if refused.is_about_world => world.or(wit),
            Self::WitSource(_) | Self::Wit(_) | Self::UnreadWit(_) => wit.or(world),
            Self::NoWasi3 { .. } => world.or(wit),
            Self::Misfit { dependency, .. } => {
                let mut all = component.dependencies.iter();
                all.find(|name| name.as_str() == dependency).map(|name| name.span)
            }
            Self::NoMatch(pattern) => {
                let mut inputs = component.inputs.iter();
                inputs.find(|input| input.as_str() == pattern).map(|input| input.span)
            }
            Self::Lang(LangError::Language(complaint)) if complaint.is_about_wit() => world.or(wit),
            _ => None,
        }
        .unwrap_or_else(|| component.origin.file().span)
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Lang(error) => error.hint(),
            Self::NoComponent(_) => {
                Some("a `[[test]]` of this component names it in `with`".to_owned())
            }
            Self::SourceTree(error) => error.hint(),
            Self::Wit(refused) => refused.hint.clone(),
            Self::UnreadWit(BuiltinError::TimedOut(_)) => {
                Some("`timeout` of the component limits how long it may take".to_owned())
            }
            Self::UnreadWit(BuiltinError::OutOfMemory(_)) => {
                Some("`memory` of the component limits how much it may use".to_owned())
            }
            Self::NoWasi3 { .. } => Some(
                "use version 0.2 of the packages `wasi:*`, or write the component in Rust or Python"
                    .to_owned(),
            ),
            Self::Toolchain(toolchain::NoImage::Stale(stale)) => Some(stale.hint()),
            _ => None,
        }
    }
}
