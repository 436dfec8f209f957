//! Translates the places in the output of `go list`. The go command gives the paths of files relative to the
//! folder that it runs in, which is that of the component's main package.

use std::collections::BTreeSet;

use engine::CommandReport;

use crate::lang::rule::ToolOutput;
use crate::path::ProjectPath;

/// Corrects the paths in `output`, and returns a hint with the places in the project that it names.
pub(super) fn hint(output: &mut ToolOutput<'_>) -> Option<String> {
    let folder = folder(output.command?)?;
    let mut places = BTreeSet::new();
    let lines = output.text.split_inclusive('\n').map(|line| match translated(line, &folder) {
        Some((place, rest)) => {
            let line = format!("{place}{rest}");
            places.insert(place);
            line
        }
        None => line.to_owned(),
    });
    output.text = lines.collect();
    let places: Vec<String> = places.into_iter().collect();
    match places.as_slice() {
        [] => None,
        [place] => Some(format!("in the project this is {place}")),
        _ => Some(format!("in the project these are {}", places.join(", "))),
    }
}

/// Returns the folder in which `go list` was called, unless that is the project's own.
fn folder(command: &CommandReport) -> Option<ProjectPath> {
    let is_list = command.argv.first().is_some_and(|program| program.ends_with("/bin/go"))
        && command.argv.get(1).is_some_and(|word| word == "list");
    let below = command.cwd.trim_start_matches('/').strip_prefix("src/").filter(|_| is_list)?;
    ProjectPath::parse(below).ok()
}

/// Returns the place at the start of a line (`FILE.go:1:2`; the column may be missing) as a place in the
/// project, and the rest of the line.
fn translated<'a>(line: &'a str, folder: &ProjectPath) -> Option<(String, &'a str)> {
    let end = line.find(".go:")? + ".go".len();
    let (file, rest) = line.split_at(end);
    if file.contains(char::is_whitespace) || file.starts_with('/') {
        return None;
    }
    let file = folder.resolve(file).ok()?;
    let numbers = rest.find(|c: char| c != ':' && !c.is_ascii_digit()).unwrap_or(rest.len());
    let (position, _) = rest.split_at(numbers);
    let position = position.trim_end_matches(':');
    if position.len() < 2 {
        return None;
    }
    Some((format!("{file}{position}"), &rest[position.len()..]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn told(text: &str, cwd: &str, argv: &[&str]) -> (Option<String>, String) {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        let command = CommandReport { argv, env: BTreeMap::new(), cwd: cwd.to_owned() };
        let mut output = ToolOutput::of(text, Some(&command));
        let hint = hint(&mut output);
        (hint, output.text)
    }

    const LIST: [&str; 2] = ["/usr/lib/go/bin/go", "list"];

    #[test]
    fn places_are_those_of_the_project() {
        let check = |text: &str, hint: Option<&str>, expect: &str| {
            let got = told(text, "src/a/sums", &LIST);
            assert_eq!(got, (hint.map(str::to_owned), expect.to_owned()));
        };
        check(
            "main.go:3:8: cannot find module providing package x\n",
            Some("in the project this is a/sums/main.go:3:8"),
            "a/sums/main.go:3:8: cannot find module providing package x\n",
        );
        check(
            "main.go:3:8: no\n../words/w.go:5: no\nmain.go:3:8: again",
            Some("in the project these are a/sums/main.go:3:8, a/words/w.go:5"),
            "a/sums/main.go:3:8: no\na/words/w.go:5: no\na/sums/main.go:3:8: again",
        );
        for other in ["go: updates to go.mod needed", "see main.go:3", "/x.go:1:2: y", "x.go: y"] {
            check(other, None, other);
        }
    }

    #[test]
    fn other_commands_and_folders_are_left_alone() {
        let text = "main.go:3:8: no";
        assert_eq!(told(text, "src", &LIST), (None, text.to_owned()));
        let compile = ["/usr/lib/go/pkg/tool/compile", "list"];
        assert_eq!(told(text, "src/sums", &compile), (None, text.to_owned()));
    }
}
