//! Formats the report on a failed action, with everything that a user needs to understand and repeat the
//! failure.

use std::fmt::Write as _;

use engine::{CommandReport, Failure, KeptSandbox};
use sandbox::Spec;

use super::printer::{Printer, Style};
use crate::arguments::line_to_enter_sandbox;
use crate::config;

/// Returns the whole report on one failure.
///
/// `component` is the component of the action, unless several components share the action.
pub(crate) fn failure(
    printer: &Printer,
    failure: &Failure,
    component: Option<&str>,
    hints: &[String],
) -> String {
    let mut text = String::new();
    let error = printer.styled(Style::Bad, "error:");
    let _ = writeln!(text, "{error} {} {}", failure.label, failure.kind);
    let said = output(printer, failure);
    text.push_str(&said);
    let note = printer.styled(Style::Note, "hint:");
    for hint in hints {
        let _ = writeln!(text, "{note} {hint}");
    }
    let only = component.map_or_else(String::new, |name| format!(" {name}"));
    match &failure.kept {
        Some(kept) => {
            let _ = writeln!(text, "{note} its sandbox is kept in {}", kept.folder.display());
            let _ = writeln!(text, "{note} run it again with: {}", line(kept, &kept.spec));
            if let Some(shell) = kept.shell {
                let spec = Spec { argv: vec![shell.into()], ..kept.spec.clone() };
                let _ = writeln!(text, "{note} enter it with: {}", line(kept, &spec));
            }
        }
        None if failure.command.is_some() => {
            let _ =
                writeln!(text, "{note} to look into its sandbox: run build{only} --sandbox-debug");
        }
        None => {}
    }
    // A tool's message says what is wrong, so most users need not see the command. Without a message, the
    // command is all that can be shown.
    match &failure.command {
        Some(shown) if said.is_empty() || printer.verbosity >= 1 => {
            command(&mut text, shown, printer.verbosity >= 1);
        }
        Some(_) => {
            let _ = writeln!(text, "{note} to see its command: run build{only} -v");
        }
        None => {}
    }
    text
}

/// Returns the line that runs a command in a kept sandbox.
fn line(kept: &KeptSandbox, spec: &Spec) -> String {
    line_to_enter_sandbox(&config::this_program(), kept.isolation, spec)
}

/// Returns the output of the tool as it is. If the tool wrote to both streams, a heading separates them.
fn output(printer: &Printer, failure: &Failure) -> String {
    let [stdout, stderr] =
        [&failure.stdout, &failure.stderr].map(|bytes| printer.output(bytes).trim_end().to_owned());
    let mut text = match (stdout.is_empty(), stderr.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!("{stderr}\n"),
        (false, true) => format!("{stdout}\n"),
        (false, false) => format!("{stderr}\n-- standard output:\n{stdout}\n"),
    };
    if failure.truncated {
        text.push_str("(the middle of its output was left out)\n");
    }
    text
}

fn command(text: &mut String, command: &CommandReport, with_env: bool) {
    let _ = writeln!(text, "  command: {}", command.shell());
    let _ = writeln!(text, "  in:      {}", command.cwd);
    for (name, value) in command.env.iter().filter(|_| with_env) {
        let _ = writeln!(text, "  env:     {name}={value}");
    }
}

#[cfg(test)]
mod tests {
    use engine::{FailureKind, Label};

    use super::*;

    fn failed(stdout: &str, stderr: &str) -> Failure {
        let command = CommandReport {
            argv: ["cc", "-c", "a.c"].map(ToOwned::to_owned).to_vec(),
            env: [("PATH".to_owned(), "/usr/bin".to_owned())].into(),
            cwd: "/src".to_owned(),
        };
        Failure {
            label: Label::new("app", "compile"),
            kind: FailureKind::Exited(1),
            command: Some(command),
            stdout: stdout.into(),
            stderr: stderr.into(),
            truncated: false,
            missing: Vec::new(),
            kept: None,
        }
    }

    #[track_caller]
    fn check(printer: Printer, failed: &Failure, expect: &[&str]) {
        let hints = ["declare it".to_owned()];
        let text = failure(&printer, failed, Some("app"), &hints);
        assert_eq!(text.lines().collect::<Vec<_>>(), expect);
    }

    const DEBUG: &str = "hint: to look into its sandbox: run build app --sandbox-debug";

    #[test]
    fn the_message_comes_first_and_the_command_is_for_those_who_ask() {
        let headline = "error: app:compile exited with status 1";
        let coloured = failed("", "\u{1b}[31ma.c:1\u{1b}[0m: wrong\n");
        let verbose = "hint: to see its command: run build app -v";
        let plain = Printer::plain();
        check(plain, &coloured, &[headline, "a.c:1: wrong", "hint: declare it", DEBUG, verbose]);
        let command = ["  command: cc -c a.c", "  in:      /src", "  env:     PATH=/usr/bin"];
        let [line, folder, env] = command;
        let told = [headline, "a.c:1: wrong", "hint: declare it", DEBUG, line, folder, env];
        check(Printer { verbosity: 1, ..plain }, &coloured, &told);
        // If a tool says nothing, its command is shown.
        let told = [headline, "hint: declare it", DEBUG, line, folder];
        check(plain, &failed("", "\n"), &told);
    }

    #[test]
    fn the_colours_of_a_tool_survive_on_a_terminal() {
        let red = "\u{1b}[31ma.c:1\u{1b}[0m: wrong";
        let color = Printer { color: true, ..Printer::plain() };
        let text = failure(&color, &failed("", red), None, &[]);
        assert!(text.contains(red), "{text:?}");
        let text = failure(&color, &failed("", "\u{1b}[2J\u{1b}]0;title\u{7}wrong"), None, &[]);
        assert!(text.contains("\nwrong\n") && !text.contains("title"), "{text:?}");
    }

    #[test]
    fn both_streams_are_told_apart() {
        let text = failure(&Printer::plain(), &failed("out\n", "err\n"), None, &[]);
        assert!(text.contains("\nerr\n-- standard output:\nout\n"), "{text}");
        let text = failure(&Printer::plain(), &failed("out\n", ""), None, &[]);
        assert!(text.contains("status 1\nout\nhint:"), "{text}");
    }
}
