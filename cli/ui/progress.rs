//! Shows the progress of a build. On a terminal there is a live line for the whole build and one for each
//! running action, and elsewhere there are plain lines.
//!
//! This file keeps which actions run, and the library indicatif draws the lines.

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::{ActionEnd, Event, Events, Hit, Label, Messages, Progress as Step};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::bars::Bars;
use super::overall::Overall;
use super::printer::{Printer, Style, duration};
use super::{json, mask};

/// Shows the events of a build.
pub(crate) struct Progress {
    printer: Printer,
    lines: MultiProgress,
    overall: Arc<Mutex<Overall<Label>>>,
    running: Bars<Line>,
}

/// The subject of a live line. The whole build comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Build,
    Action(Label),
}

impl Progress {
    /// Makes a progress that is shown in the way of the printer.
    pub(crate) fn new(printer: Printer) -> Self {
        let target =
            if printer.live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let lines = MultiProgress::with_draw_target(target);
        let overall = Arc::new(Mutex::new(Overall::new("actions")));
        Self { printer, lines, overall, running: Bars::new() }
    }

    /// Removes all live lines from the screen.
    pub(crate) fn clear(&self) {
        self.running.lock().clear();
        // A terminal that is gone has nothing to clear.
        let _ = self.lines.clear();
    }

    /// Prints above the live lines.
    fn print(&self, text: &str) {
        self.lines.suspend(|| {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        });
    }

    /// Prints the output of a tool.
    fn print_output(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.print(&self.printer.output(bytes));
        }
    }

    fn overall(&self) -> MutexGuard<'_, Overall<Label>> {
        self.overall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print_line(&self, style: Style, verb: &str, text: &str) {
        let line = self.printer.status_line(style, verb, text);
        self.print(&format!("{}\n", mask::output(&line)));
    }

    fn started(&self, label: Label) {
        if self.printer.verbosity < 0 {
            return;
        }
        if !self.printer.live {
            return self.print_line(Style::Good, "Running", &label.to_string());
        }
        self.overall().started(label.clone());
        self.running.get_or_make(Line::Build, || overall(&self.lines, &self.overall));
        let prefix = label.to_string();
        self.running.get_or_make(Line::Action(label), || {
            let bar = self.lines.add(ProgressBar::new_spinner());
            bar.set_style(spinner());
            bar.set_prefix(prefix);
            bar
        });
    }

    fn progressed(&self, label: &Label, step: &Step) {
        if let Step::Bytes { done, .. } = step {
            self.overall().fetched(label, *done);
        }
        let bars = self.running.lock();
        let Some(bar) = bars.get(&Line::Action(label.clone())) else { return };
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

    fn finished(&self, label: &Label, finish: &ActionEnd, messages: &Messages) {
        self.overall().finished(label);
        if let Some(bar) = self.running.lock().remove(&Line::Action(label.clone())) {
            bar.finish_and_clear();
        }
        // Tools print warnings on standard error. What they print on standard output is less important.
        if self.printer.verbosity >= 1 {
            self.print_output(&messages.stdout);
        }
        if self.printer.verbosity >= 0 {
            self.print_output(&messages.stderr);
        }
        if self.printer.verbosity < 1 {
            return;
        }
        match finish {
            ActionEnd::Hit(hit) => {
                self.print_line(Style::Note, "Hit", &format!("{label} ({})", where_found(*hit)));
            }
            ActionEnd::Ran(usage) => self.print_line(
                Style::Good,
                "Ran",
                &format!(
                    "{label} in {} (processor {}, memory {} MiB)",
                    duration(usage.wall),
                    duration(usage.cpu),
                    usage.max_rss >> 20
                ),
            ),
            ActionEnd::Failed(_) => self.print_line(Style::Bad, "Failed", &label.to_string()),
            ActionEnd::Skipped { because } => {
                self.print_line(Style::Warn, "Skipped", &format!("{label}: it needs {because}"));
            }
            ActionEnd::Cancelled => self.print_line(Style::Warn, "Stopped", &label.to_string()),
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
            Event::BuildStarted { actions } | Event::MoreActions { actions } => {
                self.overall().expect(actions);
            }
        }
    }
}

fn where_found(hit: Hit) -> &'static str {
    match hit {
        Hit::State => "unchanged since the last build",
        Hit::Local => "local cache",
        Hit::Remote => "remote cache",
        Hit::Pinned => "pinned",
    }
}

/// Makes the line of the whole command, which stands above all others.
pub(super) fn overall<K>(lines: &MultiProgress, figures: &Arc<Mutex<Overall<K>>>) -> ProgressBar
where
    K: Ord + Clone + Send + 'static,
{
    /// The columns that the line can't use: the spinner, a space, and one that keeps terminals from wrapping
    /// the line.
    const TAKEN: usize = 3;
    let figures = Arc::clone(figures);
    let line = move |state: &ProgressState, to: &mut dyn std::fmt::Write| {
        let columns = usize::from(console::Term::stderr().size().1);
        let figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = to.write_str(&figures.line(state.elapsed(), columns.saturating_sub(TAKEN)));
    };
    let style = ProgressStyle::with_template("{spinner:.green} {overall}")
        .expect("the template is well formed")
        .with_key("overall", line);
    lines.insert(0, ProgressBar::new_spinner().with_style(style))
}

/// Returns the style of a line for work whose size is not known.
pub(super) fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner:.green} {prefix:.bold} {elapsed} {wide_msg}")
        .expect("the template is well formed")
}

/// Returns the style of a line that shows the number of bytes.
pub(super) fn bytes() -> ProgressStyle {
    ProgressStyle::with_template(
        "{spinner:.green} {prefix:.bold} {bytes}/{total_bytes} [{bar:24}] {eta} {wide_msg}",
    )
    .expect("the template is well formed")
    .progress_chars("=> ")
}
