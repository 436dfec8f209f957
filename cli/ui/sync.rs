//! Shows the progress of a sync. On a terminal there is a live line for the whole sync and one for each
//! package, and elsewhere there are plain lines.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use rules::package::{Event, Events};
use sandbox::Cancel;

use super::bars::Bars;
use super::overall::Overall;
use super::printer::{Printer, Style};
use super::progress::{bytes, overall, spinner};

/// Shows the events of a sync.
pub(crate) struct SyncProgress {
    printer: Printer,
    lines: MultiProgress,
    overall: Arc<Mutex<Overall<String>>>,
    bars: Bars<Line>,
    cancel: Cancel,
}

/// The subject of a live line. The whole sync comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Sync,
    Package(String),
}

impl SyncProgress {
    /// Makes a progress that is shown in the way of the printer. `cancel` ends the sync.
    pub(crate) fn new(printer: Printer, cancel: Cancel) -> Self {
        let target =
            if printer.live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let lines = MultiProgress::with_draw_target(target);
        let overall = Arc::new(Mutex::new(Overall::new("toolchains")));
        Self { printer, lines, overall, bars: Bars::new(), cancel }
    }

    /// Removes all live lines from the screen.
    pub(crate) fn clear(&self) {
        self.bars.lock().clear();
        // A terminal that is gone has nothing to clear.
        let _ = self.lines.clear();
    }

    fn say(&self, style: Style, verb: &str, text: &str) {
        if self.printer.verbosity >= 0 {
            self.lines.suspend(|| self.printer.line(&self.printer.status_line(style, verb, text)));
        }
    }

    /// Prints a detail if the user wants to know more. A toolchain may have a hundred packages, so this is
    /// not the default.
    fn detail(&self, style: Style, verb: &str, text: &str) {
        if self.printer.verbosity > 0 {
            self.say(style, verb, text);
        }
    }

    fn overall(&self) -> MutexGuard<'_, Overall<String>> {
        self.overall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begun(&self, images: usize) {
        self.overall().expect(images);
        if self.printer.live && images > 0 {
            self.bars.get_or_make(Line::Sync, || overall(&self.lines, &self.overall, None));
        }
    }

    fn bar(&self, package: &str) -> ProgressBar {
        self.bars.get_or_make(Line::Package(package.to_owned()), || {
            let bar = self.lines.add(ProgressBar::new_spinner().with_style(spinner()));
            bar.set_prefix(package.to_owned());
            bar
        })
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
        if let Some(bar) = self.bars.lock().remove(&Line::Package(package.to_owned())) {
            bar.finish_and_clear();
        }
    }
}

fn counted(packages: usize) -> String {
    match packages {
        1 => "1 package".to_owned(),
        packages => format!("{packages} packages"),
    }
}

impl Events for SyncProgress {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Begun { images } => self.begun(images),
            Event::Resolving { toolchain, version, platform } => {
                self.overall().started(toolchain.to_owned());
                self.say(
                    Style::Good,
                    "Resolving",
                    &format!("{toolchain} {version} for {platform}"),
                );
            }
            Event::Installing { toolchain, version, platform } => {
                self.overall().started(toolchain.to_owned());
                let what = format!("{toolchain} {version} for {platform}");
                self.say(Style::Good, "Installing", &what);
            }
            Event::Pinned { toolchain, version, platform, fetched, packages, remembered } => {
                self.overall().finished(&toolchain.to_owned());
                let from = match fetched {
                    0 => "all of it from the store".to_owned(),
                    fetched if fetched == packages => format!("fetched {}", counted(packages)),
                    fetched => format!("fetched {fetched} of {}", counted(packages)),
                };
                let when = if remembered { ", in the packages of the last look-up" } else { "" };
                let what = format!("{toolchain} {version} for {platform}, {from}{when}");
                self.say(Style::Good, "Pinned", &what);
            }
            Event::Client { client, what } => {
                self.detail(Style::Good, "Running", &format!("{client}: {what}"));
            }
            Event::Fetching { package, done, total } => {
                self.overall().fetched(&package.to_owned(), done);
                self.fetching(package, done, total);
            }
            Event::Fetched { package, size } => {
                self.done(package);
                let what = format!("{package} ({} KiB)", size.div_ceil(1024));
                self.detail(Style::Good, "Fetched", &what);
            }
            Event::Retrying { package, attempt, reason } => self.say(
                Style::Warn,
                "Retrying",
                &format!("{package}: attempt {attempt} failed: {reason}"),
            ),
            Event::Verifying { toolchain, done } => self.fetching(toolchain, done, None),
            Event::Unpacked { package } => {
                self.done(package);
                self.detail(Style::Note, "Unpacked", package);
            }
            Event::Warning(text) => self.lines.suspend(|| self.printer.warning(text)),
        }
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
