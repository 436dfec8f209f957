//! The text of one `run.toml`, for messages that point at it.
//!
//! The text is already redacted (see `redact`), so whatever is rendered from it can't show a token. Redaction
//! keeps every byte offset, so spans stay valid.

use std::fmt;
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::redact::Redacted;
use super::span::Span;
use crate::redact::Known;

/// A line and a column, both counted from 1. Columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The number of the line.
    pub line: usize,
    /// The number of the column, in characters.
    pub column: usize,
}

/// The path and the redacted text of a `run.toml`.
#[derive(Clone)]
pub struct Source {
    path: PathBuf,
    text: Redacted,
    lines: Lines,
}

/// The mark that some editors put before UTF-8 text. It takes up no column.
const BYTE_ORDER_MARK: char = '\u{feff}';

impl Source {
    /// Takes over a text and hides the secrets in it.
    pub(super) fn new(path: &Path, text: &str) -> Self {
        let text = Redacted::new(text);
        Self { path: path.to_owned(), lines: Lines::of(text.as_str()), text }
    }

    /// Returns the path of the file, as messages show it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the text, with each byte of a secret replaced by `*`.
    pub fn text(&self) -> &str {
        self.text.as_str()
    }

    /// Returns the secrets of this file, to be hidden in other texts.
    pub fn secrets(&self) -> &Known {
        self.text.known()
    }

    /// Hides every secret of this file in a message about it.
    pub(super) fn redact(&self, message: String) -> String {
        self.text.redact(message)
    }

    /// Returns the line and column of a byte offset. An offset past the end counts as the end.
    pub fn position(&self, offset: usize) -> Position {
        let text = self.text();
        let end = text.floor_char_boundary(offset);
        let before = text[self.line_start(end)..end].trim_start_matches(BYTE_ORDER_MARK);
        Position { line: self.line(end), column: before.chars().count() + 1 }
    }

    /// Returns the line of a byte offset, counted from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.lines.index(offset) + 1
    }

    /// Returns the offset of the first byte of the line that holds an offset.
    pub(super) fn line_start(&self, offset: usize) -> usize {
        self.lines.start(self.lines.index(offset), self.text())
    }

    /// Returns the offset just after the line that holds an offset, including its line end.
    pub(super) fn line_end(&self, offset: usize) -> usize {
        self.lines.start(self.lines.index(offset) + 1, self.text())
    }

    /// Returns the place of an element, shown like `run.toml:12`, for messages of other modules.
    pub fn place(&self, span: Span) -> Place<'_> {
        Place { path: &self.path, line: self.line(span.start) }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A line of `run.toml`, shown as `run.toml:12`.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    path: &'a Path,
    line: usize,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, offset: usize, line: usize, column: usize) {
        let source = Source::new(Path::new("run.toml"), text);
        assert_eq!(source.position(offset), Position { line, column });
    }

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        check("", 0, 1, 1);
        check("ab", 1, 1, 2);
        check("ab\ncd", 2, 1, 3);
        check("ab\ncd", 3, 2, 1);
        check("ab\r\ncd", 5, 2, 2);
        check("ä = 1", "ä".len(), 1, 2);
        check("ä = 1", 1, 1, 1);
        check("ab", 99, 1, 3);
        check("\u{feff}ab", 4, 1, 2);
    }
}
