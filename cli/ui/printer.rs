//! Lines for people: status, warnings, errors.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use super::{mask, stdout};
use crate::command_error::{CommandError, Kind};

/// How to print, as flags, environment and terminal have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    /// Whether to colour.
    pub(crate) color: bool,
    /// Whether standard error is a terminal on which lines may move.
    pub(crate) live: bool,
    /// Whether results go to standard output as JSON.
    pub(crate) json: bool,
    /// -1 quiet, 0 normal, 1 each action, 2 each command line.
    pub(crate) verbosity: i8,
}

/// The colours in use (SGR codes).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    Good,
    Bad,
    Warn,
    Note,
}

impl Printer {
    /// Before anything is known: no colour, no movement.
    pub(crate) const fn plain() -> Self {
        Self { color: false, live: false, json: false, verbosity: 0 }
    }

    /// `text` in a style, if colours are on.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Good => "1;32",
            Style::Bad => "1;31",
            Style::Warn => "1;33",
            Style::Note => "1;36",
        };
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A status line with a right-aligned verb, as cargo prints them.
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

    /// Prints a status line of something that went wrong, unless quiet.
    pub(crate) fn bad_status(&self, verb: &str, text: &str) {
        if self.verbosity >= 0 {
            self.line(&self.status_line(Style::Bad, verb, text));
        }
    }

    /// Prints a warning.
    pub(crate) fn warning(&self, text: &str) {
        self.line(&format!("{} {text}", self.styled(Style::Warn, "warning:")));
    }

    /// The output of a tool as it may be printed: with its colours if colours are on, and without secrets.
    pub(crate) fn output(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let plain = engine::plain(&text);
        let masked = mask::output(&plain);
        if self.color {
            let coloured = mask::output(&engine::coloured(&text)).into_owned();
            // A colour that begins inside of a secret must not keep it from being found.
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

    /// Prints on standard output what a shell or another program reads, to which every character matters.
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

    fn error_text(&self, error: &CommandError) -> String {
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

/// A length of time with the unit that fits it.
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
