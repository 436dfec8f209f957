//! Tests the output of compilers on a terminal and elsewhere.

use crate::harness::Workspace;

/// A mistake in each language whose tools print colours: the language, the file, its content, and a part of
/// the message.
const MISTAKES: [(&str, &str, &str, &str); 5] = [
    ("rust", "src/main.rs", "fn main() { missing(); }\n", "cannot find function `missing`"),
    ("javascript", "src/app.js", "import './missing.js';\n", "Could not resolve \"./missing.js\""),
    (
        "zig",
        "src/main.zig",
        "pub fn main() void { missing(); }\n",
        "use of undeclared identifier 'missing'",
    ),
    ("c", "src/main.c", "int main(void) { return missing; }\n", "undeclared identifier 'missing'"),
    ("cpp", "src/main.cpp", "int main() { return missing; }\n", "undeclared identifier 'missing'"),
];

fn new(language: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.run(["new", "app", "--language", language]).ok();
    workspace
}

/// Removes the colours of a text.
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or("", |(_, text)| text))
}

/// Returns the lines from the error on, without the summary. The lines before it contain times.
fn complaint(stderr: &str) -> &str {
    let from = stderr.find("error: app:").or_else(|| stderr.find("error:\u{1b}[0m app:"));
    let complaint = &stderr[from.unwrap_or_else(|| panic!("{stderr}"))..];
    complaint.split("hint: to look into").next().unwrap()
}

#[test]
fn the_colours_of_every_compiler_survive_where_colours_are_wanted() {
    for (language, file, source, message) in MISTAKES {
        let workspace = new(language);
        workspace.write(&format!("app/{file}"), source);
        let build = |arguments: &[&str]| {
            let all = [&["-C", "app", "build", "-j1"], arguments].concat();
            workspace.run_all(&all).exits(1)
        };
        let coloured = build(&["--color", "always"]).stderr;
        let (_, said) = complaint(&coloured).split_once('\n').unwrap();
        let line = said.lines().find(|line| plain(line).contains(message));
        let line = line.unwrap_or_else(|| panic!("{language}: no {message:?} in\n{coloured}"));
        assert!(line.contains("\u{1b}["), "{language} says it without colour: {line:?}");
        // The same message has no colours in a file and for programs.
        let stripped = build(&[]);
        assert!(!stripped.stderr.contains('\u{1b}'), "{language}: {:?}", stripped.stderr);
        assert!(complaint(&stripped.stderr).contains(plain(line).trim()), "{}", stripped.stderr);
        let json = build(&["--color", "always", "--message-format", "json"]).stdout;
        assert!(
            json.contains("action_finished") && !json.contains("\\u001b"),
            "{language}: {json}"
        );
    }
}

#[test]
fn a_known_result_says_what_it_said_in_the_colours_of_who_asks() {
    let workspace = new("c");
    let unique = workspace.root().display();
    let source = format!("// {unique}\nint main(void) {{ int unused; return 0; }}\n");
    workspace.write("app/src/main.c", source);
    let build = |color: &str| workspace.run(["-C", "app", "build", "--color", color]).ok();
    let first = build("never");
    assert!(first.ran().contains(&"app:compile"), "{}", first.stderr);
    let warning = "unused variable 'unused'";
    assert!(first.stderr.contains(warning) && !first.stderr.contains('\u{1b}'), "{}", first.stderr);
    // The key does not depend on who watches, so nothing runs, but the colours are there.
    std::fs::remove_dir_all(workspace.path("app/.run")).unwrap();
    let second = build("always");
    assert!(!second.stderr.contains("Running"), "{}", second.stderr);
    let line = second.stderr.lines().find(|line| plain(line).contains(warning)).unwrap();
    assert!(line.contains("\u{1b}["), "{line:?}");
    let no_color = workspace.env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1");
    let third = no_color.run(["-C", "app", "build"]).ok();
    assert!(third.stderr.contains(warning) && !third.stderr.contains('\u{1b}'), "{}", third.stderr);
}

#[test]
fn a_terminal_shows_how_far_the_build_is() {
    let workspace = new("c").env("TERM", "xterm");
    let unique = workspace.root().display();
    workspace
        .write("app/src/main.c", format!("// {unique}\nint main(void) {{ return missing; }}\n"));
    // The program and its arguments follow the script.
    let script = "script -qefc \"stty cols 70; $0 $*\" /dev/null";
    let run = workspace.run_through(&["sh", "-c", script], &["-C", "app", "build"]).exits(1);
    let shown = plain(&run.stdout.replace("\u{1b}[2K", ""));
    let figures = shown.lines().find(|line| line.contains(" actions, 1 running, "));
    let figures = figures.unwrap_or_else(|| panic!("no figures in\n{shown}\n{}", run.stderr));
    assert!(figures.contains('[') && figures.contains("/"), "{figures:?}");
    // The compiler's message has its colours.
    let line = run.stdout.lines().find(|line| plain(line).contains("undeclared identifier"));
    assert!(line.unwrap().contains("\u{1b}["), "{}", run.stdout);
}
