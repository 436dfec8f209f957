//! From a tool's own error message to the rule it broke and the line to add to run.toml.
//!
//! Reads what the tool wrote, in the tool's words, and what the sandbox saw it look for in vain, and
//! looks into the project and at the machine for what it missed. The tool's message is always shown
//! as well: a hint adds, it never replaces.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine::{Failure, FailureKind, says_missing};

use crate::lang::{LANGUAGES, NEVER_SOURCES, ToolOutput};
use crate::path::{ProjectPath, is_inside};

/// What is known of the component whose action failed.
#[derive(Debug, Clone, Copy)]
pub struct Suspect<'a> {
    /// Its name.
    pub component: &'a str,
    /// The line of its `[[component]]` in run.toml, from 1.
    pub line: usize,
    /// Tells if run.toml says what its WIT is.
    pub has_wit: bool,
    /// The project folder.
    pub project: &'a Path,
}

/// What the user can do about a failed action.
#[must_use]
pub fn hints(failure: &Failure, suspect: Option<&Suspect<'_>>) -> Vec<String> {
    let text = format!(
        "{}\n{}",
        engine::plain(&String::from_utf8_lossy(&failure.stderr)),
        engine::plain(&String::from_utf8_lossy(&failure.stdout))
    );
    let mut output = ToolOutput { text, command: failure.command.as_ref() };
    let mut hints: Vec<String> =
        LANGUAGES.iter().flat_map(|rule| (rule.hints)(&mut output)).collect();
    if let Some(suspect) = suspect {
        let cwd = failure.command.as_ref().map_or("/", |command| command.cwd.as_str());
        let mut missed = named(&output.text, cwd, suspect);
        // What was looked for in vain is many files; they matter if the tool misses one.
        if says_missing(&output.text) {
            missed.extend(undeclared(&failure.missing, suspect.project));
            hints.extend(on_this_machine(&failure.missing));
        }
        hints.extend(all_advice(&missed, suspect));
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

/// What tools say when a file is not there, but also of other things.
const CANNOT_FIND: &str = "cannot find";

/// What an action of `suspect` looked for although it is no input of it, with the line to add to
/// run.toml. `missing` is what it did not find, as absolute paths inside its sandbox.
#[must_use]
pub fn looked_for(missing: &[PathBuf], suspect: &Suspect<'_>) -> Vec<String> {
    all_advice(&undeclared(missing, suspect.project), suspect)
}

/// The files and folders of the project among paths that an action did not find.
fn undeclared(missing: &[PathBuf], project: &Path) -> BTreeSet<ProjectPath> {
    let found = missing.iter().filter_map(|path| {
        let below = path.strip_prefix("/src").ok()?.to_str()?;
        ProjectPath::root().resolve(below).ok()
    });
    let exists = |path: &ProjectPath| !path.is_root() && path.on_disk(project).exists();
    let mut found: BTreeSet<ProjectPath> =
        found.filter(|path| !is_never_an_input(path) && exists(path)).collect();
    // A folder that was looked for on the way to what is in it says nothing more.
    let all = found.clone();
    found.retain(|path| !all.iter().any(|other| other != path && other.is_in(path)));
    found
}

/// What version control, builds and tools keep in a project.
fn is_never_an_input(path: &ProjectPath) -> bool {
    path.parts().any(|part| [".git", ".run"].contains(&part) || NEVER_SOURCES.contains(&part))
}

/// A hint for files of the machine that an action looked for, but for those that every program looks
/// for on its way into a process.
fn on_this_machine(missing: &[PathBuf]) -> Vec<String> {
    const USUAL: [&str; 11] = [
        "/bin", "/dev", "/etc", "/lib", "/lib64", "/out", "/proc", "/sbin", "/src", "/sys", "/usr",
    ];
    let is_usual = |path: &Path| USUAL.iter().any(|usual| path.starts_with(usual));
    let files = missing.iter().filter(|path| !is_usual(path) && path.is_file()).take(3);
    files
        .map(|path| {
            format!(
                "`{}` is a file of this machine, which actions don't see: put it into the project and \
                 declare it in `inputs`, or make it a toolchain with `run toolchain add`",
                path.display()
            )
        })
        .collect()
}

/// The advice for each path, and once for what several paths have in common.
fn all_advice(paths: &BTreeSet<ProjectPath>, suspect: &Suspect<'_>) -> Vec<String> {
    let mut all: Vec<String> = paths.iter().map(|path| advice(path, suspect)).collect();
    all.dedup();
    all
}

fn advice(path: &ProjectPath, suspect: &Suspect<'_>) -> String {
    if let Some(wit) = forgotten_wit(path, suspect) {
        return format!(
            "`{wit}` holds WIT, but component `{}` has none, so its actions don't see it: add `wit = \"{wit}\"` to the \
             component at run.toml:{}",
            suspect.component, suspect.line
        );
    }
    let on_disk = path.on_disk(suspect.project);
    if !is_inside(&on_disk, suspect.project) {
        let target = on_disk.canonicalize().unwrap_or(on_disk);
        return format!(
            "`{path}` leads by a symlink to `{}`, outside of the project, where no build looks: put a copy of \
             it into the project",
            target.display()
        );
    }
    let folder = path.on_disk(suspect.project).is_dir();
    let glob = if folder { format!("{path}/**") } else { path.to_string() };
    format!(
        "`{path}` is in the project but is not an input of component `{}`, so its actions \
         don't see it: add `inputs = [\"{glob}\"]` to the component at run.toml:{}",
        suspect.component, suspect.line
    )
}

/// The WIT file or folder at or above a path that a component without `wit` looked for.
fn forgotten_wit(path: &ProjectPath, suspect: &Suspect<'_>) -> Option<ProjectPath> {
    let holds_wit = |path: &ProjectPath| {
        let on_disk = path.on_disk(suspect.project);
        let entries = std::fs::read_dir(&on_disk).into_iter().flatten().flatten();
        let mut files = std::iter::once(on_disk).chain(entries.map(|entry| entry.path()));
        files.any(|file| file.extension().is_some_and(|ending| ending == "wit") && file.is_file())
    };
    let above = std::iter::once(path.clone()).chain(path.ancestors());
    // The outermost is the package; what lies below it is for its `deps`.
    above.filter(|path| !suspect.has_wit && !path.is_root() && holds_wit(path)).last()
}

/// The files that the project has, and that a message of the action says are not there.
fn named(output: &str, cwd: &str, suspect: &Suspect<'_>) -> BTreeSet<ProjectPath> {
    output
        .lines()
        .filter(|line| says_missing(line) || line.contains(CANNOT_FIND))
        .flat_map(paths)
        .filter_map(|path| in_project(path, cwd))
        .filter(|path| !path.is_root() && path.on_disk(suspect.project).exists())
        .collect()
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
            missing: Vec::new(),
            kept: None,
        }
    }

    #[test]
    fn a_missed_file_of_the_project_is_named_with_the_line_to_add() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("api/data")).unwrap();
        std::fs::write(dir.path().join("api/data/words.txt"), "").unwrap();
        let suspect = Suspect { component: "api", line: 7, has_wit: true, project: dir.path() };
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
    fn forgotten_wit_is_named_as_wit() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("api/wit/deps/other")).unwrap();
        for file in ["api/wit/api.wit", "api/wit/deps/other/other.wit", "api/readme.md"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let suspect = Suspect { component: "api", line: 7, has_wit: false, project: dir.path() };
        let paths = ["/src/api/wit", "/src/api/wit/deps", "/src/api/wit/deps/other/other.wit"];
        let missing: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        let check = |missing: &[PathBuf], suspect: &Suspect<'_>, expect: &str| {
            let got = looked_for(missing, suspect);
            assert!(got.len() == 1 && got[0].contains(expect), "{got:?}");
        };
        check(&missing, &suspect, "add `wit = \"api/wit\"` to the component at run.toml:7");
        check(&missing[..2], &suspect, "add `wit = \"api/wit\"`");
        check(&["/src/api/wit/api.wit".into()], &suspect, "add `wit = \"api/wit\"`");
        check(&["/src/api/readme.md".into()], &suspect, "add `inputs = [\"api/readme.md\"]`");
        let has_wit = Suspect { has_wit: true, ..suspect };
        check(&missing, &has_wit, "add `inputs = [\"api/wit/deps/other/other.wit\"]`");
    }

    #[test]
    fn what_was_looked_for_is_named_even_if_the_tool_does_not() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("api/data")).unwrap();
        std::fs::create_dir(dir.path().join("__pycache__")).unwrap();
        for file in ["api/data/words.txt", "secret", ".git", "__pycache__/app.pyc"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let suspect = Suspect { component: "api", line: 7, has_wit: true, project: dir.path() };
        let secret = dir.path().join("secret");
        let paths = [
            "/src/api/src/../data/words.txt",
            "/src/api/data",
            "/src/none",
            "/src/.git",
            "/src/__pycache__/app.pyc",
        ];
        let mut missing: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        assert_eq!(looked_for(&missing, &suspect).len(), 1);
        missing.push(secret.clone());
        let failed = |stderr: &str| Failure { missing: missing.clone(), ..failure(stderr, "/src") };
        let got = hints(&failed("called unwrap on NotFound (os error 2)"), Some(&suspect));
        assert!(got[0].starts_with(&format!("`{}` is a file", secret.display())), "{got:?}");
        let words = got.last().unwrap();
        assert!(words.contains("add `inputs = [\"api/data/words.txt\"]`"), "{words}");
        assert_eq!(hints(&failed("mismatched types"), Some(&suspect)), Vec::<String>::new());
    }

    #[test]
    fn what_a_link_hides_outside_of_the_project_is_not_advised_as_an_input() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("project");
        std::fs::create_dir_all(&project).unwrap();
        std::fs::write(dir.path().join("words.h"), "").unwrap();
        std::os::unix::fs::symlink("../words.h", project.join("words.h")).unwrap();
        let suspect = Suspect { component: "api", line: 7, has_wit: true, project: &project };
        let hints = hints(&failure("words.h: No such file or directory", "/src"), Some(&suspect));
        assert!(hints[0].starts_with("`words.h` leads by a symlink to `/"), "{hints:?}");
        assert!(hints[0].contains("/words.h`, outside of the project"), "{hints:?}");
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
