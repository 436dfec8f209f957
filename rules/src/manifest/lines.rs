//! Finds the line of an offset in a text without reading the text again.
//!
//! A file may hold tens of thousands of elements and as many mistakes, and each of them asks for its line.
//! Counting from the top each time would take time in the square of the file's length. So the start of each
//! line is noted once.

/// The offsets at which the lines of one text begin.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// Notes the lines of a text, in one pass over it.
    pub(super) fn of(text: &str) -> Self {
        let after_each = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(after_each.map(|(at, _)| at + 1));
        Self { starts: starts.collect() }
    }

    /// Returns the line that holds an offset, counted from 0. An offset past the end is on the last line.
    pub(super) fn index(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) - 1
    }

    /// Returns the offset at which a line, counted from 0, begins. For a line after the last one, this is the
    /// end of the text.
    pub(super) fn start(&self, index: usize, text: &str) -> usize {
        self.starts.get(index).copied().unwrap_or(text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_on_the_line_that_a_count_from_the_top_gives() {
        for text in ["", "\n", "a", "a\n", "a\nb", "\n\nab\r\nc\n", "ä\nö"] {
            let lines = Lines::of(text);
            for offset in 0..=text.len() {
                let before = &text.as_bytes()[..offset];
                let index = before.iter().filter(|byte| **byte == b'\n').count();
                let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                assert_eq!(lines.index(offset), index, "{text:?} {offset}");
                assert_eq!(lines.start(index, text), start, "{text:?} {offset}");
            }
            assert_eq!(lines.index(usize::MAX), text.matches('\n').count());
            assert_eq!(lines.start(99, text), text.len());
        }
    }
}
