//! Prints lines for people: status, warnings, errors.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use super::{mask, stdout};
use crate::command_error::{CommandError, Kind};

/// The way in which to print, as flags, environment and terminal decide it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    /// True if text is coloured.
    pub(crate) color: bool,
    /// True if standard error is a terminal on which live lines may be drawn.
    pub(crate) live: bool,
    /// True if results are printed as JSON.
    pub(crate) json: bool,
    /// The amount of what is printed: -1 is only errors, 0 is normal, and 1 or more is also each action.
    pub(crate) verbosity: i8,
}

/// The colours in use (SGR codes).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    Good,
    Bad,
    Warn,
    Note,
    /// One of the colours that tell components apart.
    Name(u8),
}

/// The colours that tell components apart. None of them is that of an error.
const NAMES: [&str; 6] = ["36", "35", "34", "32", "33", "96"];

impl Printer {
    /// Returns the printer to use before the flags are known: without colour and without live lines.
    pub(crate) const fn plain() -> Self {
        Self { color: false, live: false, json: false, verbosity: 0 }
    }

    /// Returns `text` in a style if colours are on.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Good => "1;32",
            Style::Bad => "1;31",
            Style::Warn => "1;33",
            Style::Note => "1;36",
            Style::Name(number) => NAMES[usize::from(number) % NAMES.len()],
        };
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Returns a status line with a right-aligned verb, as cargo prints them.
    pub(crate) fn status_line(&self, style: Style, verb: &str, text: &str) -> String {
        // Pad before colouring: escape codes have no width.
        format!("{} {text}", self.styled(style, &format!("{verb:>12}")))
    }

    /// Prints a status line, unless quiet.
    pub(crate) fn status(&self, verb: &str, text: &str) {
        if self.verbosity >= 0 {
            self.line(&self.status_line(Style::Good, verb, text));
        }
    }

    /// Prints a status line about something that went wrong, unless quiet.
    pub(crate) fn bad_status(&self, verb: &str, text: &str) {
        if self.verbosity >= 0 {
            self.line(&self.status_line(Style::Bad, verb, text));
        }
    }

    /// Prints a warning.
    pub(crate) fn warning(&self, text: &str) {
        self.line(&format!("{} {text}", self.styled(Style::Warn, "warning:")));
    }

    /// Returns the output of a tool without secrets, and with its colours only if colours are on.
    pub(crate) fn output(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let plain = engine::plain(&text);
        let masked = mask::output(&plain);
        if self.color {
            let coloured = mask::output(&engine::coloured(&text)).into_owned();
            // A colour that begins inside a secret would keep the secret from being found. Then the plain
            // text is used.
            if engine::plain(&coloured) == masked {
                return coloured;
            }
        }
        masked.into_owned()
    }

    /// Prints a line on standard error.
    pub(crate) fn line(&self, text: &str) {
        // A closed standard error is not a reason to fail a build.
        let _ = writeln!(std::io::stderr().lock(), "{}", mask::text(text));
    }

    /// Prints results on standard output.
    pub(crate) fn result(&self, text: &str) {
        stdout::write(&mask::text(text));
    }

    /// Prints text on standard output for a shell or another program, for which every character matters.
    pub(crate) fn verbatim(&self, text: &str) {
        stdout::write(&mask::output(text));
    }

    /// Prints an error with its causes and hints; returns its exit code.
    pub(crate) fn error(&self, error: &CommandError) -> ExitCode {
        if !error.message.is_empty() {
            self.line(self.error_text(error).trim_end());
        }
        error.kind.exit_code()
    }

    /// Returns the lines about an error.
    pub(crate) fn error_text(&self, error: &CommandError) -> String {
        let mut text = String::new();
        let bug = if error.kind == Kind::Internal { " (internal)" } else { "" };
        let _ = writeln!(text, "{}{bug} {}", self.styled(Style::Bad, "error:"), error.message);
        for cause in &error.causes {
            let _ = writeln!(text, "{} {cause}", self.styled(Style::Bad, "caused by:"));
        }
        for hint in &error.hints {
            let _ = writeln!(text, "{} {hint}", self.styled(Style::Note, "hint:"));
        }
        text
    }
}

/// Formats a length of time with a suitable unit.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_message_causes_hints() {
        let error = CommandError::usage("no such component `apo`").hint("did you mean `api`?");
        assert_eq!(
            Printer::plain().error_text(&error),
            "error: no such component `apo`\nhint: did you mean `api`?\n"
        );
    }

    #[test]
    fn colour_does_not_shift_columns() {
        let plain = Printer::plain();
        let colour = Printer { color: true, ..plain };
        assert_eq!(plain.status_line(Style::Good, "Running", "x"), "     Running x");
        assert_eq!(
            colour.status_line(Style::Good, "Running", "x"),
            "\x1b[1;32m     Running\x1b[0m x"
        );
    }

    #[test]
    fn durations_have_fitting_units() {
        let check = |ms, expect: &str| assert_eq!(duration(Duration::from_millis(ms)), expect);
        check(8, "8 ms");
        check(1_340, "1.3 s");
        check(125_000, "2 min 5 s");
    }
}
