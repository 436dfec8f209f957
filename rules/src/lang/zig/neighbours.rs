//! Finds the folders and files of the project's other components, so that a component of Zig, C or C++ does
//! not take them for its own sources. It goes by the `source` of each component alone and reads no file.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::Bound;

use crate::path::ProjectPath;
use crate::planner::Planner;

/// Returns the places below `folder` that belong to other components than the one whose source is `source`.
pub(super) fn foreign(
    planner: &mut Planner<'_>,
    folder: &ProjectPath,
    source: &ProjectPath,
) -> BTreeSet<ProjectPath> {
    let Ok(all) = planner.known("sources", |planner| Ok::<_, Infallible>(planner.sources()));
    apart(folder, source, &all)
}

/// Returns the folder of each other source, or that source alone if `source` is in the same folder or below
/// it.
fn apart(
    folder: &ProjectPath,
    source: &ProjectPath,
    all: &BTreeSet<ProjectPath>,
) -> BTreeSet<ProjectPath> {
    // The paths are sorted, so those below a folder follow each other. The slash at the end leaves out names
    // that only begin like the folder's.
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
