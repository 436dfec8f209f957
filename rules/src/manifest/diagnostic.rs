//! Findings about a `run.toml`, as data. [`render`](Diagnostics::render) turns them into text.
//!
//! All findings of a file are collected before anything is reported, so that one run shows them all. Nothing
//! here prints.

use std::fmt;
use std::sync::Arc;

use super::render;
use super::source::{Position, Source};
use super::span::Span;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but probably does not mean what its author intended.
    Warning,
}

/// One finding about one place of a `run.toml`. The file itself is known to [`Diagnostics`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The severity of the finding.
    pub severity: Severity,
    /// The place to point at. `None` means the file as a whole.
    pub span: Option<Span>,
    /// The description of what is wrong: a lower-case fragment that names the user's object.
    pub message: String,
    /// The words for what is expected at the place. They are shown after the caret, and may be empty.
    pub label: String,
    /// Other places that explain the finding, each with its label.
    pub related: Vec<(Span, String)>,
    /// Suggestions how to fix it, each shown on its own line.
    pub help: Vec<String>,
    /// True if the finding reports that something is missing. If the file could not be read to its end, such
    /// a finding can't be trusted.
    pub(super) absence: bool,
}

impl Diagnostic {
    /// Makes an error about a place, or about the whole file.
    pub fn error(span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, span.into(), message.into())
    }

    /// Makes a warning about a place, or about the whole file.
    pub fn warning(span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, span.into(), message.into())
    }

    fn new(severity: Severity, span: Option<Span>, message: String) -> Self {
        let (label, related, help) = Default::default();
        Self { severity, span, message, label, related, help, absence: false }
    }

    /// Sets the text that says what is expected at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds another place that explains the finding.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// Marks the finding as one about something missing.
    #[must_use]
    pub(super) fn absence(mut self) -> Self {
        self.absence = true;
        self
    }

    /// Adds a suggestion how to fix it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// The findings about one file, in the order of their places.
///
/// A module that finds something wrong with an element of a manifest later starts an empty list about the
/// manifest's [`source`](super::Manifest::source).
#[derive(Clone, Debug)]
pub struct Diagnostics {
    source: Arc<Source>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Makes an empty list about a file.
    pub fn new(source: Arc<Source>) -> Self {
        Self { source, list: Vec::new() }
    }

    /// Adds a finding. The secrets of the file are hidden in all its texts.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let hide = |text| self.source.redact(text);
        self.list.push(Diagnostic {
            message: hide(diagnostic.message),
            label: hide(diagnostic.label),
            related: diagnostic.related.into_iter().map(|(at, label)| (at, hide(label))).collect(),
            help: diagnostic.help.into_iter().map(hide).collect(),
            ..diagnostic
        });
    }

    /// Sorts the findings by their places. Those about the whole file come last.
    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|finding| (finding.span.is_none(), finding.span));
    }

    /// Iterates over the findings, in the order of their places.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Returns whether there are no findings.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the number of errors, without warnings.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// Returns the file that the findings are about.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Returns the line and column of a finding, for machine-readable output.
    pub fn position(&self, diagnostic: &Diagnostic) -> Option<Position> {
        diagnostic.span.map(|span| self.source.position(span.start))
    }

    /// Renders the findings as text for a person: message, `--> run.toml:12:5`, the line, a caret, help.
    ///
    /// `color` adds ANSI escapes; colour alone never carries information. The text ends with a line feed
    /// unless the list is empty.
    pub fn render(&self, color: bool) -> String {
        render::render(&self.source, &self.list, color)
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_quotes_a_secret_is_redacted() {
        let text = "repository = \"ftp://me:hunter2@host/x\"\n";
        let source = Arc::new(Source::new(Path::new("run.toml"), text));
        let mut findings = Diagnostics::new(source);
        let quote = "ftp://me:hunter2@host/x";
        let span = Span::from(0..10);
        findings.push(Diagnostic::error(span, quote).label(quote).related(span, quote).help(quote));
        let shown = format!("{findings}{findings:?}");
        assert!(shown.contains("ftp://***@host/x") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn findings_about_the_whole_file_come_last() {
        let mut findings = Diagnostics::new(Arc::new(Source::new(Path::new("run.toml"), "a\nb")));
        for (span, message) in [(None, "c"), (Some(2..3), "b"), (Some(0..1), "a")] {
            findings.push(Diagnostic::error(span.map(Span::from), message));
        }
        findings.push(Diagnostic::warning(None, "d"));
        findings.sort();
        let messages: Vec<&str> = findings.iter().map(|f| f.message.as_str()).collect();
        assert_eq!((messages.concat().as_str(), findings.errors()), ("abcd", 3));
        let positions: Vec<_> = findings.iter().map(|f| findings.position(f)).collect();
        assert_eq!(positions[1], Some(Position { line: 2, column: 1 }));
        assert_eq!(positions[2], None);
    }
}
