//! How far a build is: one line above those of the running actions.
//!
//! The figures are kept here, and the line is a function of them, of the time and of the width of the terminal.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt::Write as _;
use std::time::Duration;

use engine::{Label, Progress as Step};

use super::printer::duration;
use super::table::size;

/// The narrowest and the widest bar that is worth drawing.
const BAR: [usize; 2] = [10, 30];

/// The figures of a build that goes on.
#[derive(Debug, Default)]
pub(super) struct Overall {
    actions: usize,
    done: usize,
    running: BTreeSet<Label>,
    /// What each action has fetched: files that are complete, and the one that is on its way.
    fetched: BTreeMap<Label, (u64, u64)>,
}

impl Overall {
    /// So many actions are needed, as far as is known now.
    pub(super) fn expect(&mut self, actions: usize) {
        self.actions = actions;
    }

    pub(super) fn started(&mut self, label: Label) {
        self.running.insert(label);
    }

    pub(super) fn progressed(&mut self, label: &Label, step: &Step) {
        let Step::Bytes { done, .. } = step else { return };
        match self.fetched.entry(label.clone()) {
            Entry::Vacant(entry) => drop(entry.insert((0, *done))),
            Entry::Occupied(mut entry) => {
                let (complete, current) = entry.get_mut();
                // The next file begins at nothing.
                if done < current {
                    *complete += *current;
                }
                *current = *done;
            }
        }
    }

    pub(super) fn finished(&mut self, label: &Label) {
        self.done += 1;
        self.running.remove(label);
    }

    /// The line, in `width` columns at most.
    pub(super) fn line(&self, elapsed: Duration, width: usize) -> String {
        let total = self.actions.max(self.done);
        let count = format!("{}/{total} actions", self.done);
        let mut parts = vec![format!("{} running", self.running.len()), seconds(elapsed)];
        let fetched: u64 =
            self.fetched.values().map(|(complete, current)| complete + current).sum();
        if fetched > 0 {
            parts.push(format!("{} fetched", size(fetched)));
        }
        // What matters least goes first where there is no room.
        while parts.len() > 1 && text(&count, &parts).len() > width {
            parts.pop();
        }
        let text = text(&count, &parts);
        let room = width.saturating_sub(text.len() + "[] ".len()).min(BAR[1]);
        match room >= BAR[0] {
            true => format!("[{}] {text}", bar(self.done, total, room)),
            false => text.chars().take(width).collect(),
        }
    }
}

fn text(count: &str, parts: &[String]) -> String {
    format!("{count}, {}", parts.join(", "))
}

/// A bar of `width` characters, `=` as far as it is.
fn bar(done: usize, total: usize, width: usize) -> String {
    let filled = (done * width).checked_div(total).unwrap_or_default();
    let mut bar = String::new();
    let head = if filled < width { ">" } else { "" };
    let _ = write!(bar, "{:width$}", format!("{}{head}", "=".repeat(filled)));
    bar
}

/// Whole seconds: tenths would only flicker.
fn seconds(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        _ => duration(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(step: &str) -> Label {
        Label::new("app", step)
    }

    fn building() -> Overall {
        let mut overall = Overall::default();
        overall.expect(10);
        // More may turn out to be needed.
        overall.expect(12);
        for step in ["fetch", "compile", "check"] {
            overall.started(label(step));
        }
        overall.finished(&label("check"));
        // A result that is known is done without having been started.
        overall.finished(&label("known"));
        overall.finished(&label("known too"));
        let step = |done| Step::Bytes { done, total: None };
        for done in [1_000_000, 4_000_000, 500_000, 2_000_000] {
            overall.progressed(&label("fetch"), &step(done));
        }
        overall.progressed(&label("compile"), &Step::Text("chatting".to_owned()));
        overall
    }

    #[track_caller]
    fn check(width: usize, expect: &str) {
        let line = building().line(Duration::from_millis(14_900), width);
        assert_eq!(line, expect);
        assert!(line.len() <= width);
    }

    #[test]
    fn the_line_fits_every_terminal() {
        let text = "3/12 actions, 2 running, 14 s, 6.0 MB fetched";
        check(200, &format!("[=======>                      ] {text}"));
        check(80, &format!("[=======>                      ] {text}"));
        check(60, &format!("[===>        ] {text}"));
        check(57, text);
        check(45, text);
        check(44, "[===>        ] 3/12 actions, 2 running, 14 s");
        check(24, "3/12 actions, 2 running");
        check(10, "3/12 actio");
        check(0, "");
    }

    #[test]
    fn a_build_at_its_ends() {
        let mut overall = Overall::default();
        assert_eq!(
            overall.line(Duration::ZERO, 44),
            "[>             ] 0/0 actions, 0 running, 0 s"
        );
        overall.expect(1);
        overall.finished(&label("x"));
        let line = overall.line(Duration::from_secs(125), 200);
        assert!(
            line.starts_with("[==============================] 1/1 actions, 0 running, 2 min 5 s"),
            "{line}"
        );
    }
}
