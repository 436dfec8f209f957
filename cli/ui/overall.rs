//! Makes the line that says how far a command is. It stands above the lines of running actions.
//!
//! The figures are kept here. The line is a function of the figures, the time and the width of the terminal.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt::Write as _;
use std::time::Duration;

use super::printer::duration;
use super::table::size;

/// The smallest and the largest width of the bar, in columns.
const BAR: [usize; 2] = [10, 30];

/// The figures of a running command. `K` is the name of one piece of its work.
#[derive(Debug)]
pub(super) struct Overall<K> {
    /// The name of the pieces that are counted, in the plural.
    unit: &'static str,
    total: usize,
    done: usize,
    running: BTreeSet<K>,
    /// The bytes that each piece has fetched: of complete files, and of the file that is being fetched.
    fetched: BTreeMap<K, (u64, u64)>,
    transfers: Transfers,
}

/// The bytes that went to and came from the shared cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Transfers {
    down: u64,
    up: u64,
    /// The bytes in the last full second.
    speed: u64,
    /// The time and the number of bytes when the speed was computed.
    measured: (Duration, u64),
}

impl Transfers {
    /// Notes how many bytes there were until now.
    pub(super) fn note(&mut self, down: u64, up: u64, elapsed: Duration) {
        (self.down, self.up) = (down, up);
        let (then, before) = self.measured;
        let time = elapsed.saturating_sub(then).as_millis();
        if time >= 1000 {
            let bytes = u128::from((down + up).saturating_sub(before));
            self.speed = u64::try_from(bytes * 1000 / time).unwrap_or(u64::MAX);
            self.measured = (elapsed, down + up);
        }
    }

    /// Returns the number of bytes in a second.
    pub(super) const fn speed(&self) -> u64 {
        self.speed
    }

    fn text(&self) -> Option<String> {
        let part = |bytes, direction| (bytes > 0).then(|| format!("{} {direction}", size(bytes)));
        let parts = [part(self.down, "down"), part(self.up, "up")].into_iter().flatten();
        let parts: Vec<String> = parts.collect();
        (!parts.is_empty()).then(|| format!("{} ({}/s)", parts.join(", "), size(self.speed)))
    }
}

impl<K: Ord + Clone> Overall<K> {
    pub(super) const fn new(unit: &'static str) -> Self {
        Self {
            unit,
            total: 0,
            done: 0,
            running: BTreeSet::new(),
            fetched: BTreeMap::new(),
            transfers: Transfers { down: 0, up: 0, speed: 0, measured: (Duration::ZERO, 0) },
        }
    }

    /// Sets the number of pieces that are needed, as far as it is known now.
    pub(super) fn expect(&mut self, total: usize) {
        self.total = total;
    }

    pub(super) fn started(&mut self, key: K) {
        self.running.insert(key);
    }

    /// Notes that `done` bytes of a file have been fetched so far.
    pub(super) fn fetched(&mut self, key: &K, done: u64) {
        match self.fetched.entry(key.clone()) {
            Entry::Vacant(entry) => drop(entry.insert((0, done))),
            Entry::Occupied(mut entry) => {
                let (complete, current) = entry.get_mut();
                // A smaller number means that the next file has begun.
                if done < *current {
                    *complete += *current;
                }
                *current = done;
            }
        }
    }

    /// Returns what went to and came from the shared cache.
    pub(super) const fn transfers(&mut self) -> &mut Transfers {
        &mut self.transfers
    }

    pub(super) fn finished(&mut self, key: &K) {
        self.done += 1;
        self.running.remove(key);
    }

    /// Returns the line, in at most `width` columns.
    pub(super) fn line(&self, elapsed: Duration, width: usize) -> String {
        let total = self.total.max(self.done);
        let count = format!("{}/{total} {}", self.done, self.unit);
        let mut parts = vec![format!("{} running", self.running.len()), seconds(elapsed)];
        let fetched: u64 =
            self.fetched.values().map(|(complete, current)| complete + current).sum();
        if fetched > 0 {
            parts.push(format!("{} fetched", size(fetched)));
        }
        parts.extend(self.transfers.text());
        // If there is not enough room, the least important part is left out first.
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

/// Returns a bar of `width` characters, which is filled with `=` in proportion to `done`.
fn bar(done: usize, total: usize, width: usize) -> String {
    let filled = (done * width).checked_div(total).unwrap_or_default();
    let mut bar = String::new();
    let head = if filled < width { ">" } else { "" };
    let _ = write!(bar, "{:width$}", format!("{}{head}", "=".repeat(filled)));
    bar
}

/// Formats a time in whole seconds, because tenths would only flicker.
fn seconds(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        _ => duration(time),
    }
}

#[cfg(test)]
mod tests {
    use engine::Label;

    use super::*;

    fn label(step: &str) -> Label {
        Label::new("app", step)
    }

    fn building() -> Overall<Label> {
        let mut overall = Overall::new("actions");
        overall.expect(10);
        // The number may grow later.
        overall.expect(12);
        for step in ["fetch", "compile", "check"] {
            overall.started(label(step));
        }
        overall.finished(&label("check"));
        // An action with a cached result is finished without having been started.
        overall.finished(&label("known"));
        overall.finished(&label("known too"));
        for done in [1_000_000, 4_000_000, 500_000, 2_000_000] {
            overall.fetched(&label("fetch"), done);
        }
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
    fn transfers_are_shown_with_their_speed() {
        let mut overall = building();
        let second = Duration::from_secs(1);
        overall.transfers().note(1_000_000, 0, second);
        overall.transfers().note(2_500_000, 500_000, second * 2);
        // This is too soon for another speed.
        overall.transfers().note(3_000_000, 500_000, second * 2 + second / 2);
        let line = overall.line(second * 3, 200);
        let text = "2 running, 3 s, 6.0 MB fetched, 3.0 MB down, 500 kB up (2.0 MB/s)";
        assert!(line.ends_with(text), "{line}");
        assert!(overall.line(second * 3, 43).ends_with("2 running, 3 s"));
    }

    #[test]
    fn a_build_at_its_ends() {
        let mut overall = Overall::new("actions");
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
