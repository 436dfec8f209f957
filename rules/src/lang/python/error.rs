//! The errors of Python components that planning finds, before any action runs, and the remedy for each.
//!
//! They have a file of their own, which uses none of the files that raise them. So no circle of files arises.

use crate::broken_toml::BrokenToml;
use crate::path::{PathError, ProjectPath};
use crate::planner::LanguageError;

/// An error in a Python component that is found before any action runs.
#[derive(Debug, thiserror::Error)]
pub(super) enum PythonError {
    /// Python can't import a file of this name.
    #[error("`{source_file}` can't be imported: `{module}` is no name of a Python module")]
    NotAModule {
        /// The component's `source`.
        source_file: ProjectPath,
        /// The part of its name that is not an identifier.
        module: String,
    },
    /// A folder of `PYTHONPATH` is not in the project.
    #[error("`PYTHONPATH` in `env` names `{folder}`, which is no folder of the project")]
    SearchPath {
        /// The folder as it is written.
        folder: String,
        /// The reason, if it is not a path inside the project.
        source: Option<PathError>,
    },
    /// A file can't be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: ProjectPath,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A file is not valid TOML, or its keys are not those of its format.
    #[error("`{path}` is not valid")]
    Parse {
        /// The file.
        path: ProjectPath,
        /// The place of the error, and what was expected there.
        source: BrokenToml,
    },
    /// Something in a file breaks the rules of its format.
    #[error("{path}: {problem}")]
    Malformed {
        /// The file, and the line if it is known.
        path: String,
        /// The description of the mistake.
        problem: String,
    },
    /// The project has dependencies but no lockfile.
    #[error("`{manifest}` has dependencies, but there is no lockfile beside or above it")]
    NoLockfile {
        /// The `pyproject.toml`.
        manifest: ProjectPath,
    },
    /// A requirement is not pinned by `==` and a SHA-256.
    #[error("{place}: `{requirement}` is not pinned by a version and a SHA-256")]
    Unpinned {
        /// The lockfile, and the line if it is known.
        place: String,
        /// The package.
        requirement: String,
        /// The lockfile.
        lock: ProjectPath,
    },
    /// A package does not come from an index.
    #[error("{place}: `{package}` comes from {origin}, not from a package index")]
    NotFromIndex {
        /// The lockfile, and the line if it is known.
        place: String,
        /// The package.
        package: String,
        /// The place that it comes from.
        origin: String,
    },
    /// A package has no wheel that the interpreter inside a component can load.
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
        /// The files that it does have, in words.
        found: String,
    },
    /// The lockfile does not fit `pyproject.toml`.
    #[error("`{lock}` does not fit `{manifest}`: {difference}")]
    Stale {
        /// The lockfile.
        lock: ProjectPath,
        /// The `pyproject.toml`.
        manifest: ProjectPath,
        /// The first difference between the two.
        difference: String,
    },
    /// The lockfile is for other interpreters than that inside a component.
    #[error("`{lock}` is not for Python {python} on WASI: {reason}")]
    OtherPython {
        /// The lockfile.
        lock: ProjectPath,
        /// The version of the interpreter inside a component.
        python: &'static str,
        /// The entry of the lockfile that excludes it.
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
                "make one, in the folder of that file, with one of: uv lock | pip lock -o pylock.toml . | \
                 uv pip compile --generate-hashes pyproject.toml -o requirements.txt"
                    .to_owned(),
            ),
            // To lock again would not help: uv.lock would still have no hash.
            Self::Unpinned { lock, .. } if lock.file_name() == "uv.lock" => Some(
                "uv.lock has no hashes of wheels in a folder of the machine: make a pylock.toml of it, in its folder, which \
                 has them and goes first: uv export --format pylock.toml -o pylock.toml"
                    .to_owned(),
            ),
            Self::Unpinned { lock, .. } => Some(renew(lock, None)),
            Self::Stale { lock, manifest, .. } => Some(renew(lock, Some(manifest))),
            Self::NotFromIndex { .. } => Some(
                "use a version of it from an index; a package of the project itself is found by \
                 `env = { PYTHONPATH = \"its/folder\" }`"
                    .to_owned(),
            ),
            Self::NoWheel { .. } => Some(NO_WHEEL.to_owned()),
            Self::OtherPython { .. } => {
                Some("lock it again, for this version and without limits to platforms".to_owned())
            }
            Self::Read { .. } | Self::Parse { .. } | Self::Malformed { .. } => None,
        }
    }
}

/// The remedy for a package without any wheel that can be loaded.
pub(super) const NO_WHEEL: &str = "lock a version, or another package, that has a wheel of pure Python (`py3-none-any`), one for WASI, or one \
                        for Python 3.14 on Linux (x86_64), of which the Python is taken; or, if its sources are Python, \
                        unpack them into the project and depend on the folder: `./vendor/NAME` in requirements.txt, \
                        `NAME = { path = \"vendor/NAME\" }` in [tool.uv.sources]";

/// Returns the hint with the command that makes a lockfile anew. `from` is the file that says which packages
/// are asked for.
fn renew(lock: &ProjectPath, from: Option<&ProjectPath>) -> String {
    let command = match lock.file_name() {
        "uv.lock" => "uv lock".to_owned(),
        "pylock.toml" => {
            "uv export --format pylock.toml -o pylock.toml (or: pip lock -o pylock.toml .)"
                .to_owned()
        }
        file => {
            let folder = lock.parent();
            let below = |path: &ProjectPath| match folder.is_root() {
                true => path.to_string(),
                false => path.as_str()[folder.as_str().len() + 1..].to_owned(),
            };
            let below = from.filter(|from| from.is_in(&folder)).map(below);
            let source = below.as_deref().unwrap_or("requirements.in");
            let [file, source] = [file, source].map(engine::quote);
            let note = match below {
                Some(_) => "",
                None => ", where requirements.in has the packages that are asked for",
            };
            format!(
                "uv pip compile --generate-hashes {source} -o {file} (or: pip-compile --generate-hashes {source} -o \
                 {file}){note}"
            )
        }
    };
    format!("make it anew, in its folder, with: {command}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lockfile_is_made_anew_where_it_lies_from_what_is_asked_for() {
        let path = |text: &str| ProjectPath::parse(text).unwrap();
        let check = |lock: &str, from: Option<&str>, expect: &str| {
            let hint = renew(&path(lock), from.map(path).as_ref());
            assert_eq!(hint, format!("make it anew, in its folder, with: {expect}"));
        };
        check("a/uv.lock", Some("a/pyproject.toml"), "uv lock");
        check(
            "a/requirements.txt",
            Some("a/b/pyproject.toml"),
            "uv pip compile --generate-hashes b/pyproject.toml -o requirements.txt (or: pip-compile \
             --generate-hashes b/pyproject.toml -o requirements.txt)",
        );
        check(
            "requirements.txt",
            None,
            "uv pip compile --generate-hashes requirements.in -o requirements.txt (or: pip-compile \
             --generate-hashes requirements.in -o requirements.txt), where requirements.in has the packages that \
             are asked for",
        );
    }
}
