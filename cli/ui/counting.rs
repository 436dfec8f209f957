//! Shows how many of many equal steps are done, on one live line.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printer::Printer;

/// The live line of steps that are counted. Where there is no terminal, it shows nothing.
pub(crate) struct Counting {
    bar: ProgressBar,
}

impl Counting {
    /// Shows a line for `total` steps. `what` says what is counted.
    pub(crate) fn new(printer: Printer, what: &'static str, total: u64) -> Self {
        let target =
            if printer.live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template(
            "{spinner:.green} {pos}/{len} {msg} [{bar:24}] {elapsed}, {eta} left",
        );
        let style = style.expect("the template is well formed").progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(Some(total), target);
        Self { bar: bar.with_style(style).with_message(what) }
    }

    /// Sets the number of steps that are done.
    pub(crate) fn set(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Removes the line.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
