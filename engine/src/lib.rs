//! Action graph, keys, scheduler and incremental state.
//!
//! The caller gives the engine a [`Graph`] of [`Action`]s that could run, and a [`BuildRequest`] that says which results
//! it wants. The engine finds out which actions have to run, runs them, and reports what happens as [`Event`]s. An
//! action is a command in the sandbox or a [`Builtin`]. Its [`key`] names its result before it has run, and the result
//! is kept in the action cache under that key. Results are passed on as digests; bytes move only when
//! something needs them.
//!
//! The engine knows no language, no manifest and no registry, and it does not print.

mod action;
mod artifact;
mod build;
mod builtin;
mod clock;
mod cluster;
mod context;
mod event;
mod execute;
mod export;
mod failure;
mod graph;
pub mod key;
mod label;
mod outputs;
mod parallel;
mod remote;
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
pub use build::{
    BuildError, BuildRequest, Exported, Options, Outcome, RerunConditions, Status, Target,
};
pub use builtin::{Builtin, BuiltinError, Report};
pub use cluster::{Cluster, Execution, ExecutionStage, Refusal};
pub use context::BuiltinContext;
pub use event::{ActionEnd, Event, Events, Hit, Messages, Progress, Summary, Usage};
pub use export::{Export, ExportError, ExportRecord};
pub use failure::{CommandReport, Failure, FailureKind, KeptSandbox, quote};
pub use graph::{ActionId, Graph, GraphError};
pub use key::ActionKey;
pub use label::Label;
pub use outputs::{Fate, FormerOutput, OutputJournal};
pub use remote::{Download, Remote};
pub use source::{SourceError, SourceFile, Sources};
pub use state::{SavedState, State, StateError};
pub use terminal::{coloured, plain};
