//! Shows the progress of a build. On a terminal there is a live line for the whole build and one for each
//! running action, and elsewhere there are plain lines.
//!
//! This file keeps which actions run, and the library indicatif draws the lines.

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    /// Tells how many bytes came from the shared cache, and how many went there.
    traffic: Option<Traffic>,
    begin: Instant,
    /// The time of the last JSON object about transfers, and the bytes that it told of.
    told: Mutex<(Duration, u64, u64)>,
}

/// Returns the bytes that came from the shared cache, and those that went there.
pub(crate) type Traffic = Arc<dyn Fn() -> (u64, u64) + Send + Sync>;

/// The subject of a live line. The whole build comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Build,
    Action(Label),
    Uploads,
}

impl Progress {
    /// Makes a progress that is shown in the way of the printer.
    pub(crate) fn new(printer: Printer, traffic: Option<Traffic>) -> Self {
        let target =
            if printer.live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let lines = MultiProgress::with_draw_target(target);
        let overall = Arc::new(Mutex::new(Overall::new("actions")));
        Self {
            printer,
            lines,
            overall,
            running: Bars::new(),
            traffic,
            begin: Instant::now(),
            told: Mutex::default(),
        }
    }

    /// Removes all live lines from the screen.
    pub(crate) fn clear(&self) {
        self.running.lock().clear();
        // A terminal that is gone has nothing to clear.
        let _ = self.lines.clear();
    }

    /// Prints above the live lines.
    pub(crate) fn print(&self, text: &str) {
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

    fn started(&self, label: Label, cluster: Option<&str>) {
        if self.printer.verbosity < 0 {
            return;
        }
        if !self.printer.live {
            let place = cluster.map(|cluster| format!(" on {cluster}")).unwrap_or_default();
            return self.print_line(Style::Good, "Running", &format!("{label}{place}"));
        }
        self.overall().started(label.clone());
        let prefix = label.to_string();
        self.line(Line::Action(label), prefix);
    }

    /// Returns the live line of this subject. The one of the whole build stands above it.
    fn line(&self, line: Line, prefix: String) -> ProgressBar {
        let traffic = self.traffic.clone();
        self.running.get_or_make(Line::Build, || overall(&self.lines, &self.overall, traffic));
        self.running.get_or_make(line, || {
            let bar = self.lines.add(ProgressBar::new_spinner());
            bar.set_style(spinner());
            bar.set_prefix(prefix);
            bar
        })
    }

    fn fetching(&self, label: Label) {
        if self.printer.verbosity < 0 {
            return;
        }
        if !self.printer.live {
            return self.print_line(Style::Good, "Fetching", &label.to_string());
        }
        let prefix = label.to_string();
        self.line(Line::Action(label), prefix).set_message("from the shared cache");
    }

    fn fetched(&self, label: &Label) {
        if let Some(bar) = self.running.lock().remove(&Line::Action(label.clone())) {
            bar.finish_and_clear();
        }
    }

    fn uploading(&self, left: usize) {
        if self.printer.live {
            let bar = self.line(Line::Uploads, "Uploading".to_owned());
            bar.set_message(format!("{left} results to the shared cache"));
        }
    }

    /// Prints for programs what went to and came from the shared cache: at most once in a second, and at the end.
    fn tell_transfers(&self, is_last: bool) {
        let Some(traffic) = self.traffic.as_ref().filter(|_| self.printer.json) else { return };
        let (down, up) = traffic();
        let elapsed = self.begin.elapsed();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = is_last || elapsed.saturating_sub(told.0) >= Duration::from_secs(1);
        if is_due && (down, up) != (told.1, told.2) {
            let mut overall = self.overall();
            overall.transfers().note(down, up, elapsed);
            *told = (elapsed, down, up);
            json::emit(&json::transfers(down, up, overall.transfers().speed()));
        }
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
        self.tell_transfers(matches!(event, Event::BuildFinished(_)));
        match event {
            Event::Started { label, cluster } => self.started(label, cluster.as_deref()),
            Event::Progress { label, progress } => self.progressed(&label, &progress),
            Event::Finished { label, finish, messages } => {
                self.finished(&label, &finish, &messages);
            }
            Event::Fetching { label } => self.fetching(label),
            Event::Fetched { label, .. } => self.fetched(&label),
            Event::Uploading { left } => self.uploading(left),
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
pub(super) fn overall<K>(
    lines: &MultiProgress,
    figures: &Arc<Mutex<Overall<K>>>,
    traffic: Option<Traffic>,
) -> ProgressBar
where
    K: Ord + Clone + Send + 'static,
{
    /// The columns that the line can't use: the spinner, a space, and one that keeps terminals from wrapping
    /// the line.
    const TAKEN: usize = 3;
    let figures = Arc::clone(figures);
    let line = move |state: &ProgressState, to: &mut dyn std::fmt::Write| {
        let columns = usize::from(console::Term::stderr().size().1);
        let mut figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((down, up)) = traffic.as_ref().map(|traffic| traffic()) {
            figures.transfers().note(down, up, state.elapsed());
        }
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
