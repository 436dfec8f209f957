//! Compares two texts line by line, for people.

use similar::{ChangeTag, TextDiff};

/// A line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffLine {
    /// Both texts have the line.
    Same(String),
    /// Only the expected text has it.
    Expected(String),
    /// Only the actual text has it.
    Actual(String),
    /// So many lines are left out, which both texts have.
    Skipped(usize),
}

/// The number of equal lines that are shown around a difference.
const CONTEXT: usize = 2;

/// The number of lines of a comparison that are shown at most.
const LONGEST: usize = 200;

/// Compares an expected text with an actual one. A line break at the end makes no difference.
#[must_use]
pub fn diff(expected: &str, actual: &str) -> Vec<DiffLine> {
    let end = |text: &str| text.strip_suffix('\n').unwrap_or(text).to_owned();
    let (expected, actual) = (end(expected), end(actual));
    let compared = TextDiff::configure()
        .timeout(std::time::Duration::from_secs(1))
        .diff_lines(&expected, &actual);
    let mut lines: Vec<DiffLine> = compared
        .iter_all_changes()
        .map(|change| {
            let text = change.value().trim_end_matches('\n').to_owned();
            match change.tag() {
                ChangeTag::Equal => DiffLine::Same(text),
                ChangeTag::Delete => DiffLine::Expected(text),
                ChangeTag::Insert => DiffLine::Actual(text),
            }
        })
        .collect();
    lines = shortened(lines);
    if let Some(more @ 1..) = lines.len().checked_sub(LONGEST) {
        lines.truncate(LONGEST);
        lines.push(DiffLine::Skipped(more));
    }
    lines
}

/// Leaves out equal lines that are far from any difference.
fn shortened(lines: Vec<DiffLine>) -> Vec<DiffLine> {
    let is_same = |line: &DiffLine| matches!(line, DiffLine::Same(_));
    let near = |at: usize| {
        let first = at.saturating_sub(CONTEXT);
        let last = (at + CONTEXT).min(lines.len() - 1);
        lines[first..=last].iter().any(|line| !is_same(line))
    };
    let keep: Vec<bool> = (0..lines.len()).map(near).collect();
    let mut short = Vec::new();
    let mut skipped = 0;
    for (line, keep) in lines.into_iter().zip(keep) {
        if !keep {
            skipped += 1;
            continue;
        }
        if skipped > 0 {
            short.push(DiffLine::Skipped(std::mem::take(&mut skipped)));
        }
        short.push(line);
    }
    if skipped > 0 {
        short.push(DiffLine::Skipped(skipped));
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_far_from_a_difference_are_left_out() {
        let text = |changed: &str| {
            (0..10)
                .map(|n| if n == 5 { format!("{changed}\n") } else { format!("{n}\n") })
                .collect::<String>()
        };
        let same = |line: &str| DiffLine::Same(line.to_owned());
        assert_eq!(
            diff(&text("x"), &text("y")),
            [
                DiffLine::Skipped(3),
                same("3"),
                same("4"),
                DiffLine::Expected("x".to_owned()),
                DiffLine::Actual("y".to_owned()),
                same("6"),
                same("7"),
                DiffLine::Skipped(2),
            ]
        );
        assert_eq!(diff("a", "a\n"), [DiffLine::Skipped(1)]);
        assert_eq!(diff("", ""), []);
    }
}
