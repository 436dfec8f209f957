//! Finds the files that patterns of `//go:embed` stand for, as the go command does (package `embed`, and
//! `resolveEmbed` of the go command's package `load`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::pattern;
use crate::path::ProjectPath;

/// Folders of version control, which are never embedded.
const NEVER: [&str; 4] = [".bzr", ".git", ".hg", ".svn"];

/// Returns the files that `pattern` stands for, where the pattern is in a file of the package in `folder`. A
/// malformed pattern, or one that leaves the folder, gives none: the go command reports what is wrong with
/// it. Folders in `outputs`, which builds write to, are left out.
pub(super) fn find(
    project: &Path,
    folder: &ProjectPath,
    pattern: &str,
    outputs: &BTreeSet<ProjectPath>,
) -> BTreeSet<ProjectPath> {
    let (pattern, hidden) = split(pattern);
    let mut found = vec![folder.clone()];
    for part in pattern.split('/').filter(|_| pattern != ".") {
        if matches!(part, "" | "." | "..") {
            return BTreeSet::new();
        }
        found = match has_wildcards(part) {
            true => found.iter().flat_map(|at| below(project, at, part)).collect(),
            false => found.iter().map(|at| at.join(part)).collect(),
        };
    }
    let mut files = BTreeSet::new();
    for path in found {
        add(project, path, hidden, outputs, &mut files);
    }
    files
}

/// Returns true if the pattern stands for `file`, one of the files that the package embeds: it matches the
/// file, or a folder that the file is in.
pub(super) fn stands_for(pattern: &str, file: &str) -> bool {
    let (pattern, hidden) = split(pattern);
    let is_visible = |names: &str| hidden || !names.split('/').any(is_hidden);
    // The folder of the package itself is `.`.
    if pattern == "." {
        return is_visible(file);
    }
    let ends = file.match_indices('/').map(|(end, _)| end).chain([file.len()]);
    ends.into_iter().any(|end| {
        let below = file[end..].trim_start_matches('/');
        pattern::fits(pattern, &file[..end]) && is_visible(below)
    })
}

/// Returns the pattern without `all:`, and true if it had that. It then includes the hidden files of a
/// folder.
fn split(pattern: &str) -> (&str, bool) {
    match pattern.strip_prefix("all:") {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    }
}

fn has_wildcards(part: &str) -> bool {
    part.contains(['*', '?', '[', '\\'])
}

fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

/// Returns the entries of `folder` whose names match.
fn below(project: &Path, folder: &ProjectPath, part: &str) -> Vec<ProjectPath> {
    names(project, folder)
        .filter(|name| pattern::fits(part, name))
        .map(|name| folder.join(&name))
        .collect()
}

fn names(project: &Path, folder: &ProjectPath) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder.on_disk(project)).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

/// Adds a file, or all files in a folder but those of other modules and, unless `hidden`, those with a hidden name.
fn add(
    project: &Path,
    path: ProjectPath,
    hidden: bool,
    outputs: &BTreeSet<ProjectPath>,
    files: &mut BTreeSet<ProjectPath>,
) {
    let on_disk = path.on_disk(project);
    if NEVER.contains(&path.file_name()) || outputs.contains(&path) {
        return;
    }
    // The go command embeds no symlinks.
    let Ok(kind) = fs::symlink_metadata(&on_disk).map(|meta| meta.file_type()) else { return };
    if kind.is_file() {
        files.insert(path);
    } else if kind.is_dir() && !on_disk.join("go.mod").is_file() {
        for name in names(project, &path).filter(|name| hidden || !is_hidden(name)) {
            add(project, path.join(&name), hidden, outputs, files);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_as_by_the_go_command() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "p/static/a.txt",
            "p/static/.env",
            "p/static/.hid/x",
            "p/static/_draft/y",
            "p/static/.git/config",
            "p/static/other/go.mod",
            "p/static/other/z",
            "p/static/out/built",
            "p/b{1}.txt",
            "p/b2.txt",
            "q.txt",
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("a.txt", dir.path().join("p/static/link")).unwrap();
        let outputs = BTreeSet::from([ProjectPath::parse("p/static/out").unwrap()]);
        let folder = ProjectPath::parse("p").unwrap();
        let check = |pattern: &str, expect: &[&str]| {
            let found = find(dir.path(), &folder, pattern, &outputs);
            let found: Vec<&str> = found.iter().map(|path| &path.as_str()["p/".len()..]).collect();
            assert_eq!(found, expect, "{pattern}");
            for file in found {
                assert!(stands_for(pattern, file), "{pattern} {file}");
            }
        };
        check("static", &["static/a.txt"]);
        check("all:static", &["static/.env", "static/.hid/x", "static/_draft/y", "static/a.txt"]);
        // A wildcard itself may match hidden names.
        check("static/*", &["static/.env", "static/.hid/x", "static/_draft/y", "static/a.txt"]);
        check("static/.env", &["static/.env"]);
        check("*.txt", &["b2.txt", "b{1}.txt"]);
        check("b{1}.txt", &["b{1}.txt"]);
        check("b[^2]*", &["b{1}.txt"]);
        check("s**/a.txt", &["static/a.txt"]);
        check("static/other/z", &["static/other/z"]);
        check("../q.txt", &[]);
        check("/q.txt", &[]);
        check("[", &[]);
        check("none", &[]);
        check(".", &["b2.txt", "b{1}.txt", "static/a.txt"]);
    }

    #[test]
    fn patterns_stand_for_files_and_folders() {
        let check = |pattern: &str, file: &str, expect: bool| {
            assert_eq!(stands_for(pattern, file), expect, "{pattern} {file}");
        };
        check("a.txt", "a.txt", true);
        check("*.txt", "a.txt", true);
        check("*.txt", "sub/a.txt", false);
        check("sub", "sub/deep/a.txt", true);
        check("s*", "sub/deep/a.txt", true);
        check("sub", "sub/.hidden", false);
        check("sub", "sub/_x/a.txt", false);
        check("all:sub", "sub/.hidden", true);
        check("sub/*", "sub/.hidden", true);
        check("{a}", "{a}", true);
        check(".", "a.txt", true);
        check(".", ".env", false);
        check("all:.", ".env", true);
    }
}
