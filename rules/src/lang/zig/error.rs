//! The errors of Zig projects that planning finds, before any action runs, and the remedy for each.
//!
//! They have a file of their own, which uses none of the files that raise them. So no circle of files arises.

use crate::path::{PathError, ProjectPath};
use crate::planner::LanguageError;

/// An error in a Zig project that is found before any action runs.
#[derive(Debug, thiserror::Error)]
pub(super) enum ZigError {
    /// A file of the project can't be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: ProjectPath,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A build.zig.zon breaks the rules of its format.
    #[error("{manifest}:{line}: {reason}")]
    Zon {
        /// The file.
        manifest: ProjectPath,
        /// The line, from 1.
        line: usize,
        /// The problem in that line.
        reason: &'static str,
    },
    /// A dependency by URL has no hash.
    #[error("{manifest}: dependency `{dependency}` has no `.hash`, so it can't be pinned")]
    NoHash {
        /// The build.zig.zon that names it.
        manifest: ProjectPath,
        /// The dependency.
        dependency: String,
        /// The URL that it comes from.
        url: String,
    },
    /// A dependency by URL has a hash of a form that zig does not write.
    #[error(
        "{manifest}: dependency `{dependency}` has the hash `{hash}`, which is none of those that zig \
         writes"
    )]
    BadHash {
        /// The build.zig.zon that names it.
        manifest: ProjectPath,
        /// The dependency.
        dependency: String,
        /// The URL that it comes from.
        url: String,
        /// The hash as it is written.
        hash: String,
    },
    /// A dependency by path leaves the project.
    #[error("{manifest}: dependency `{dependency}` is at `{path}`, outside the project")]
    DependencyOutside {
        /// The build.zig.zon that names it.
        manifest: ProjectPath,
        /// The dependency.
        dependency: String,
        /// Its path as it is written.
        path: String,
        /// The reason why the path is outside.
        source: PathError,
    },
    /// A path among `.paths` leaves the package.
    #[error("{manifest}: `{path}` in `.paths` is outside the package")]
    PathOutside {
        /// The build.zig.zon.
        manifest: ProjectPath,
        /// The path as it is written.
        path: String,
        /// The reason why the path is outside.
        source: PathError,
    },
}

impl LanguageError for ZigError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoHash { manifest, dependency, url }
            | Self::BadHash { manifest, dependency, url, .. } => {
                Some(saving(manifest, dependency, url))
            }
            Self::DependencyOutside { .. } => {
                Some("move the package into the project: an action sees nothing else".to_owned())
            }
            Self::Read { .. } | Self::Zon { .. } | Self::PathOutside { .. } => None,
        }
    }
}

/// Returns the hint by which zig itself writes a dependency with its hash. The old entry has to be removed
/// first, because zig adds no hash to an entry without one and refuses to read one with a wrong hash.
fn saving(manifest: &ProjectPath, dependency: &str, url: &str) -> String {
    let folder = manifest.parent();
    let [folder, save, url] =
        [&folder.to_string(), &format!("--save={dependency}"), url].map(engine::quote);
    format!(
        "take `{dependency}` out of `.dependencies`, and let zig add it with its hash: cd {folder} && zig fetch {save} {url}"
    )
}
