//! Action graph, keys, scheduler and incremental state.
//!
//! The engine is told *what* could be done ([`Graph`] of [`Action`]s) and what is wanted of it
//! ([`Build`]); it finds out what has to be done, does it, and tells what happens ([`Event`]). An
//! action is a command in the sandbox or a [`Builtin`]; its result is named in advance by its
//! [`key`] and kept in the action cache. Results flow as digests, and bytes move only when
//! something needs them.
//!
//! It knows no language, no manifest and no registry, and it does not print.

mod action;
mod artifact;
mod build;
mod builtin;
mod clock;
mod context;
mod event;
mod execute;
mod export;
mod failure;
mod graph;
pub mod key;
mod label;
mod outputs;
mod schedule;
mod source;
mod stat;
mod stat_cache;
mod state;
mod state_file;
mod success;
mod terminal;

pub use action::{Access, Action, Input, Process, Source, Work};
pub use artifact::Artifact;
pub use build::{Anew, Build, BuildError, Exported, Options, Outcome, Status, Target};
pub use builtin::{Builtin, BuiltinError, Report};
pub use context::BuiltinContext;
pub use event::{Event, Events, Finish, Hit, Messages, Progress, Summary, Usage};
pub use export::{Export, ExportError, ExportRecord};
pub use failure::{CommandReport, Failure, FailureKind, KeptSandbox, quote, says_missing};
pub use graph::{ActionId, Graph, GraphError};
pub use key::ActionKey;
pub use label::Label;
pub use outputs::{Fate, Former, Outputs};
pub use source::{SourceError, SourceFile, Sources};
pub use state::{State, StateError};
pub use terminal::{coloured, plain};
