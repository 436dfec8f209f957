//! The progress of fetching toolchains: a live line per package on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use rules::toolchain::{Event, Events};
use sandbox::Cancel;

use super::printer::{Printer, Style};
use super::progress::{TICK, bytes, spinner};

/// Shows the events of a sync.
pub(crate) struct SyncProgress {
    printer: Printer,
    lines: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
    cancel: Cancel,
}

impl SyncProgress {
    /// Progress as the printer wants it shown; `cancel` ends the sync.
    pub(crate) fn new(printer: Printer, cancel: Cancel) -> Self {
        let target =
            if printer.live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let lines = MultiProgress::with_draw_target(target);
        Self { printer, lines, bars: Mutex::new(BTreeMap::new()), cancel }
    }

    /// Takes all live lines off the screen.
    pub(crate) fn clear(&self) {
        self.bars().clear();
        // A terminal that is gone has nothing to clear.
        let _ = self.lines.clear();
    }

    fn bars(&self) -> MutexGuard<'_, BTreeMap<String, ProgressBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, style: Style, verb: &str, text: &str) {
        if self.printer.verbosity >= 0 {
            self.lines.suspend(|| self.printer.line(&self.printer.status_line(style, verb, text)));
        }
    }

    fn bar(&self, package: &str) -> ProgressBar {
        let mut bars = self.bars();
        if let Some(bar) = bars.get(package) {
            return bar.clone();
        }
        let bar = self.lines.add(ProgressBar::new_spinner().with_style(spinner()));
        bar.set_prefix(package.to_owned());
        bar.enable_steady_tick(TICK);
        bars.insert(package.to_owned(), bar.clone());
        bar
    }

    fn fetching(&self, package: &str, done: u64, total: Option<u64>) {
        if !self.printer.live {
            return;
        }
        let bar = self.bar(package);
        if let Some(total) = total
            && bar.length() != Some(total)
        {
            bar.set_style(bytes());
            bar.set_length(total);
        }
        bar.set_position(done);
    }

    fn done(&self, package: &str) {
        if let Some(bar) = self.bars().remove(package) {
            bar.finish_and_clear();
        }
    }
}

impl Events for SyncProgress {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Resolving { toolchain, version, platform } => {
                self.say(
                    Style::Good,
                    "Resolving",
                    &format!("{toolchain} {version} for {platform}"),
                );
            }
            Event::Client { client, what } => {
                self.say(Style::Good, "Running", &format!("{client}: {what}"));
            }
            Event::Fetching { package, done, total } => self.fetching(package, done, total),
            Event::Fetched { package, size } => {
                self.done(package);
                self.say(
                    Style::Good,
                    "Fetched",
                    &format!("{package} ({} KiB)", size.div_ceil(1024)),
                );
            }
            Event::Retrying { package, attempt, reason } => self.say(
                Style::Warn,
                "Retrying",
                &format!("{package}: attempt {attempt} failed: {reason}"),
            ),
            Event::Verifying { toolchain, done } => self.fetching(toolchain, done, None),
            Event::Unpacked { package } => {
                self.done(package);
                if self.printer.verbosity > 0 {
                    self.say(Style::Note, "Unpacked", package);
                }
            }
            Event::Warning(text) => self.lines.suspend(|| self.printer.warning(text)),
        }
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
