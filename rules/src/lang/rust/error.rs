//! The errors of Rust components that planning finds, before any action runs, and the remedy for each.
//!
//! They have a file of their own, which uses hardly any of the files that raise them. So no large circle of
//! files arises.

use super::hints;
use super::metadata::MetadataError;
use super::package::CrateType;

use crate::broken_toml::BrokenToml;
use crate::path::{PathError, ProjectPath};
use crate::planner::LanguageError;

/// An error in a Rust component that is found before any action runs.
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
        /// The error of the system.
        source: std::io::Error,
    },
    /// A manifest or lockfile is not valid TOML, or its keys are not those of its format.
    #[error("`{manifest}` is not valid")]
    Parse {
        /// The file.
        manifest: ProjectPath,
        /// The place of the error, and what was expected there.
        source: BrokenToml,
    },
    /// Cargo would not compile the target, because its manifest says so.
    #[error("Cargo does not compile the component of package `{package}`")]
    NotCompiled {
        /// The package.
        package: String,
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
        /// Its path as it is written.
        path: String,
        /// The reason why it is outside.
        source: PathError,
    },
    /// A package inherits something from a workspace, but there is no workspace.
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
        /// The error in the glob.
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
        /// True if the package inherits nothing from the workspace, and so may do without it.
        may_stand_alone: bool,
    },
    /// Crates are replaced by something that an action can't see.
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
        /// The error of the system.
        source: walkdir::Error,
    },
    /// There is no lockfile.
    #[error("there is no Cargo.lock beside `{manifest}`")]
    NoLockfile {
        /// The workspace's manifest.
        manifest: ProjectPath,
    },
    /// A crate has no checksum.
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
        /// The source that it comes from.
        origin: String,
    },
    /// A crate of a repository has no commit.
    #[error("{lock}:{line}: crate `{name}` comes from `{origin}`, which names no commit")]
    NoCommit {
        /// The lockfile.
        lock: ProjectPath,
        /// The line in it.
        line: usize,
        /// The crate.
        name: String,
        /// The source that it comes from, without a login.
        origin: String,
    },
    /// The lockfile has no commit for a dependency from a repository.
    #[error("{manifest}:{line}: Cargo.lock has no commit for dependency `{name}`")]
    NotLocked {
        /// The manifest that names the dependency.
        manifest: ProjectPath,
        /// The line in it.
        line: usize,
        /// The dependency.
        name: String,
    },
    /// An entry of the lockfile is not of a form that Cargo writes.
    #[error("{lock}: `{name}` is not a package entry that Cargo writes")]
    BadLockEntry {
        /// The lockfile.
        lock: ProjectPath,
        /// The entry.
        name: String,
    },
    /// `[package.metadata.component]` of a manifest can't be honoured.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The component's `source` is not the root of a target.
    #[error(
        "`{source_file}` is not the root of a target of package `{package}`; its targets are {targets}"
    )]
    NotATarget {
        /// The component's `source`.
        source_file: ProjectPath,
        /// The package around it.
        package: String,
        /// The roots of the package's targets.
        targets: String,
    },
    /// The library would not be compiled to a WebAssembly module.
    #[error("the library of package `{package}` is not a `cdylib`, so it gives no component")]
    NotACdylib {
        /// The package.
        package: String,
        /// Its manifest.
        manifest: ProjectPath,
        /// The crate type in the manifest.
        crate_type: CrateType,
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
                let manifest = engine::quote(manifest.as_str());
                Some(format!("make it with: cargo generate-lockfile --manifest-path {manifest}"))
            }
            Self::NotACdylib { manifest, crate_type, .. } => Some(match crate_type {
                CrateType::NoSection => {
                    format!("add to {manifest}: `[lib]` and, below it, `crate-type = [\"cdylib\"]`")
                }
                CrateType::Unset => {
                    format!("add `crate-type = [\"cdylib\"]` below `[lib]` in {manifest}")
                }
                CrateType::Other | CrateType::Cdylib => {
                    format!("add `\"cdylib\"` to `crate-type` below `[lib]` in {manifest}")
                }
            }),
            Self::Metadata(error) => Some(error.hint()),
            Self::Unpinned { .. } => {
                Some("use a version of the crate from a registry, or a `path` dependency inside the project".to_owned())
            }
            Self::NoCommit { name, .. } => Some(format!(
                "have Cargo write one by `cargo update -p {name}` in the folder of Cargo.lock, and commit that"
            )),
            Self::NotLocked { .. } => Some(
                "have Cargo write it by `cargo update --workspace` in the folder of Cargo.lock, and commit that"
                    .to_owned(),
            ),
            Self::DependencyOutside { .. } => {
                Some("move the package into the project, or run.toml above both: an action sees nothing else".to_owned())
            }
            _ => None,
        }
    }
}
