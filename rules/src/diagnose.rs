//! Derives hints from a failed action: which rule of `run` it broke, and which line to add to run.toml.
//!
//! It reads the tool's own messages and the list of files that the sandbox saw the tool look for in vain. It
//! then looks for these files in the project and on the machine. Hints are shown after the tool's message and
//! never replace it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine::{Failure, FailureKind};

use crate::lang;
use crate::lang::rule::ToolOutput;
use crate::manifest::{Language, suggest};
use crate::path::{ProjectPath, is_inside};
use crate::planner::NEVER_SOURCES;
use crate::wit::Origins;

/// Returns whether a tool's output, or one line of it, says that a file does not exist.
#[must_use]
pub fn says_missing(text: &str) -> bool {
    const SIGNS: [&str; 7] = [
        "no such file",
        "os error 2)",
        "enoent",
        "filenotfound",
        "file not found",
        "does not exist",
        "modulenotfounderror",
    ];
    let text = text.to_lowercase();
    SIGNS.iter().any(|sign| text.contains(sign))
}

/// The component whose action failed, as far as hints need to know it.
#[derive(Debug, Clone, Copy)]
pub struct Suspect<'a> {
    /// The component's name.
    pub component: &'a str,
    /// The line of its `[[component]]` in run.toml, counted from 1.
    pub line: usize,
    /// True if run.toml has a `wit` key for it.
    pub has_wit: bool,
    /// The places that the files of its completed WIT folder come from.
    pub wit: &'a Origins,
    /// True if it already has an `inputs` list. TOML refuses a second one.
    pub has_inputs: bool,
    /// The project folder.
    pub project: &'a Path,
}

/// Returns hints on what the user can do about a failed action. `note` is what planning noted of it
/// ([`Plan::note`](crate::plan::Plan::note)).
#[must_use]
pub fn hints(failure: &Failure, suspect: Option<&Suspect<'_>>, note: Option<&str>) -> Vec<String> {
    let text = format!(
        "{}\n{}",
        engine::plain(&String::from_utf8_lossy(&failure.stderr)),
        engine::plain(&String::from_utf8_lossy(&failure.stdout))
    );
    let reason = match &failure.kind {
        FailureKind::Builtin(report) => report.to_string(),
        _ => String::new(),
    };
    let mut output = ToolOutput {
        text,
        reason,
        command: failure.command.as_ref(),
        note,
        project: suspect.map(|suspect| suspect.project),
    };
    let mut hints: Vec<String> =
        Language::all().flat_map(|language| (lang::rule(language).hints)(&mut output)).collect();
    if let Some(suspect) = suspect {
        let cwd = failure.command.as_ref().map_or("/", |command| command.cwd.as_str());
        let mut missed = named(&output.text, cwd, suspect);
        // A tool looks for many files in vain. That matters only if it complains about a missing one.
        if says_missing(&output.text) {
            missed.extend(undeclared(&failure.missing, suspect.project));
            hints.extend(on_this_machine(&failure.missing));
        }
        hints.extend(all_advice(&missed, suspect));
        hints.extend(wit_files(&output.text, suspect.wit));
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
    let reason = failure.kind.to_string();
    if OFFLINE.iter().any(|sign| reason.contains(sign)) {
        hints.push("run it once without --offline; what it fetches stays in the store".to_owned());
    }
    hints
}

/// Texts that tools print when the file system is read-only.
const READ_ONLY: [&str; 3] = ["Read-only file system", "os error 30", "EROFS"];

/// Texts that tools print when there is no network.
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

/// Parts of the error messages of actions that may not fetch because the build is offline. Such an action
/// first looks for what this machine already has, so only the action itself knows that it would have fetched
/// something.
const OFFLINE: [&str; 2] = ["this build is offline", "the network is switched off"];

/// A text that tools print when a file does not exist, but also in other errors.
const CANNOT_FIND: &str = "cannot find";

/// Returns advice for files of the project that an action of `suspect` looked for although they are not its
/// inputs, with the line to add to run.toml. `missing` lists the paths that it did not find, as absolute
/// paths inside its sandbox.
#[must_use]
pub fn looked_for(missing: &[PathBuf], suspect: &Suspect<'_>) -> Vec<String> {
    all_advice(&undeclared(missing, suspect.project), suspect)
}

/// Returns the paths that exist in the project, among those that an action did not find.
fn undeclared(missing: &[PathBuf], project: &Path) -> BTreeSet<ProjectPath> {
    let found = missing.iter().filter_map(|path| {
        let below = path.strip_prefix("/src").ok()?.to_str()?;
        ProjectPath::root().resolve(below).ok()
    });
    let exists = |path: &ProjectPath| !path.is_root() && path.on_disk(project).exists();
    let mut found: BTreeSet<ProjectPath> =
        found.filter(|path| !is_never_an_input(path) && exists(path)).collect();
    // Looking for a folder on the way to a file in it says nothing more than looking for that file.
    let all = found.clone();
    found.retain(|path| !all.iter().any(|other| other != path && other.is_in(path)));
    found
}

/// Returns whether a path belongs to what version control, builds and tools keep in a project.
fn is_never_an_input(path: &ProjectPath) -> bool {
    path.parts().any(|part| [".git", ".run"].contains(&part) || NEVER_SOURCES.contains(&part))
}

/// Returns a hint for each of the first three files of the host that an action looked for. Folders in which
/// every program looks while it starts are left out.
fn on_this_machine(missing: &[PathBuf]) -> Vec<String> {
    const USUAL: [&str; 11] = [
        "/bin", "/dev", "/etc", "/lib", "/lib64", "/out", "/proc", "/sbin", "/src", "/sys", "/usr",
    ];
    let is_usual = |path: &Path| USUAL.iter().any(|usual| path.starts_with(usual));
    let files = missing.iter().filter(|path| !is_usual(path) && path.is_file()).take(3);
    files
        .map(|path| {
            format!(
                "`{}` is a file of this machine, which actions don't see: put a copy of it into the project, name it \
                 in `inputs` of the component, and let what looks for it look there",
                path.display()
            )
        })
        .collect()
}

/// Returns advice for all paths. Paths that should become inputs share one piece of advice.
fn all_advice(paths: &BTreeSet<ProjectPath>, suspect: &Suspect<'_>) -> Vec<String> {
    let mut all = Vec::new();
    let mut undeclared = Vec::new();
    for path in paths {
        match other_advice(path, suspect) {
            Some(advice) => all.push(advice),
            None => undeclared.push(path),
        }
    }
    all.dedup();
    all.extend(inputs_to_add(&undeclared, suspect));
    all
}

/// Returns the advice for a path that should not become an input: WIT, or a symlink out of the project.
fn other_advice(path: &ProjectPath, suspect: &Suspect<'_>) -> Option<String> {
    if let Some(wit) = forgotten_wit(path, suspect) {
        return Some(format!(
            "`{wit}` holds WIT, but component `{}` has none, so its actions don't see it: add `wit = \"{wit}\"` to the \
             component at run.toml:{}",
            suspect.component, suspect.line
        ));
    }
    let on_disk = path.on_disk(suspect.project);
    if is_inside(&on_disk, suspect.project) {
        return None;
    }
    let target = on_disk.canonicalize().unwrap_or(on_disk);
    Some(format!(
        "`{path}` leads by a symlink to `{}`, outside of the project, where no build looks: put a copy of \
         it into the project",
        target.display()
    ))
}

/// Returns the advice to declare these paths as inputs. It is one list for all of them, because a component
/// can have only one `inputs`.
fn inputs_to_add(paths: &[&ProjectPath], suspect: &Suspect<'_>) -> Option<String> {
    let glob = |path: &&ProjectPath| match path.on_disk(suspect.project).is_dir() {
        true => format!("\"{path}/**\""),
        false => format!("\"{path}\""),
    };
    let globs = paths.iter().map(glob).collect::<Vec<_>>().join(", ");
    let Suspect { component, line, .. } = suspect;
    let (are, them) = match paths {
        [] => return None,
        [_] => (format!("is in the project but is not an input of component `{component}`"), "it"),
        _ => (format!("are in the project but are no inputs of component `{component}`"), "them"),
    };
    let add = match suspect.has_inputs {
        true => format!("add `{globs}` to `inputs` of the component at run.toml:{line}"),
        false => format!("add `inputs = [{globs}]` to the component at run.toml:{line}"),
    };
    let names = suggest::all_of(paths.iter().map(|path| path.as_str()));
    Some(format!("{names} {are}, so its actions don't see {them}: {add}"))
}

/// Returns the outermost WIT file or folder at or above a path, if the component has no `wit`.
fn forgotten_wit(path: &ProjectPath, suspect: &Suspect<'_>) -> Option<ProjectPath> {
    let holds_wit = |path: &ProjectPath| {
        let on_disk = path.on_disk(suspect.project);
        let entries = std::fs::read_dir(&on_disk).into_iter().flatten().flatten();
        let mut files = std::iter::once(on_disk).chain(entries.map(|entry| entry.path()));
        files.any(|file| file.extension().is_some_and(|ending| ending == "wit") && file.is_file())
    };
    let above = std::iter::once(path.clone()).chain(path.ancestors());
    // The outermost one is the package. What lies below it belongs to its `deps`.
    above.filter(|path| !suspect.has_wit && !path.is_root() && holds_wit(path)).last()
}

/// Returns hints that translate paths of the completed WIT folder in a tool's output into files of the
/// project. Some tools name the component's own WIT files by their path in the project, which needs no
/// translation. Others name them below a folder `/wit`.
fn wit_files(output: &str, origins: &Origins) -> Vec<String> {
    let mut found = Vec::new();
    for (path, origin) in origins.iter() {
        let place = match path.starts_with("deps/") {
            true => format!("/{path}"),
            false => format!("/wit/{path}"),
        };
        if origin.ends_with(&place) || origin == &place[1..] {
            continue;
        }
        if let Some((_, rest)) = output.split_once(&place) {
            let line: String = rest
                .strip_prefix(':')
                .unwrap_or_default()
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            let line = if line.is_empty() { line } else { format!(":{line}") };
            found.push(format!("in the project, `{}{line}` is {origin}{line}", &place[1..]));
        }
    }
    found
}

/// Returns the files of the project that the action's output says do not exist, although they do.
fn named(output: &str, cwd: &str, suspect: &Suspect<'_>) -> BTreeSet<ProjectPath> {
    output
        .lines()
        .filter(|line| says_missing(line) || line.contains(CANNOT_FIND))
        .flat_map(paths)
        .filter_map(|path| in_project(path, cwd))
        .filter(|path| !path.is_root() && path.on_disk(suspect.project).exists())
        .collect()
}

/// Returns the words of a line that may be paths, without the quotes and punctuation around them.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let separator = |c: char| c.is_whitespace() || "`'\"()[]<>,;".contains(c);
    let words = line.split(separator).map(|word| word.trim_end_matches([':', '.']));
    words.filter(|word| word.contains(['/', '.']) && word.len() > 1)
}

/// Returns the project path that `path` means to an action whose working directory is `cwd`.
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

    fn suspect(has_wit: bool, project: &Path) -> Suspect<'_> {
        static NONE: std::sync::LazyLock<Origins> = std::sync::LazyLock::new(Origins::default);
        Suspect { component: "api", line: 7, has_wit, wit: &NONE, has_inputs: false, project }
    }

    #[test]
    fn a_missed_file_of_the_project_is_named_with_the_line_to_add() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("api/data")).unwrap();
        std::fs::write(dir.path().join("api/data/words.txt"), "").unwrap();
        let suspect = suspect(true, dir.path());
        let check = |stderr: &str, cwd: &str, expect: &[&str]| {
            let got = hints(&failure(stderr, cwd), Some(&suspect), None);
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
    fn files_of_the_completed_wit_are_named_as_the_project_has_them() {
        let file = |path: &str, origin: &str| crate::wit::WitFile {
            path: path.to_owned(),
            text: "".into(),
            origin: origin.to_owned(),
        };
        let origins = Origins::of(&[
            file("w.wit", "api/wit/w.wit"),
            file("x.wit", "api/x.wit"),
            file("deps/acme-x/x.wit", "shared/x.wit"),
            file("deps/acme-y/y.wit", "api/wit/deps/acme-y/y.wit"),
            file("deps/wasi-io-0.2.4/package.wit", "wasi:io@0.2.4 (built in)"),
        ]);
        let check = |text: &str, expect: &[&str]| {
            assert_eq!(wit_files(text, &origins), expect, "{text}");
        };
        check(
            "  --> /wit/deps/acme-x/x.wit:3:17",
            &["in the project, `deps/acme-x/x.wit:3` is shared/x.wit:3"],
        );
        check(
            "/src/api/wit/deps/acme-x/x.wit is bad",
            &["in the project, `deps/acme-x/x.wit` is shared/x.wit"],
        );
        check("/wit/w.wit:1:1 /wit/deps/acme-y/y.wit:1:1", &[]);
        check("/wit/x.wit:2:1", &["in the project, `wit/x.wit:2` is api/x.wit:2"]);
        let built_in =
            "in the project, `deps/wasi-io-0.2.4/package.wit:1` is wasi:io@0.2.4 (built in):1";
        check("/wit/deps/wasi-io-0.2.4/package.wit:1:2", &[built_in]);
    }

    /// TOML would refuse a second `inputs` in one component.
    #[test]
    fn what_is_missed_is_one_list_and_joins_the_one_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a.txt", "b.txt"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let missing: Vec<PathBuf> = ["/src/b.txt", "/src/a.txt"].map(PathBuf::from).to_vec();
        let told = |suspect: &Suspect<'_>| looked_for(&missing, suspect);
        let none = suspect(true, dir.path());
        let several = "`a.txt` and `b.txt` are in the project but are no inputs of component `api`, so its actions \
                       don't see them: ";
        assert_eq!(
            told(&none),
            [format!(
                "{several}add `inputs = [\"a.txt\", \"b.txt\"]` to the component at run.toml:7"
            )]
        );
        let some = Suspect { has_inputs: true, ..none };
        assert_eq!(
            told(&some),
            [format!(
                "{several}add `\"a.txt\", \"b.txt\"` to `inputs` of the component at run.toml:7"
            )]
        );
    }

    #[test]
    fn forgotten_wit_is_named_as_wit() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("api/wit/deps/other")).unwrap();
        for file in ["api/wit/api.wit", "api/wit/deps/other/other.wit", "api/readme.md"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let suspect = suspect(false, dir.path());
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
        let suspect = suspect(true, dir.path());
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
        let got = hints(&failed("called unwrap on NotFound (os error 2)"), Some(&suspect), None);
        assert!(got[0].starts_with(&format!("`{}` is a file", secret.display())), "{got:?}");
        let words = got.last().unwrap();
        assert!(words.contains("add `inputs = [\"api/data/words.txt\"]`"), "{words}");
        assert_eq!(hints(&failed("mismatched types"), Some(&suspect), None), Vec::<String>::new());
    }

    #[test]
    fn what_a_link_hides_outside_of_the_project_is_not_advised_as_an_input() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("project");
        std::fs::create_dir_all(&project).unwrap();
        std::fs::write(dir.path().join("words.h"), "").unwrap();
        std::os::unix::fs::symlink("../words.h", project.join("words.h")).unwrap();
        let suspect = suspect(true, &project);
        let hints =
            hints(&failure("words.h: No such file or directory", "/src"), Some(&suspect), None);
        assert!(hints[0].starts_with("`words.h` leads by a symlink to `/"), "{hints:?}");
        assert!(hints[0].contains("/words.h`, outside of the project"), "{hints:?}");
    }

    #[test]
    fn what_is_missing_offline_may_be_fetched() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Said(&'static str);
        for (said, is_offline) in [
            ("package `a` is not on this machine, and this build is offline", true),
            ("cannot fetch a: the network is switched off", true),
            ("cannot fetch a", false),
        ] {
            let kind = FailureKind::Builtin(engine::Report::of(&Said(said)));
            let got = hints(&Failure { kind, ..failure("", "/src") }, None, None);
            let offline = got.iter().any(|hint| hint.starts_with("run it once without --offline"));
            assert_eq!(offline, is_offline, "{said}: {got:?}");
        }
    }

    #[test]
    fn broken_rules_are_named() {
        let check = |stderr: &str, expect: &str| {
            let got = hints(&failure(stderr, "/src"), None, None);
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
