//! Why a component can't be planned, told at its place in run.toml.

use std::error::Error;

use crate::lang::{LangError, LanguageError, SourceTreeError};
use crate::manifest::{Component, Diagnostic, Invalid, Span};
use crate::path::PathError;
use crate::toolchain;
use crate::wit;

/// Why a component can't be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Its language has something to say.
    #[error(transparent)]
    Lang(#[from] LangError),
    /// Its sources can't be listed or taken.
    #[error(transparent)]
    SourceTree(#[from] SourceTreeError),
    /// A source file can't be taken.
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
    /// Its WIT refers to what is not there.
    #[error(transparent)]
    Wit(#[from] wit::CompleteError),
    /// Its WIT is not well-formed.
    #[error(transparent)]
    InvalidWit(#[from] wit::InvalidWit),
    /// Its completed WIT can't be read again.
    #[error("its WIT can't be read")]
    StoredWit(#[source] engine::BuiltinError),
    /// It is not clear which world it targets.
    #[error(transparent)]
    World(#[from] wit::WorldError),
    /// Its toolchain is not pinned, or not made for this machine.
    #[error(transparent)]
    Toolchain(#[from] toolchain::NoImage),
    /// The actions don't fit together.
    #[error("its actions make no graph")]
    Graph(#[from] engine::GraphError),
    /// A tree can't be put together.
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

impl From<Invalid> for PlanError {
    fn from(invalid: Invalid) -> Self {
        Self::Pattern(invalid)
    }
}

impl PlanError {
    /// The error at the key of run.toml that it is about.
    pub(super) fn diagnostic(&self, component: &Component) -> Diagnostic {
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
            Self::WitSource(_) | Self::Wit(_) | Self::InvalidWit(_) => wit,
            Self::World(_) => world.or(wit),
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
            Self::Wit(error) => error.hint(),
            Self::World(wit::WorldError::Ambiguous { .. }) => {
                Some("say which one with `world = \"…\"` in the component".to_owned())
            }
            Self::Toolchain(toolchain::NoImage::Stale(stale)) => Some(stale.hint()),
            _ => None,
        }
    }
}
