//! What is wrong with a `run.toml`, as data; [`render`](Diagnostics::render) turns it into text.
//!
//! Every finding of a file is collected before anything is reported, so that one run shows them
//! all. Nothing here prints.

use std::fmt;
use std::sync::Arc;

use super::render;
use super::source::{Position, Source};
use super::span::Span;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but probably says something else than its author meant.
    Warning,
}

/// One finding about one place of a `run.toml`; the file itself is known to [`Diagnostics`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The place to point at; `None` speaks of the file as a whole.
    pub span: Option<Span>,
    /// What is wrong: a lower-case fragment that names the user's object.
    pub message: String,
    /// What is expected at the place; shown behind the caret. May be empty.
    pub label: String,
    /// Other places which explain the finding, each with its label.
    pub related: Vec<(Span, String)>,
    /// Ways out, one a line.
    pub help: Vec<String>,
    /// Whether something is reported as missing: not to be believed of a file that could not be
    /// read to its end.
    pub(super) absence: bool,
}

impl Diagnostic {
    /// An error at a place, or about the whole file.
    pub fn error(span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, span.into(), message.into())
    }

    /// A warning at a place, or about the whole file.
    pub fn warning(span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, span.into(), message.into())
    }

    fn new(severity: Severity, span: Option<Span>, message: String) -> Self {
        let (label, related, help) = Default::default();
        Self { severity, span, message, label, related, help, absence: false }
    }

    /// Says what is expected at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Points at another place too.
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

    /// Adds a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// The findings about one file, in the order of their places.
///
/// Other modules which find something wrong with an element of a manifest start an empty list
/// about its [`source`](super::Manifest::source).
#[derive(Clone, Debug)]
pub struct Diagnostics {
    source: Arc<Source>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// An empty list about a file.
    pub fn new(source: Arc<Source>) -> Self {
        Self { source, list: Vec::new() }
    }

    /// Adds a finding. Whatever it quotes, secrets of the file are hidden in it.
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

    /// Puts the findings in the order of their places; those about the whole file come last.
    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|finding| (finding.span.is_none(), finding.span));
    }

    /// The findings, in the order of their places.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many errors there are, not counting warnings.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// The file which the findings are about.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Line and column of a finding, for machine-readable output.
    pub fn position(&self, diagnostic: &Diagnostic) -> Option<Position> {
        diagnostic.span.map(|span| self.source.position(span.start))
    }

    /// The findings as text for a person: message, `--> run.toml:12:5`, the line, a caret, help.
    ///
    /// `color` adds ANSI escapes; nothing is carried by colour alone. Ends with a line feed unless
    /// the list is empty.
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
