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
            let only = component.map_or_else(String::new, |name| format!(" {name}"));
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
            let _ = writeln!(text, "    {}", plain(line));
        }
    }
}

/// A line without the control sequences (ECMA-48, section 5.4) of a tool that took us for a terminal.
fn plain(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c| ('@'..='~').contains(&c)).map_or(part.len(), |end| end + 1);
        plain.push_str(&part[end..]);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn colours_of_tools_are_dropped() {
        let check = |line: &str, expect: &str| assert_eq!(plain(line), expect);
        check("", "");
        check("a[0] = b[1]", "a[0] = b[1]");
        check("\u{1b}[96ma.ts\u{1b}[0m:\u{1b}[93m9\u{1b}[0m - \u{1b}[1;91merror", "a.ts:9 - error");
        check("cut off \u{1b}[9", "cut off ");
    }
}
