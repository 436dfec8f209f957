//! Python: a module with everything it imports, made a component by componentize-py.
//!
//! Two actions: *fetch* the wheels of the project's lockfile (network, pinned by checksum) into one
//! folder of packages, then *compile* over the project's own files and that folder. There is no
//! layer: componentize-py embeds an interpreter of its own, and offers no step to keep.

mod compile;
mod fetch;
mod guest;
mod hints;
mod late;
mod lock;
mod marker;
mod metadata;
mod module;
mod pyproject;
mod requirement;
mod statements;
mod wheel;

use super::{LanguageError, Rule};
use crate::broken_toml::BrokenToml;
use crate::path::{PathError, ProjectPath};
use crate::toolchain::COMPONENTIZE_PY;

pub(super) const RULE: Rule = Rule {
    name: "python",
    endings: &["py"],
    nicknames: &["py", "python3"],
    also_reads: &[],
    has_check: false,
    toolchains: |_, _| vec![COMPONENTIZE_PY],
    compile: compile::compile,
    hints: hints::hints,
};

/// What is wrong with a Python component before any action runs.
#[derive(Debug, thiserror::Error)]
pub(super) enum PythonError {
    /// The file's name is none that Python can import.
    #[error("`{source_file}` can't be imported: `{module}` is no name of a Python module")]
    NotAModule {
        /// The component's `source`.
        source_file: ProjectPath,
        /// What Python would have to call it.
        module: String,
    },
    /// A folder of `PYTHONPATH` is not in the project.
    #[error("`PYTHONPATH` in `env` names `{folder}`, which is no folder of the project")]
    SearchPath {
        /// The folder as written.
        folder: String,
        /// Why, if it is outside.
        source: Option<PathError>,
    },
    /// A file can't be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: ProjectPath,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not TOML of the right form.
    #[error("`{path}` is not valid")]
    Parse {
        /// The file.
        path: ProjectPath,
        /// Where and why.
        source: BrokenToml,
    },
    /// Something in a file is not as its format says.
    #[error("{path}: {problem}")]
    Malformed {
        /// The file, and the line where it has one.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// There are dependencies and no lockfile.
    #[error("`{manifest}` has dependencies, but there is no lockfile beside or above it")]
    NoLockfile {
        /// The `pyproject.toml`.
        manifest: ProjectPath,
    },
    /// A requirement without `==` or without a SHA-256.
    #[error("{place}: `{requirement}` is not pinned by a version and a SHA-256")]
    Unpinned {
        /// The lockfile, and the line where it has one.
        place: String,
        /// The package.
        requirement: String,
        /// The lockfile.
        lock: ProjectPath,
    },
    /// A package that is not from an index.
    #[error("{place}: `{package}` comes from {origin}, not from a package index")]
    NotFromIndex {
        /// The lockfile, and the line where it has one.
        place: String,
        /// The package.
        package: String,
        /// Where from.
        origin: String,
    },
    /// No file of a package can be loaded by the guest.
    #[error(
        "{lock}: `{package}` {version} has no wheel that Python in WebAssembly can load, only {found}"
    )]
    NoWheel {
        /// The lockfile.
        lock: ProjectPath,
        /// The package.
        package: String,
        /// Its version.
        version: String,
        /// What it has.
        found: String,
    },
    /// The lockfile does not fit `pyproject.toml`.
    #[error("`{lock}` does not fit `{manifest}`: {difference}")]
    Stale {
        /// The lockfile.
        lock: ProjectPath,
        /// The `pyproject.toml`.
        manifest: ProjectPath,
        /// What differs.
        difference: String,
    },
    /// The lockfile is made for other interpreters.
    #[error("`{lock}` is not for Python {python} on WASI: {reason}")]
    OtherPython {
        /// The lockfile.
        lock: ProjectPath,
        /// The version of the interpreter.
        python: &'static str,
        /// What says so.
        reason: String,
    },
}

impl LanguageError for PythonError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotAModule { .. } => Some("rename it to letters, digits and `_`".to_owned()),
            Self::SearchPath { .. } => {
                Some("its folders are relative to run.toml, with `:` between them".to_owned())
            }
            Self::NoLockfile { .. } => Some(
                "make one with one of: uv lock | pip lock -o pylock.toml . | \
                 pip-compile --generate-hashes -o requirements.txt pyproject.toml"
                    .to_owned(),
            ),
            Self::Unpinned { lock, .. } | Self::Stale { lock, .. } => Some(renew(lock)),
            Self::NotFromIndex { .. } => Some(
                "use a version of it from an index; a package of the project itself is found by \
                 `env = { PYTHONPATH = \"its/folder\" }`"
                    .to_owned(),
            ),
            Self::NoWheel { .. } => Some(
                "what is needed is a pure-Python wheel (`py3-none-any`) or one built for WASI: try \
                 another version, or a package without native code"
                    .to_owned(),
            ),
            Self::OtherPython { .. } => {
                Some("lock it again, for this version and without limits to platforms".to_owned())
            }
            Self::Read { .. } | Self::Parse { .. } | Self::Malformed { .. } => None,
        }
    }
}

/// The command that makes a lockfile anew.
fn renew(lock: &ProjectPath) -> String {
    let command = match lock.file_name() {
        "uv.lock" => "uv lock".to_owned(),
        "pylock.toml" => "uv export --format pylock.toml -o pylock.toml (or: pip lock)".to_owned(),
        file => format!(
            "uv pip compile --generate-hashes -o {file} (or: pip-compile --generate-hashes), from \
             pyproject.toml or a requirements.in"
        ),
    };
    format!("make it anew with: {command}")
}
