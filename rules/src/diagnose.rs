//! From a tool's own error message to the rule it broke and the line to add to run.toml.
//!
//! Reads what the tool wrote, in the tool's words, and looks into the project for what it missed.
//! The tool's message is always shown as well: a hint adds, it never replaces.

use std::collections::BTreeSet;
use std::path::Path;

use engine::{Failure, FailureKind};

use crate::lang::{LANGUAGES, ToolOutput};
use crate::path::ProjectPath;

/// What is known of the component whose action failed.
#[derive(Debug, Clone, Copy)]
pub struct Suspect<'a> {
    /// Its name.
    pub component: &'a str,
    /// The line of its `[[component]]` in run.toml, from 1.
    pub line: usize,
    /// The project folder.
    pub project: &'a Path,
}

/// What the user can do about a failed action.
#[must_use]
pub fn hints(failure: &Failure, suspect: Option<&Suspect<'_>>) -> Vec<String> {
    let text = format!(
        "{}\n{}",
        String::from_utf8_lossy(&failure.stderr),
        String::from_utf8_lossy(&failure.stdout)
    );
    let mut output = ToolOutput { text, command: failure.command.as_ref() };
    let mut hints: Vec<String> =
        LANGUAGES.iter().flat_map(|rule| (rule.hints)(&mut output)).collect();
    if let Some(suspect) = suspect {
        let cwd = failure.command.as_ref().map_or("/", |command| command.cwd.as_str());
        hints.extend(undeclared(&output.text, cwd, suspect));
    }
    if output.has(&READ_ONLY) {
        hints.push(
            "an action can't write to its sources or its tools: only /out and /tmp are writable \
             (a build script writes to OUT_DIR)"
                .to_owned(),
        );
    }
    if output.has(&NO_NETWORK) {
        hints.push(
            "actions have no network: what a build downloads has to be a dependency in the \
             language's lockfile, which is fetched and checked before"
                .to_owned(),
        );
    }
    let limit = match failure.kind {
        FailureKind::TimedOut(_) => Some("timeout"),
        FailureKind::OutOfMemory(Some(_)) => Some("memory"),
        _ => None,
    };
    if let (Some(limit), Some(Suspect { component, line, .. })) = (limit, suspect) {
        hints.push(format!(
            "`{limit}` of component `{component}` at run.toml:{line} says how much it may use"
        ));
    }
    if matches!(failure.kind, FailureKind::Offline) {
        hints.push("run it once without --offline; what it fetches stays in the store".to_owned());
    }
    hints
}

/// What tools say when the file system is read-only.
const READ_ONLY: [&str; 3] = ["Read-only file system", "os error 30", "EROFS"];

/// What tools say when there is no network.
const NO_NETWORK: [&str; 10] = [
    "gaierror",
    "Network is unreachable",
    "ENETUNREACH",
    "Temporary failure in name resolution",
    "Name or service not known",
    "failed to lookup address information",
    "Could not resolve host",
    "ENOTFOUND",
    "EAI_AGAIN",
    "os error 101",
];

/// What tools say when a file is not there.
const NO_SUCH_FILE: [&str; 5] =
    ["No such file or directory", "os error 2)", "ENOENT", "ModuleNotFoundError", "cannot find"];

/// A hint for each file that the project has and the action did not see.
fn undeclared(output: &str, cwd: &str, suspect: &Suspect<'_>) -> Vec<String> {
    let missed: BTreeSet<ProjectPath> = output
        .lines()
        .filter(|line| NO_SUCH_FILE.iter().any(|sign| line.contains(sign)))
        .flat_map(paths)
        .filter_map(|path| in_project(path, cwd))
        .filter(|path| !path.is_root() && path.on_disk(suspect.project).exists())
        .collect();
    let advice = |path: &ProjectPath| {
        let folder = path.on_disk(suspect.project).is_dir();
        let glob = if folder { format!("{path}/**") } else { path.to_string() };
        format!(
            "`{path}` is in the project but is not an input of component `{}`, so its actions \
             don't see it: add `inputs = [\"{glob}\"]` to the component at run.toml:{}",
            suspect.component, suspect.line
        )
    };
    missed.iter().map(advice).collect()
}

/// The words of a line that may be paths, without quotes and punctuation around them.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let separator = |c: char| c.is_whitespace() || "`'\"()[]<>,;".contains(c);
    let words = line.split(separator).map(|word| word.trim_end_matches([':', '.']));
    words.filter(|word| word.contains(['/', '.']) && word.len() > 1)
}

/// The path below the project that `path` means to an action whose working directory is `cwd`.
fn in_project(path: &str, cwd: &str) -> Option<ProjectPath> {
    let base = cwd.trim_start_matches('/').strip_prefix("src").unwrap_or_default();
    match path.strip_prefix('/') {
        Some(absolute) => {
            let inside = ProjectPath::parse(absolute).ok()?;
            let inside = inside.as_str().strip_prefix("src/")?.to_owned();
            ProjectPath::parse(&inside).ok()
        }
        None => ProjectPath::parse(base.trim_start_matches('/')).ok()?.resolve(path).ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use engine::{CommandReport, Label};

    use super::*;

    fn failure(stderr: &str, cwd: &str) -> Failure {
        Failure {
            label: Label::new("api", "compile"),
            kind: FailureKind::Exited(101),
            command: Some(CommandReport {
                argv: vec!["cargo".into()],
                env: BTreeMap::new(),
                cwd: cwd.into(),
            }),
            stdout: Vec::new(),
            stderr: stderr.into(),
            truncated: false,
            kept: None,
        }
    }

    #[test]
    fn a_missed_file_of_the_project_is_named_with_the_line_to_add() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("api/data")).unwrap();
        std::fs::write(dir.path().join("api/data/words.txt"), "").unwrap();
        let suspect = Suspect { component: "api", line: 7, project: dir.path() };
        let check = |stderr: &str, cwd: &str, expect: &[&str]| {
            let got = hints(&failure(stderr, cwd), Some(&suspect));
            assert_eq!(got, expect, "{stderr}");
        };
        let advice = |what: &str, glob: &str| {
            format!(
                "`{what}` is in the project but is not an input of component `api`, so its actions \
                 don't see it: add `inputs = [\"{glob}\"]` to the component at run.toml:7"
            )
        };
        let words = advice("api/data/words.txt", "api/data/words.txt");
        check(
            "error: couldn't read `api/src/../data/words.txt`: No such file or directory (os error 2)",
            "/src",
            &[&words],
        );
        check(
            "FileNotFoundError: [Errno 2] No such file or directory: '/src/api/data/words.txt'",
            "/src/api",
            &[&words],
        );
        check("open data/words.txt: ENOENT", "/src/api", &[&words]);
        check("cannot find data/", "/src/api", &[&advice("api/data", "api/data/**")]);
        check("No such file or directory: /src/api/none.txt", "/src", &[]);
        check("No such file or directory: /etc/passwd", "/src", &[]);
    }

    #[test]
    fn broken_rules_are_named() {
        let check = |stderr: &str, expect: &str| {
            let got = hints(&failure(stderr, "/src"), None);
            assert!(got.len() == 1 && got[0].contains(expect), "{stderr}: {got:?}");
        };
        check(
            "Os { code: 30, kind: ReadOnlyFilesystem, message: \"Read-only file system\" }",
            "only /out and /tmp",
        );
        check("connect: Network is unreachable", "actions have no network");
        check("cannot update the lock file because --locked was passed", "cargo update");
        check(
            "no matching package named `itoa` found\nAs a reminder, you're using offline mode (--offline)",
            "cargo update",
        );
    }
}
