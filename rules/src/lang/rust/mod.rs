//! Rust: a Cargo package, compiled for `wasm32-wasip2` by a pinned cargo.
//!
//! Three actions: *fetch* the crates of Cargo.lock (network, pinned by checksum), compile the
//! *dependencies* once for the whole workspace with empty stand-ins for its own packages, then
//! *compile* the component in a scratch copy of that layer. So a one-line edit compiles one crate.
//! Crates that the project patches or vendors are compiled with the dependencies, from its own files.
//! A package with `[package.metadata.component]` is compiled through a pinned cargo-component, which
//! is a tool built from source.

mod c_compiler;
mod cargo_component;
mod cargo_config;
mod compile;
mod fence;
mod fetch;
mod hints;
mod lock;
mod manifests;
mod metadata;
mod package;
mod process;
mod sources;
mod stand_in;
mod tool;
mod toolchain_file;
mod vendored;
mod workspace;

use metadata::MetadataError;

use super::{LanguageError, Rule};
use crate::broken_toml::BrokenToml;
use crate::path::{PathError, ProjectPath};

pub(super) const RULE: Rule = Rule {
    name: "rust",
    endings: &["rs"],
    nicknames: &["rs"],
    also_reads: &[],
    has_check: false,
    toolchains: workspace::toolchains,
    compile: compile::compile,
    hints: hints::hints,
};

/// What is wrong with a Rust component before any action runs.
#[derive(Debug, thiserror::Error)]
pub(super) enum CargoError {
    /// There is no package around the source file.
    #[error(
        "`{source_file}` belongs to no Cargo package: there is no Cargo.toml beside or above it"
    )]
    NoManifest {
        /// The component's `source`.
        source_file: ProjectPath,
    },
    /// A manifest or lockfile can't be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: ProjectPath,
        /// Why.
        source: std::io::Error,
    },
    /// A manifest or lockfile is not TOML of the right form.
    #[error("`{manifest}` is not valid")]
    Parse {
        /// The file.
        manifest: ProjectPath,
        /// Where and why.
        source: BrokenToml,
    },
    /// `[package] name` is missing.
    #[error("`{manifest}` has no `[package] name`")]
    NoPackageName {
        /// The file.
        manifest: ProjectPath,
    },
    /// A path dependency leaves the project.
    #[error("{manifest}: dependency `{dependency}` is at `{path}`, outside the project")]
    DependencyOutside {
        /// The manifest that names it.
        manifest: ProjectPath,
        /// The dependency.
        dependency: String,
        /// Its path as written.
        path: String,
        /// Why it is outside.
        source: PathError,
    },
    /// A package takes something from a workspace, and there is none.
    #[error("{manifest} takes something from a Cargo workspace, and there is none in the project")]
    NoWorkspace {
        /// The package's manifest.
        manifest: ProjectPath,
    },
    /// A glob in `[workspace] members` is malformed.
    #[error("`{pattern}` in `[workspace] members` is not a glob")]
    BadGlob {
        /// The glob.
        pattern: ProjectPath,
        /// Why.
        source: globset::Error,
    },
    /// The package's workspace is not in the project.
    #[error(
        "{manifest} belongs to the Cargo workspace of `{workspace}`, above the folder of run.toml"
    )]
    WorkspaceAbove {
        /// The package's manifest.
        manifest: ProjectPath,
        /// The workspace's manifest, from the folder of run.toml.
        workspace: String,
        /// Tells if the package takes nothing from the workspace.
        may_stand_alone: bool,
    },
    /// Crates are replaced by what an action can't see.
    #[error("{config}: `source.{name}` is {what}")]
    Replacement {
        /// The configuration.
        config: ProjectPath,
        /// The replacement.
        name: String,
        /// A description of it.
        what: String,
    },
    /// Vendored crates can't be listed.
    #[error("cannot list `{folder}`")]
    Vendored {
        /// Their folder.
        folder: ProjectPath,
        /// Why.
        source: walkdir::Error,
    },
    /// There is no lockfile.
    #[error("there is no Cargo.lock beside `{manifest}`")]
    NoLockfile {
        /// The workspace's manifest.
        manifest: ProjectPath,
    },
    /// A crate without a checksum.
    #[error(
        "{lock}: crate `{name}` {version} comes from `{origin}` without a checksum, so it can't be pinned"
    )]
    Unpinned {
        /// The lockfile.
        lock: ProjectPath,
        /// The crate.
        name: String,
        /// Its version.
        version: String,
        /// Where it comes from.
        origin: String,
    },
    /// An entry that Cargo would not write.
    #[error("{lock}: `{name}` is not a package entry that Cargo writes")]
    BadLockEntry {
        /// The lockfile.
        lock: ProjectPath,
        /// The entry.
        name: String,
    },
    /// `[package.metadata.component]`.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// `source` is no target's root.
    #[error(
        "`{source_file}` is not the root of a target of package `{package}`; its targets are {targets}"
    )]
    NotATarget {
        /// The component's `source`.
        source_file: ProjectPath,
        /// The package around it.
        package: String,
        /// The roots that there are.
        targets: String,
    },
    /// The library would give no wasm file.
    #[error("the library of package `{package}` is not a `cdylib`, so it gives no component")]
    NotACdylib {
        /// The package.
        package: String,
        /// Its manifest.
        manifest: ProjectPath,
    },
}

impl LanguageError for CargoError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoManifest { source_file } => Some(hints::new_package(source_file)),
            Self::WorkspaceAbove { manifest, workspace, may_stand_alone } => {
                Some(hints::workspace_above(manifest, workspace, *may_stand_alone))
            }
            Self::Replacement { .. } => Some(
                "have `cargo vendor` put the crates into a folder of the project, and write what it prints into \
                 .cargo/config.toml: a build sees nothing else"
                    .to_owned(),
            ),
            Self::NoLockfile { manifest } => {
                Some(format!("make it with: cargo generate-lockfile --manifest-path {manifest}"))
            }
            Self::NotACdylib { manifest, .. } => {
                Some(format!("add `crate-type = [\"cdylib\"]` below `[lib]` in {manifest}"))
            }
            Self::Metadata(error) => Some(error.hint()),
            Self::Unpinned { .. } => {
                Some("use a version of the crate from a registry, or a `path` dependency inside the project".to_owned())
            }
            Self::DependencyOutside { .. } => {
                Some("move the package into the project, or run.toml above both: an action sees nothing else".to_owned())
            }
            _ => None,
        }
    }
}
