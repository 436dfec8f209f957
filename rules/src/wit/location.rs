//! A place in a WIT file, as error messages show it.
//!
//! It is plain data, so that it outlives the parser's model and can be sent by a worker.

use std::fmt;

use wit_parser::{SourceMap, Span};

/// A file, a line and a column. Both numbers count from 1, and columns count bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The path of the file, relative to the project's root.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in bytes, counted from 1.
    pub column: usize,
}

impl Location {
    /// Returns the place of the byte at `offset` in `text`.
    pub(super) fn in_text(file: &str, text: &str, offset: usize) -> Self {
        let before = &text[..offset];
        let line = before.matches('\n').count() + 1;
        let column = offset - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
        Self { file: file.to_owned(), line, column }
    }

    /// Returns the place of `span`, if it has one. Items that `wit-parser` derives have none.
    pub(crate) fn of(map: &SourceMap, span: Span) -> Option<Self> {
        let file = map.resolve_span(span)?.path.to_owned();
        let rendered = map.render_location(span);
        let mut parts = rendered.rsplitn(3, ':');
        let column = parts.next()?.parse().ok()?;
        let line = parts.next()?.parse().ok()?;
        Some(Self { file, line, column })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_start_at_one() {
        #[track_caller]
        fn check(text: &str, offset: usize, expect: &str) {
            assert_eq!(Location::in_text("a.wit", text, offset).to_string(), expect);
        }
        check("abc", 0, "a.wit:1:1");
        check("abc", 2, "a.wit:1:3");
        check("a\nbc", 1, "a.wit:1:2");
        check("a\nbc", 2, "a.wit:2:1");
        check("a\n\nbc", 4, "a.wit:3:2");
    }
}
