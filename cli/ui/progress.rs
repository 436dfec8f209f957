//! The progress of a build: a live line per running action on a terminal, plain lines elsewhere.
//!
//! State apart from drawing: which actions run is kept here, how lines move is indicatif's.

use std::io::Write as _;

use engine::{Event, Events, Finish, Hit, Label, Messages, Progress as Step};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::bars::Bars;
use super::printer::{Printer, Style, duration};
use super::{json, mask};

/// Shows the events of a build.
pub(crate) struct Progress {
    printer: Printer,
    lines: MultiProgress,
    running: Bars<Label>,
}

impl Progress {
    /// Progress as the printer wants it shown.
    pub(crate) fn new(printer: Printer) -> Self {
        let target =
            if printer.live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let lines = MultiProgress::with_draw_target(target);
        Self { printer, lines, running: Bars::new() }
    }

    /// Takes all live lines off the screen.
    pub(crate) fn clear(&self) {
        self.running.lock().clear();
        // A terminal that is gone has nothing to clear.
        let _ = self.lines.clear();
    }

    /// Prints above the live lines.
    fn print(&self, text: &[u8]) {
        self.lines.suspend(|| {
            let _ = std::io::stderr().lock().write_all(&mask::output(text));
        });
    }

    fn print_line(&self, style: Style, verb: &str, text: &str) {
        self.print(format!("{}\n", self.printer.status_line(style, verb, text)).as_bytes());
    }

    fn started(&self, label: Label) {
        if self.printer.verbosity < 0 {
            return;
        }
        if !self.printer.live {
            return self.print_line(Style::Good, "Running", &label.to_string());
        }
        let prefix = label.to_string();
        self.running.get_or_make(label, || {
            let bar = self.lines.add(ProgressBar::new_spinner());
            bar.set_style(spinner());
            bar.set_prefix(prefix);
            bar
        });
    }

    fn progressed(&self, label: &Label, step: &Step) {
        let bars = self.running.lock();
        let Some(bar) = bars.get(label) else { return };
        match step {
            Step::Text(text) => bar.set_message(mask::text(text)),
            Step::Bytes { done, total } => {
                if let Some(total) = total
                    && bar.length() != Some(*total)
                {
                    bar.set_style(bytes());
                    bar.set_length(*total);
                }
                bar.set_position(*done);
            }
        }
    }

    fn finished(&self, label: &Label, finish: &Finish, messages: &Messages) {
        if let Some(bar) = self.running.lock().remove(label) {
            bar.finish_and_clear();
        }
        // Tools warn on standard error; on standard output they chat.
        if self.printer.verbosity >= 1 {
            self.print(&messages.stdout);
        }
        if self.printer.verbosity >= 0 {
            self.print(&messages.stderr);
        }
        if self.printer.verbosity < 1 {
            return;
        }
        match finish {
            Finish::Hit(hit) => {
                self.print_line(Style::Note, "Hit", &format!("{label} ({})", where_found(*hit)));
            }
            Finish::Ran(usage) => self.print_line(
                Style::Good,
                "Ran",
                &format!(
                    "{label} in {} (processor {}, memory {} MiB)",
                    duration(usage.wall),
                    duration(usage.cpu),
                    usage.max_rss >> 20
                ),
            ),
            Finish::Failed(_) => self.print_line(Style::Bad, "Failed", &label.to_string()),
            Finish::Skipped { because } => {
                self.print_line(Style::Warn, "Skipped", &format!("{label}: it needs {because}"));
            }
            Finish::Cancelled => self.print_line(Style::Warn, "Stopped", &label.to_string()),
        }
    }
}

impl Events for Progress {
    fn event(&self, event: Event) {
        if self.printer.json {
            json::emit(&json::event(&event));
        }
        match event {
            Event::Started { label } => self.started(label),
            Event::Progress { label, progress } => self.progressed(&label, &progress),
            Event::Finished { label, finish, messages } => {
                self.finished(&label, &finish, &messages);
            }
            Event::BuildFinished(_) => self.clear(),
            Event::BuildStarted { .. } | Event::MoreActions { .. } => {}
        }
    }
}

fn where_found(hit: Hit) -> &'static str {
    match hit {
        Hit::State => "unchanged since the last build",
        Hit::Local => "local cache",
        Hit::Pinned => "pinned",
    }
}

/// A line without a known length.
pub(super) fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner:.green} {prefix:.bold} {elapsed} {wide_msg}")
        .expect("the template is well formed")
}

/// A line that fills up with bytes.
pub(super) fn bytes() -> ProgressStyle {
    ProgressStyle::with_template(
        "{spinner:.green} {prefix:.bold} {bytes}/{total_bytes} [{bar:24}] {eta} {wide_msg}",
    )
    .expect("the template is well formed")
    .progress_chars("=> ")
}
