//! From bytes to a TOML table: what is wrong with the file before anything in it has a meaning.
//!
//! The parser recovers from errors and goes on. Some errors are local (a bad escape, a duplicate
//! key): everything else in the file still means what it says. After others (an array that never
//! ends) the parser has to guess, and what it finds further on may be an artefact of its guess.
//! [`Syntax::trusts`] tells the two apart, so that one mistake is one message.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostic;
use super::source::Source;
use super::span::Span;
use super::table::Findings;

/// A table, as far as it could be parsed.
pub(super) struct Syntax<'t> {
    text: &'t str,
    table: DeTable<'t>,
    /// Local errors, and up to one that is not; at most one a line.
    errors: Vec<Error>,
}

struct Error {
    span: Range<usize>,
    message: String,
}

/// How the messages of local errors begin; all others leave the parser guessing.
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

    /// Whether the end of an array, an inline table or a string of many lines is missing.
    fn is_unclosed(&self) -> bool {
        let starts = ["unclosed array, ", "unclosed inline table", "invalid multi-line"];
        starts.iter().any(|start| self.message.starts_with(start))
    }
}

impl<'t> Syntax<'t> {
    /// Parses a text. Never fails: errors are kept and the rest is recovered.
    pub(super) fn parse(text: &'t str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let errors = errors.iter().map(|error| Error {
            span: error.span().unwrap_or_default(),
            message: error.message().to_owned(),
        });
        let mut syntax =
            Self { text, table: table.into_inner(), errors: errors.collect::<Vec<_>>() };
        syntax.blame_openings();
        syntax.errors.sort_by_key(|error| error.span.start);
        if let Some(first_guess) = syntax.errors.iter().position(|error| !error.is_local()) {
            syntax.errors.truncate(first_guess + 1);
        }
        syntax.errors.dedup_by_key(|error| line_start(text, error.span.start));
        syntax
    }

    /// The recovered table.
    pub(super) fn table(&self) -> &DeTable<'t> {
        &self.table
    }

    /// Moves errors about a missing end from where the file ended to where the value began.
    fn blame_openings(&mut self) {
        for error in self.errors.iter_mut().filter(|error| error.is_unclosed()) {
            if let Some(start) = opening(&self.table, error.span.start) {
                let bracket = self.text[start..].chars().next().map_or(0, char::len_utf8);
                error.span = start..start + bracket;
            }
        }
    }

    /// Whether a finding can be believed in spite of the errors.
    ///
    /// Not if it is on the line of an error, nor after an error that left the parser guessing, nor,
    /// if there is such an error, about something missing.
    pub(super) fn trusts(&self, finding: &Diagnostic) -> bool {
        let line = finding.span.map(|at| line_start(self.text, at.start));
        self.errors.iter().all(|error| {
            let before = finding.span.is_some_and(|at| at.start < error.span.start);
            line != Some(line_start(self.text, error.span.start))
                && (error.is_local() || (before && !finding.absence))
        })
    }

    /// The errors as findings, quoting from the redacted text only.
    pub(super) fn report(&self, source: &Source, findings: &mut Findings) {
        findings.extend(self.errors.iter().map(|error| explain(error, source.text())));
    }
}

/// Where the outermost value began that ends at an offset.
fn opening(table: &DeTable<'_>, end: usize) -> Option<usize> {
    table.values().find_map(|value| opening_of(value, end))
}

fn opening_of(value: &toml::Spanned<DeValue<'_>>, end: usize) -> Option<usize> {
    let at = value.span();
    match value.get_ref() {
        DeValue::Array(items) if at.end != end => {
            items.iter().find_map(|item| opening_of(item, end))
        }
        DeValue::Table(table) if at.end != end => opening(table, end),
        _ => (at.end == end && at.start < end).then_some(at.start),
    }
}

/// Offset of the start of the line that holds an offset.
fn line_start(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1)
}

/// An error of the parser, in our words where they are better.
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

/// Decodes a file.
///
/// The text has U+FFFD for what is not UTF-8; each line with such a place is a finding.
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
    findings.dedup_by_key(|finding| finding.span.map(|span| line_start(&text, span.start)));
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        findings.truncate(1);
        findings[0].help.push("this looks like UTF-16; save the file as UTF-8".to_owned());
    }
    (text, findings)
}
