//! A failed action, with all that a person needs to understand and repeat it.

use std::fmt::Write as _;

use engine::Failure;

use super::printer::{Printer, Style};

/// The whole report on one failure.
///
/// `component` is the one that the action belongs to, if it serves a single one.
pub(crate) fn failure(
    printer: &Printer,
    failure: &Failure,
    component: Option<&str>,
    hints: &[String],
) -> String {
    let mut text = String::new();
    let error = printer.styled(Style::Bad, "error:");
    let _ = writeln!(text, "{error} {} {}", failure.label, failure.kind);
    if let Some(command) = &failure.command {
        let _ = writeln!(text, "  command: {}", command.shell());
        let _ = writeln!(text, "  in:      {}", command.cwd);
        if printer.verbosity >= 1 {
            for (name, value) in &command.env {
                let _ = writeln!(text, "  env:     {name}={value}");
            }
        }
    }
    output(&mut text, "stdout", &failure.stdout);
    output(&mut text, "stderr", &failure.stderr);
    if failure.truncated {
        let _ = writeln!(text, "  (the middle of its output was left out)");
    }
    let note = printer.styled(Style::Note, "hint:");
    for hint in hints {
        let _ = writeln!(text, "{note} {hint}");
    }
    match &failure.kept {
        Some(kept) => {
            let _ = writeln!(text, "{note} its sandbox is kept in {}", kept.folder.display());
            let _ = writeln!(text, "{note} run it again with: {}", kept.again);
            if let Some(shell) = &kept.shell {
                let _ = writeln!(text, "{note} enter it with: {shell}");
            }
        }
        None if failure.command.is_some() => {
            let only = component.map_or_else(String::new, |name| format!(" -p {name}"));
            let _ =
                writeln!(text, "{note} to look into its sandbox: run build{only} --sandbox-debug");
        }
        None => {}
    }
    text
}

fn output(text: &mut String, stream: &str, bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    let shown = shown.trim_end();
    if !shown.is_empty() {
        let _ = writeln!(text, "  {stream}:");
        for line in shown.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
}
