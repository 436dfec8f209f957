//! Checks in full what is said about invalid files. The texts are in `cases/`.
//!
//! A case is a title (`==`), an input and the rendered findings (`--`). The input is a whole file
//! (`run.toml`), the `[project]` section with these keys in it (`project`), or something else that is put
//! before a valid project (`fragment`).

use super::parse;

/// The keys of a valid project. They are added to the keys of a case, except those that the case has itself,
/// so that nothing else is wrong.
const PROJECT: [(&str, &str); 2] =
    [("name", "name = \"p\"\n"), ("version", "version = \"1.0.0\"\n")];
const COMPONENT: &str = "\n[[component]]\nname = \"last\"\nsource = \"last.rs\"\n";

pub(super) struct Case<'t> {
    pub(super) title: &'t str,
    pub(super) text: String,
    findings: &'t str,
}

/// Splits a file into its cases.
pub(super) fn cases(file: &str) -> impl Iterator<Item = Case<'_>> {
    file.strip_prefix("== ").expect("starts with a case").split("\n== ").map(|case| {
        let (title, rest) = case.split_once("\n-- ").expect("has an input");
        let (input, findings) = rest.split_once("\n-- findings").expect("has findings");
        let (kind, input) = input.split_once('\n').unwrap_or((input, ""));
        let input = if input.is_empty() { String::new() } else { format!("{input}\n") };
        let text = match kind {
            "run.toml" => input,
            "project" => {
                let rest = PROJECT.iter().filter(|(key, _)| !input.starts_with(key));
                let rest: String = rest.map(|(_, line)| *line).collect();
                format!("[project]\n{input}{rest}{COMPONENT}")
            }
            "fragment" => {
                let project: String = PROJECT.iter().map(|(_, line)| *line).collect();
                format!("{input}{COMPONENT}\n[project]\n{project}")
            }
            other => panic!("unknown kind of input `{other}` in `{title}`"),
        };
        Case { title, text, findings: findings.trim() }
    })
}

#[track_caller]
fn check(file: &str, count: usize) {
    let mut wrong = String::new();
    let mut seen = 0;
    for case in cases(file) {
        seen += 1;
        let (manifest, findings) = parse(&case.text);
        assert_eq!(manifest.is_some(), findings.errors() == 0, "{}", case.title);
        let rendered = findings.to_string();
        if rendered != case.findings {
            wrong += &format!("== {}\n{rendered}\n-- expected\n{}\n", case.title, case.findings);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(seen, count, "the number of cases changed");
}

#[test]
fn cache() {
    check(include_str!("cases/cache.txt"), 7);
}

#[test]
fn execution() {
    check(include_str!("cases/execution.txt"), 1);
}

#[test]
fn project() {
    check(include_str!("cases/project.txt"), 26);
}

#[test]
fn component() {
    check(include_str!("cases/component.txt"), 67);
}

#[test]
fn test() {
    check(include_str!("cases/test.txt"), 13);
}

#[test]
fn dependencies() {
    check(include_str!("cases/dependencies.txt"), 22);
}

#[test]
fn settings() {
    check(include_str!("cases/settings.txt"), 43);
}

#[test]
fn sections() {
    check(include_str!("cases/sections.txt"), 8);
}

#[test]
fn syntax() {
    check(include_str!("cases/syntax.txt"), 24);
}

#[test]
fn no_case_shows_a_secret() {
    let files = [
        include_str!("cases/project.txt"),
        include_str!("cases/dependencies.txt"),
        include_str!("cases/settings.txt"),
        include_str!("cases/syntax.txt"),
    ];
    for case in files.into_iter().flat_map(cases) {
        let (manifest, findings) = parse(&case.text);
        let shown = format!("{}{}{findings:?}{manifest:?}", findings.render(true), findings);
        for secret in ["s3cret", "t0ken", "hunter2", "1234567", "token123"] {
            assert!(!shown.contains(secret), "`{}` shows {secret}", case.title);
        }
    }
}
