//! Finds the statements of a Python file, in as much detail as a search for imports needs: the line of each,
//! whether it is in a function, and its code without comments and with the contents of strings put aside.
//!
//! This is no parser. From a file that is not Python it returns arbitrary statements, and leaves it to Python
//! to refuse the file. Source: "Lexical analysis" of the Python language reference.

/// A simple statement, or the head of a compound one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// The number of its first line, from 1.
    pub(super) line: usize,
    /// The outermost function around it, whose call runs it. `None` if it runs when the module is imported.
    pub(super) function: Option<String>,
    /// Its code, joined to one line. Each string is replaced by `""`.
    pub(super) code: String,
    /// The contents of its strings, in the order of the code.
    pub(super) strings: Vec<String>,
}

/// The keywords of heads, after whose colon a statement may follow on the same line.
const HEADS: [&str; 13] = [
    "if", "elif", "else", "for", "while", "try", "except", "finally", "with", "def", "class",
    "async", "match",
];

/// Finds the statements of a file.
pub(super) fn statements(text: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    // The functions that the line stands in, each with its indentation.
    let mut functions: Vec<(usize, String)> = Vec::new();
    for line in (Lines { rest: text.trim_start_matches('\u{feff}'), number: 1 }) {
        functions.retain(|(indentation, _)| *indentation < line.indentation);
        let mut strings = line.strings.into_iter();
        for (code, is_head) in simple(&line.code) {
            let own = strings.by_ref().take(code.matches("\"\"").count()).collect();
            let function = functions.first().map(|(_, name)| name.clone());
            if let Some(name) = defined(code).filter(|_| is_head) {
                functions.push((line.indentation, name.to_owned()));
            }
            let code = code.to_owned();
            found.push(Statement { line: line.number, function, code, strings: own });
        }
    }
    found
}

/// Returns the name of the function that a head defines, if it defines one.
fn defined(head: &str) -> Option<&str> {
    let rest = head.strip_prefix("async ").unwrap_or(head).trim_start().strip_prefix("def ")?;
    rest.split(['(', '[']).next().map(str::trim)
}

/// Splits a logical line into statements. The flag of each is true if a colon follows it.
fn simple(code: &str) -> Vec<(&str, bool)> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    let first = code.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let mut in_head = HEADS.contains(&first);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ';' | ':' if depth == 0 && (c == ';' || in_head) => {
                parts.push((code[start..at].trim(), c == ':'));
                in_head &= c != ':';
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push((code[start..].trim(), false));
    parts.retain(|(part, _)| !part.is_empty());
    parts
}

/// A logical line: a line of code joined with those that continue it.
struct Line {
    number: usize,
    indentation: usize,
    code: String,
    strings: Vec<String>,
}

/// An iterator over the logical lines of a file.
struct Lines<'a> {
    rest: &'a str,
    /// The number of the line at which the rest begins.
    number: usize,
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        while !self.rest.is_empty() {
            let indentation =
                self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\u{c}']).len();
            let number = self.number;
            let mut line = Line { number, indentation, code: String::new(), strings: Vec::new() };
            self.read(&mut line);
            line.code = line.code.trim().to_owned();
            if !line.code.is_empty() {
                return Some(line);
            }
        }
        None
    }
}

impl Lines<'_> {
    /// Reads to the end of a logical line.
    fn read(&mut self, line: &mut Line) {
        let mut depth = 0_usize;
        while let Some(c) = self.rest.chars().next() {
            match c {
                '#' => {
                    self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
                    continue;
                }
                '"' | '\'' => {
                    line.strings.push(self.string());
                    line.code.push_str("\"\"");
                    continue;
                }
                '\\' => {
                    let end = self.rest[1..].find('\n').map_or(self.rest.len(), |at| at + 2);
                    self.skip(end);
                    line.code.push(' ');
                    continue;
                }
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.skip(c.len_utf8());
            match c {
                '\n' if depth == 0 => return,
                '\n' | '\r' | '\t' | '\u{c}' => line.code.push(' '),
                c => line.code.push(c),
            }
        }
    }

    /// Reads a string and returns what stands between its quotes.
    fn string(&mut self) -> String {
        let quote = &self.rest[..1];
        let triple = quote.repeat(3);
        let quote = if self.rest.starts_with(&triple) { triple } else { quote.to_owned() };
        let start = quote.len();
        let mut at = start;
        while let Some(c) = self.rest[at..].chars().next() {
            if self.rest[at..].starts_with(&quote) {
                let content = self.rest[start..at].to_owned();
                self.skip(at + start);
                return content;
            }
            if c == '\n' && start == 1 {
                break;
            }
            at += c.len_utf8();
            if c == '\\' {
                at += self.rest[at..].chars().next().map_or(0, char::len_utf8);
            }
        }
        let content = self.rest[start..at].to_owned();
        self.skip(at);
        content
    }

    fn skip(&mut self, length: usize) {
        let (skipped, rest) = self.rest.split_at(length);
        self.number += skipped.matches('\n').count();
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(usize, bool, &str)]) {
        let found = statements(text);
        let found: Vec<_> =
            found.iter().map(|one| (one.line, one.function.is_some(), one.code.as_str())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn what_runs_in_functions_is_told_from_the_rest() {
        check(
            "import a\nclass C:\n    import b\n    def f(self):\n        import c\n    import d\n\
             if x:\n    import e\nasync def g():\n  if y:\n    import h\nimport i\n",
            &[
                (1, false, "import a"),
                (2, false, "class C"),
                (3, false, "import b"),
                (4, false, "def f(self)"),
                (5, true, "import c"),
                (6, false, "import d"),
                (7, false, "if x"),
                (8, false, "import e"),
                (9, false, "async def g()"),
                (10, true, "if y"),
                (11, true, "import h"),
                (12, false, "import i"),
            ],
        );
    }

    #[test]
    fn lines_are_joined_and_split_as_python_does_it() {
        check(
            "from a import (  # why\n    b,\n    c,\n)\nx = 1; import d\nimport \\\n  e\n",
            &[
                (1, false, "from a import (       b,     c, )"),
                (5, false, "x = 1"),
                (5, false, "import d"),
                (6, false, "import    e"),
            ],
        );
        check("def f(): import a", &[(1, false, "def f()"), (1, true, "import a")]);
        check(
            "def f(x: int = {1: 2}[1]) -> str:\n    import a",
            &[(1, false, "def f(x: int = {1: 2}[1]) -> str"), (2, true, "import a")],
        );
        check("x: int = 3\r\nimport a\r\n", &[(1, false, "x: int = 3"), (2, false, "import a")]);
    }

    #[test]
    fn strings_and_comments_are_no_code() {
        check(
            "# import a\n'''\nimport b\n'''\nimport c",
            &[(2, false, "\"\""), (5, false, "import c")],
        );
        let found = statements("f('a\\'b', \"c # d\"); g('e')");
        assert_eq!(
            (found[0].code.as_str(), &found[0].strings[..]),
            ("f(\"\", \"\")", &["a\\'b".to_owned(), "c # d".to_owned()][..])
        );
        assert_eq!(
            (found[1].code.as_str(), &found[1].strings[..]),
            ("g(\"\")", &["e".to_owned()][..])
        );
        // Text with unclosed strings or parentheses is read to its end.
        for text in ["'''", "x = 'a\nimport b", "f((", "\\", "'\\", "é = 'ü"] {
            statements(text);
        }
    }
}
