//! The errors of npm packages that planning finds, before any action runs, and the remedy for each.
//!
//! They have a file of their own, which uses none of the files that raise them. So no circle of files arises.

use std::path::PathBuf;

use crate::path::ProjectPath;
use crate::planner::LanguageError;

/// An error in an npm package that is found before any action runs.
#[derive(Debug, thiserror::Error)]
pub(super) enum NpmError {
    /// A manifest or lockfile can't be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: ProjectPath,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A manifest is not valid JSON, or its keys are not those of its format.
    #[error("`{path}` is not valid")]
    Parse {
        /// The file.
        path: ProjectPath,
        /// The place of the error, and what was expected there.
        source: serde_json::Error,
    },
    /// The package has dependencies but no lockfile.
    #[error("there is no package-lock.json beside `{manifest}`, which has dependencies")]
    NoLockfile {
        /// The package's manifest.
        manifest: ProjectPath,
    },
    /// A package of a workspace is not in the lockfile of the workspace.
    #[error(
        "no package-lock.json beside `{root}`, which has workspaces, is made for `{manifest}`, which has dependencies"
    )]
    NoLockfileOfWorkspace {
        /// The package's manifest.
        manifest: ProjectPath,
        /// The manifest of the workspace.
        root: ProjectPath,
    },
    /// The workspace of a package is not inside the project.
    #[error(
        "`{manifest}` is a package of the workspace in {}, whose package-lock.json is outside of this project",
        .root.display()
    )]
    WorkspaceAround {
        /// The package's manifest.
        manifest: ProjectPath,
        /// The folder of the workspace.
        root: PathBuf,
    },
    /// The lockfile was made for another manifest.
    #[error("`{lock}` does not fit its package.json: {difference}")]
    StaleLockfile {
        /// The lockfile.
        lock: ProjectPath,
        /// The first dependency that differs.
        difference: String,
    },
    /// The lockfile has something that can't be fetched.
    #[error("`{lock}` can't be used: {reason}")]
    Lockfile {
        /// The lockfile.
        lock: ProjectPath,
        /// The reason.
        reason: String,
    },
    /// The world can't be merged with the engine, which has more in the same version of an interface.
    #[error(
        "the JavaScript engine has another form of `{0}`, so a world can't import that version"
    )]
    EngineVersion(&'static str),
    /// The world has asynchronous functions, which the engine does not support.
    #[error(
        "the JavaScript engine can't have `async` functions of a world: `{}`",
        .functions.join("`, `")
    )]
    Async {
        /// The names of the functions.
        functions: Vec<String>,
    },
}

impl LanguageError for NpmError {
    fn hint(&self) -> Option<String> {
        // `--prefix` would not do: with it, npm looks for the machine's configuration in that folder as well.
        let install = |file: &ProjectPath| {
            let folder = file.parent();
            let enter = match folder.is_root() {
                true => String::new(),
                false => format!("cd {} && ", ::engine::quote(folder.as_str())),
            };
            format!("{enter}npm install --package-lock-only")
        };
        match self {
            Self::NoLockfile { manifest } => Some(format!("make it with: {}", install(manifest))),
            Self::StaleLockfile { lock, .. } => {
                Some(format!("bring it up to date with: {}", install(lock)))
            }
            Self::NoLockfileOfWorkspace { root, .. } => {
                Some(format!("make the one of the workspace with: {}", install(root)))
            }
            Self::WorkspaceAround { root, .. } => Some(format!(
                "put run.toml into {}, with paths that start there: npm keeps one lockfile for all packages of a workspace",
                root.display()
            )),
            Self::Lockfile { .. } => Some(
                "a dependency has to come from a registry, with its `integrity` in the lockfile, or has to be a folder \
                 of this project, as a workspace or by `file:`"
                    .to_owned(),
            ),
            Self::EngineVersion(_) => Some(
                "take another version of WASI 0.2, such as 0.2.9 or 0.2.12: hosts treat them alike"
                    .to_owned(),
            ),
            Self::Async { .. } => Some(
                "declare it as `func` in the WIT: an `async` function of a module may implement it, and its \
                 result is waited for"
                    .to_owned(),
            ),
            Self::Read { .. } | Self::Parse { .. } => None,
        }
    }

    fn is_about_wit(&self) -> bool {
        matches!(self, Self::EngineVersion(_) | Self::Async { .. })
    }
}
