//! Zig, C and C++: core modules made by a pinned zig, with bindings from the C generator.
//!
//! The bindings are generated (a builtin) and compiled (*glue*) by actions keyed by the WIT alone.
//! What zig would compile from source at its first call, such as the C library, is a layer
//! ([`layer`]) that every component shares. *Compile* then turns the component's own sources into
//! objects and links them: a single Zig file ([`file`]), the C and C++ files of a folder ([`c`]),
//! or whatever a `build.zig` says ([`project`]), with the packages of build.zig.zon ([`fetch`]).

mod c;
mod fetch;
mod file;
mod glue;
mod hints;
mod layer;
mod project;
mod tool;
mod zon;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::Bound;

use super::{Compiled, LanguageError, Request, Rule};
use crate::path::{PathError, ProjectPath};
use crate::plan::{PlanError, Planner};
use crate::toolchain::ZIG;

pub(super) const RULE: Rule = Rule {
    name: "zig",
    endings: &["zig"],
    nicknames: &[],
    also_reads: &[],
    has_check: false,
    toolchains: |_, _| vec![ZIG],
    compile,
    hints: hints::hints,
};

pub(super) const C_RULE: Rule = Rule {
    name: "c",
    endings: &["c"],
    nicknames: &[],
    also_reads: &[],
    has_check: false,
    toolchains: |_, _| vec![ZIG],
    compile: |planner, request| c::compile(planner, c::Dialect::C, request),
    // Those of Zig.
    hints: |_| Vec::new(),
};

pub(super) const CPP_RULE: Rule = Rule {
    name: "cpp",
    endings: &["cc", "cpp", "cxx"],
    nicknames: &["c++", "cxx", "cc"],
    also_reads: &["c"],
    has_check: false,
    toolchains: |_, _| vec![ZIG],
    compile: |planner, request| c::compile(planner, c::Dialect::Cpp, request),
    // Those of Zig.
    hints: |_| Vec::new(),
};

/// What is wrong with a Zig project before any action runs.
#[derive(Debug, thiserror::Error)]
pub(super) enum ZigError {
    /// A file of the project can't be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: ProjectPath,
        /// Why.
        source: std::io::Error,
    },
    /// A build.zig.zon is not of the right form.
    #[error("{manifest}:{line}: {reason}")]
    Zon {
        /// The file.
        manifest: ProjectPath,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// A dependency from elsewhere without a hash.
    #[error("{manifest}: dependency `{dependency}` has no `.hash`, so it can't be pinned")]
    NoHash {
        /// The build.zig.zon that names it.
        manifest: ProjectPath,
        /// The dependency.
        dependency: String,
        /// Where it comes from.
        url: String,
    },
    /// A dependency from elsewhere with a hash that can't be one.
    #[error(
        "{manifest}: dependency `{dependency}` has the hash `{hash}`, which is none of those that zig \
         writes"
    )]
    BadHash {
        /// The build.zig.zon that names it.
        manifest: ProjectPath,
        /// The dependency.
        dependency: String,
        /// Where it comes from.
        url: String,
        /// The hash as written.
        hash: String,
    },
    /// A dependency by path leaves the project.
    #[error("{manifest}: dependency `{dependency}` is at `{path}`, outside the project")]
    DependencyOutside {
        /// The build.zig.zon that names it.
        manifest: ProjectPath,
        /// The dependency.
        dependency: String,
        /// Its path as written.
        path: String,
        /// Why it is outside.
        source: PathError,
    },
    /// A path among `.paths` leaves the package.
    #[error("{manifest}: `{path}` in `.paths` is outside the package")]
    PathOutside {
        /// The build.zig.zon.
        manifest: ProjectPath,
        /// The path as written.
        path: String,
        /// Why it is outside.
        source: PathError,
    },
}

impl LanguageError for ZigError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoHash { manifest, dependency, url } => {
                Some(format!("let zig add it: {}", saving(manifest, dependency, url)))
            }
            Self::BadHash { manifest, dependency, url, .. } => {
                Some(format!("let zig write it: {}", saving(manifest, dependency, url)))
            }
            Self::DependencyOutside { .. } => {
                Some("move the package into the project: an action sees nothing else".to_owned())
            }
            Self::Read { .. } | Self::Zon { .. } | Self::PathOutside { .. } => None,
        }
    }
}

/// The command by which zig itself notes a dependency with its hash.
fn saving(manifest: &ProjectPath, dependency: &str, url: &str) -> String {
    let folder = manifest.parent();
    let folder = if folder.is_root() { ".".to_owned() } else { folder.to_string() };
    format!("cd {folder} && zig fetch --save={dependency} {url}")
}

/// Adds the actions that compile `request`'s component to a core module.
fn compile(planner: &mut Planner<'_>, request: &Request<'_>) -> Result<Compiled, PlanError> {
    match project::find(planner.project(), request.source) {
        Some(folder) => project::compile(planner, &folder, request),
        None => file::compile(planner, request),
    }
}

/// What below `folder` belongs to other components of the project, and so not to the one whose
/// source is `source`.
fn foreign(
    planner: &mut Planner<'_>,
    folder: &ProjectPath,
    source: &ProjectPath,
) -> BTreeSet<ProjectPath> {
    let Ok(all) = planner.known("sources", |planner| Ok::<_, Infallible>(planner.sources()));
    apart(folder, source, &all)
}

/// Of each other source its folder, or the file alone where `source` lies in that folder as well.
fn apart(
    folder: &ProjectPath,
    source: &ProjectPath,
    all: &BTreeSet<ProjectPath>,
) -> BTreeSet<ProjectPath> {
    // What lies in a folder stands together in the order of paths, but for names that go on behind the folder's.
    let start = if folder.is_root() { String::new() } else { format!("{folder}/") };
    let inside = all
        .range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded))
        .take_while(|path| path.as_str().starts_with(&start));
    let others = inside.filter(|other| *other != source);
    let place = |other: &ProjectPath| match other.parent() {
        parent if source.is_in(&parent) => other.clone(),
        parent => parent,
    };
    others.map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_other_components_is_left_out() {
        let check = |folder: &str, source: &str, expected: &[&str]| {
            let path = |text: &str| ProjectPath::parse(text).unwrap();
            let all = ["main.c", "other.c", "lib/a/a.zig", "lib/b/b.c", "lib/b/deep/c.rs"];
            let folder = if folder.is_empty() { ProjectPath::root() } else { path(folder) };
            let found = apart(&folder, &path(source), &all.map(path).into());
            let found: Vec<&str> = found.iter().map(ProjectPath::as_str).collect();
            assert_eq!(found, expected, "{source}");
        };
        check("", "main.c", &["lib/a", "lib/b", "lib/b/deep", "other.c"]);
        check("lib/b", "lib/b/b.c", &["lib/b/deep"]);
        check("lib/b/deep", "lib/b/deep/c.rs", &[]);
        check("lib", "lib/b/deep/c.rs", &["lib/a", "lib/b/b.c"]);
    }
}
