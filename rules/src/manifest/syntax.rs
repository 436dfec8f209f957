//! From bytes to a TOML table: what is wrong with the file before anything in it has a meaning.
//!
//! The parser recovers from errors and goes on. Some errors are local (a bad escape, a duplicate
//! key): everything else in the file still means what it says. After others (an array that never
//! ends) the parser has to guess, and what it finds further on may be an artefact of its guess.
//! [`Syntax::trusted`] tells the two apart, so that one mistake is one message.

use std::ops::Range;

use toml::de::DeTable;

use super::diagnostic::Diagnostic;
use super::source::Source;
use super::span::Span;
use super::table::Findings;

/// A table, as far as it could be parsed.
pub(super) struct Syntax<'t> {
    /// The recovered table.
    pub(super) table: toml::Spanned<DeTable<'t>>,
    errors: Vec<(Range<usize>, String)>,
}

/// How the messages of local errors begin; all others leave the parser guessing.
const LOCAL: [&str; 12] = [
    "duplicate key",
    "string values must be quoted",
    "missing escaped value",
    "invalid basic string",
    "invalid literal string",
    "invalid boolean",
    "invalid integer",
    "invalid float",
    "invalid datetime",
    "invalid escape",
    "extra comma in array",
    "number",
];

impl<'t> Syntax<'t> {
    /// Parses a text. Never fails: errors are kept and the rest is recovered.
    pub(super) fn parse(text: &'t str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut errors: Vec<_> = errors
            .iter()
            .map(|error| (error.span().unwrap_or_default(), error.message().to_owned()))
            .collect();
        errors.sort_by_key(|(span, _)| span.start);
        if let Some(first_guess) = errors.iter().position(|(_, message)| !is_local(message)) {
            errors.truncate(first_guess + 1);
        }
        errors.dedup_by_key(|(span, _)| line_of(text, span.start));
        Self { table, errors }
    }

    /// Whether the text is valid TOML.
    pub(super) fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether a finding about a place can be believed in spite of the errors.
    ///
    /// Not after the first error that left the parser guessing, and not on the line of any.
    pub(super) fn trusted(&self, finding: &Diagnostic, source: &Source) -> bool {
        let Some(at) = finding.span else { return self.is_valid() };
        self.errors.iter().all(|(span, message)| {
            let same_line = line_of(source.text(), span.start) == line_of(source.text(), at.start);
            !same_line && (is_local(message) || at.start < span.start)
        })
    }

    /// The errors as findings.
    pub(super) fn report(&self, source: &Source, findings: &mut Findings) {
        findings.extend(self.errors.iter().map(|(span, message)| explain(source, span, message)));
    }
}

fn is_local(message: &str) -> bool {
    LOCAL.iter().any(|start| message.starts_with(start))
}

/// Offset of the start of the line that holds an offset.
fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1)
}

/// An error of the parser in our words where they are better.
fn explain(source: &Source, span: &Range<usize>, message: &str) -> Diagnostic {
    let (problem, expected) = match message.split_once(", expected ") {
        Some((problem, expected)) => (problem, format!("expected {expected}")),
        None => (message, String::new()),
    };
    let finding = Diagnostic::error(Span::from(span.clone()), format!("invalid TOML: {problem}"));
    let written = source.text().get(span.clone()).unwrap_or_default();
    match problem {
        "string values must be quoted" if written.is_empty() => finding.label("expected a value"),
        "string values must be quoted" => finding.label(format!("expected `\"{written}\"`")),
        "duplicate key" => finding.label(format!("`{written}` is already defined above")),
        _ => finding.label(expected),
    }
}

/// Decodes a file.
///
/// The text has U+FFFD for what is not UTF-8; each such place is a finding.
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
    findings.dedup_by_key(|finding| finding.span.map(|span| line_of(&text, span.start)));
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        findings.truncate(1);
        findings[0].help.push("this looks like UTF-16; save the file as UTF-8".to_owned());
    }
    (text, findings)
}
