//! Draws diagnostics in the manner of rustc.
//!
//! Only ever reads the redacted text of a [`Source`].

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Severity};
use super::source::Source;
use super::span::Span;

/// Draws all findings, with an empty line between them.
pub(super) fn render(source: &Source, findings: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let drawn = findings.iter().map(|finding| {
        let report = renderer.render(&[group(source, finding)]);
        report.lines().map(|line| line.trim_end().to_owned() + "\n").collect::<String>()
    });
    drawn.collect::<Vec<_>>().join("\n")
}

fn group<'a>(source: &'a Source, finding: &'a Diagnostic) -> Group<'a> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let path = source.path().to_string_lossy();
    let title = level.primary_title(finding.message.as_str());
    let group = match finding.span {
        Some(span) => title.element(snippet(source, finding, span).path(path)),
        None => title.element(Origin::path(path)),
    };
    group.elements(finding.help.iter().map(|help| Level::HELP.message(help.as_str())))
}

fn snippet<'a>(
    source: &'a Source,
    finding: &'a Diagnostic,
    span: Span,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let label = Some(finding.label.as_str()).filter(|label| !label.is_empty());
    let primary = AnnotationKind::Primary.span(visible(source.text(), span)).label(label);
    let related = finding.related.iter().map(|(span, label)| {
        AnnotationKind::Context.span(visible(source.text(), *span)).label(label.as_str())
    });
    Snippet::source(source.text()).annotation(primary).annotations(related)
}

/// The part of a span that can be drawn: inside the text, on character boundaries, on one line.
///
/// A value of many lines is marked in its first line only; the rest would push the message off
/// the screen.
fn visible(text: &str, span: Span) -> std::ops::Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let end = text.floor_char_boundary(span.end).max(start);
    let first_line = text[start..end].find(['\r', '\n']).map_or(end, |at| start + at);
    start..first_line
}
