//! Turns bytes into a TOML table and reports errors of encoding and syntax.
//!
//! The parser recovers from errors and goes on. After a *local* error (a bad escape, a duplicate key),
//! everything else in the file still means what it says. After any other error (an array that never ends),
//! the parser has to guess, and what it finds further on may come of a wrong guess. [`Syntax::trusts`]
//! decides which later findings can be believed, so that one mistake gives one message.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostic;
use super::lines::Lines;
use super::source::Source;
use super::span::Span;
use super::table::Findings;

/// A table, as far as it could be parsed, and the errors in it.
pub(super) struct Syntax<'t> {
    text: &'t str,
    table: DeTable<'t>,
    lines: Lines,
    /// The local errors in the order of the file, at most one for each line. If there is an error that is not
    /// local, the first such error is the last in the list.
    errors: Vec<Error>,
    /// The lines that have an error, counted from 0.
    broken: BTreeSet<usize>,
}

struct Error {
    span: Range<usize>,
    message: String,
}

/// The beginnings of the messages of local errors. After any other error, the parser has to guess what the
/// rest of the file means.
const LOCAL: [&str; 8] = [
    "duplicate key",
    "string values must be quoted",
    "missing escaped value",
    "invalid basic string",
    "invalid literal string",
    "invalid boolean",
    "extra comma in array",
    "cannot extend value",
];

impl Error {
    fn is_local(&self) -> bool {
        LOCAL.iter().any(|start| self.message.starts_with(start))
    }

    /// Returns whether the end of an array, an inline table or a string of several lines is missing.
    fn is_unclosed(&self) -> bool {
        let starts = ["unclosed array, ", "unclosed inline table", "invalid multi-line"];
        starts.iter().any(|start| self.message.starts_with(start))
    }
}

impl<'t> Syntax<'t> {
    /// Parses a text. It never fails: errors are kept, and the rest of the text is recovered.
    pub(super) fn parse(text: &'t str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let errors = errors.iter().map(|error| Error {
            span: error.span().unwrap_or_default(),
            message: error.message().to_owned(),
        });
        let mut syntax = Self {
            text,
            table: table.into_inner(),
            lines: Lines::of(text),
            errors: errors.collect::<Vec<_>>(),
            broken: BTreeSet::new(),
        };
        syntax.blame_openings();
        syntax.errors.sort_by_key(|error| error.span.start);
        if let Some(first_guess) = syntax.errors.iter().position(|error| !error.is_local()) {
            syntax.errors.truncate(first_guess + 1);
        }
        let lines = &syntax.lines;
        syntax.errors.dedup_by_key(|error| lines.index(error.span.start));
        syntax.broken = syntax.errors.iter().map(|error| lines.index(error.span.start)).collect();
        syntax
    }

    /// Returns the recovered table.
    pub(super) fn table(&self) -> &DeTable<'t> {
        &self.table
    }

    /// Moves each error about a missing end from the end of the file to the beginning of the value.
    fn blame_openings(&mut self) {
        if !self.errors.iter().any(Error::is_unclosed) {
            return;
        }
        let openings = openings(&self.table);
        for error in self.errors.iter_mut().filter(|error| error.is_unclosed()) {
            if let Some(start) = openings.get(&error.span.start).copied() {
                let bracket = self.text[start..].chars().next().map_or(0, char::len_utf8);
                error.span = start..start + bracket;
            }
        }
    }

    /// Returns whether a finding can be believed in spite of the errors.
    ///
    /// A finding on the line of an error is not believed. If an error is not local, a finding after it is not
    /// believed, nor is any finding that something is missing.
    pub(super) fn trusts(&self, finding: &Diagnostic) -> bool {
        let line = finding.span.map(|at| self.lines.index(at.start));
        if line.is_some_and(|line| self.broken.contains(&line)) {
            return false;
        }
        // Only one error of each line is kept, so the one that was not local may have been dropped.
        let guess = self.errors.last().filter(|error| !error.is_local());
        guess.is_none_or(|guess| {
            let before = finding.span.is_some_and(|at| at.start < guess.span.start);
            before && !finding.absence
        })
    }

    /// Adds the errors as findings. They quote only the redacted text.
    pub(super) fn report(&self, source: &Source, findings: &mut Findings) {
        findings.extend(self.errors.iter().map(|error| explain(error, source.text())));
    }
}

/// Returns where the values of a table begin, by where they end. If several values end at one place, the
/// outermost counts.
fn openings(table: &DeTable<'_>) -> BTreeMap<usize, usize> {
    let mut openings = BTreeMap::new();
    let mut open: Vec<&toml::Spanned<DeValue<'_>>> = table.values().collect();
    while let Some(value) = open.pop() {
        let Range { start, end } = value.span();
        if start < end {
            let outermost = openings.entry(end).or_insert(start);
            *outermost = start.min(*outermost);
        }
        match value.get_ref() {
            DeValue::Array(items) => open.extend(items.iter()),
            DeValue::Table(table) => open.extend(table.values()),
            _ => {}
        }
    }
    openings
}

/// Turns an error of the parser into a finding, in our own words where these are clearer.
fn explain(error: &Error, text: &str) -> Diagnostic {
    let (problem, expected) = match error.message.split_once(", expected ") {
        Some((problem, expected)) => (problem, format!("expected {expected}")),
        None => (error.message.as_str(), String::new()),
    };
    let written = text.get(error.span.clone()).unwrap_or_default();
    let (problem, label) = match problem {
        "string values must be quoted" if written.is_empty() => {
            ("a key has no value", "expected a value".to_owned())
        }
        "string values must be quoted" => (problem, format!("expected `\"{written}\"`")),
        "duplicate key" => (problem, format!("`{written}` is already defined above")),
        "invalid multi-line basic string" | "invalid multi-line literal string"
            if error.is_unclosed() =>
        {
            ("unclosed string", "this never ends".to_owned())
        }
        _ if error.is_unclosed() => (problem, "this never ends".to_owned()),
        _ => (problem, expected),
    };
    let span = Span::from(error.span.clone());
    Diagnostic::error(span, format!("invalid TOML: {problem}")).label(label)
}

/// Decodes the bytes of a file.
///
/// Bytes that are not UTF-8 become U+FFFD. Each line that has such bytes is a finding.
pub(super) fn decode(bytes: Vec<u8>) -> (String, Findings) {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return (text, Findings::new()),
        Err(error) => error.into_bytes(),
    };
    let mut text = String::with_capacity(bytes.len());
    let mut findings = Findings::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if chunk.invalid().is_empty() {
            continue;
        }
        let start = text.len();
        text.push(char::REPLACEMENT_CHARACTER);
        let found: Vec<String> = chunk.invalid().iter().map(|b| format!("0x{b:02x}")).collect();
        findings.push(
            Diagnostic::error(Span::from(start..text.len()), "the file is not UTF-8 text")
                .label(format!("expected UTF-8, found {}", found.join(" "))),
        );
    }
    let lines = Lines::of(&text);
    findings.dedup_by_key(|finding| finding.span.map(|span| lines.index(span.start)));
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        findings.truncate(1);
        findings[0].help.push("this looks like UTF-16; save the file as UTF-8".to_owned());
    }
    (text, findings)
}
