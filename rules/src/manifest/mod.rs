//! Reads `run.toml`, checks it, and says exactly what is wrong with it.
//!
//! [`Manifest::load`] reads a file, checks it against the files of its project and hands out a model whose
//! parts are parsed once and need no further checks. [`Manifest::parse`] does the same for a text, without a
//! disk. All errors are found in one pass and returned as [`Diagnostics`], which point at lines and columns.
//! Every element keeps its [`Span`], so that later stages can point at it too.
//!
//! This module knows no actions, no toolchains and no WIT, reads no environment (see
//! [`Overrides`]) and writes nothing. A token in the file is never shown: see [`Secret`].
//!
//! The format is documented in `docs/run-toml.md`.

mod build;
mod cache;
mod capability;
mod choice;
mod component;
mod dependency;
mod deploy;
mod dev;
mod diagnostic;
mod discover;
mod disk;
pub mod edit;
mod execution;
mod features;
mod invalid;
mod keys;
mod language;
mod license;
mod limits;
mod lines;
mod measure;
mod model;
mod name;
mod parts;
mod path;
mod pattern;
mod project;
mod redact;
mod registry;
mod render;
mod request_line;
mod route;
mod secret;
mod sibling;
mod source;
mod source_folder;
mod span;
pub(crate) mod suggest;
mod syntax;
mod table;
pub mod test;
mod test_sibling;
mod text;
mod url;

#[cfg(test)]
mod tests;

pub use build::Build;
pub use cache::{Cache, Header};
pub use capability::{Capability, CapabilityKind, Folder, HostPattern};
pub use choice::{Compiler, Download, LogLevel, OptLevel, TargetType};
pub use component::{Component, Origin};
pub use dependency::{Dependencies, Dependency, DependencySource, GitReference, Requirement};
pub use deploy::DeployProfile;
pub use dev::Dev;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use discover::{FILE_NAME, NoProject, find_project};
pub use execution::Execution;
pub use features::Features;
pub use invalid::Invalid;
pub use language::Language;
pub use license::License;
pub use limits::Limits;
pub use measure::{Size, Time};
pub use model::Manifest;
pub use name::{
    CargoFeature, ComponentName, Feature, FunctionName, PackageName, ProfileName, ProjectName,
    TestName, VariableName, WorldName,
};
pub use path::LocalPath;
pub use pattern::{Pattern, PatternSet};
pub use project::Project;
pub use registry::{Overrides, Registry};
pub use request_line::RequestLine;
pub use route::Route;
pub use secret::Secret;
pub use source::{Place, Position, Source};
pub use span::{Setting, Span, Spanned};
pub use test::Test;
pub use url::{GitUrl, RegistryUrl, RemoteUrl};
