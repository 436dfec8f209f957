//! Draws findings in the manner of rustc.
//!
//! It sees only the redacted text of a [`Source`], so it can't show a secret.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Severity};
use super::source::Source;
use super::span::Span;

/// The maximum number of findings that are drawn. Nobody reads more, so the rest is only counted.
const MOST: usize = 100;

/// Draws the findings, with an empty line between them.
pub(super) fn render(source: &Source, findings: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let drawn = findings.iter().take(MOST).map(|finding| {
        let report = renderer.render(&[group(source, finding)]);
        report.lines().map(|line| line.trim_end().to_owned() + "\n").collect::<String>()
    });
    let mut drawn: Vec<String> = drawn.collect();
    match findings.len() - drawn.len() {
        0 => {}
        more => drawn.push(format!("... and {more} more\n")),
    }
    drawn.join("\n")
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

/// The lines that a finding points at and those between them, without a byte order mark. Only these are
/// drawn, so that the rest of the file need not be read for each finding.
struct Excerpt<'a> {
    text: &'a str,
    /// The offset of `text` in the file.
    start: usize,
    /// The number of the first line, counted from 1.
    line: usize,
}

impl<'a> Excerpt<'a> {
    fn new(source: &'a Source, primary: Span, finding: &Diagnostic) -> Self {
        let whole = source.text();
        let places = || finding.related.iter().map(|(span, _)| *span).chain([primary]);
        let first = places().map(|span| span.start).min().unwrap_or_default().min(whole.len());
        let last = places().map(|span| span.start).max().unwrap_or_default().min(whole.len());
        let (start, end) = (source.line_start(first), source.line_end(last));
        let text = &whole[start..end];
        // Some editors write a byte order mark, but nobody counts it as a column.
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { text: rest, start: end - rest.len(), line: source.line(first) }
    }

    /// Returns the part of a span that can be drawn.
    fn visible(&self, span: Span) -> Range<usize> {
        let shift = |offset: usize| offset.saturating_sub(self.start);
        visible(self.text, Span { start: shift(span.start), end: shift(span.end) })
    }
}

fn snippet<'a>(
    source: &'a Source,
    finding: &'a Diagnostic,
    span: Span,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let excerpt = Excerpt::new(source, span, finding);
    let primary = excerpt.visible(span);
    let label = Some(finding.label.as_str()).filter(|label| !label.is_empty());
    let related = finding.related.iter().map(|(span, label)| {
        AnnotationKind::Context.span(excerpt.visible(*span)).label(label.as_str())
    });
    Snippet::source(excerpt.text)
        .line_start(excerpt.line)
        .annotation(AnnotationKind::Primary.span(primary).label(label))
        .annotations(related)
}

/// Returns the part of a span that can be drawn: inside the text, on character boundaries, on one line.
///
/// A value of several lines is marked in its first line only. The rest would push the message off the screen.
fn visible(text: &str, span: Span) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let end = text.floor_char_boundary(span.end).max(start);
    let first_line = text[start..end].find(['\r', '\n']).map_or(end, |at| start + at);
    start..first_line
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn source() -> Source {
        Source::new(Path::new("run.toml"), "[build]\nopt_level = [\n  \"x\",\n]\n")
    }

    #[test]
    fn colour_adds_escapes_and_nothing_else() {
        let finding = Diagnostic::error(Span::from(8..17), "no").label("here").help("do this");
        let colored = render(&source(), std::slice::from_ref(&finding), true);
        let plain = render(&source(), &[finding], false);
        assert_ne!(colored, plain);
        let mut stripped = String::new();
        for (index, part) in colored.split("\u{1b}[").enumerate() {
            stripped += if index == 0 { part } else { part.split_once('m').unwrap().1 };
        }
        let lines: Vec<&str> = stripped.lines().map(str::trim_end).collect();
        assert_eq!(lines, plain.lines().collect::<Vec<_>>());
    }

    #[test]
    fn only_the_first_line_of_a_long_value_is_drawn() {
        let finding = Diagnostic::warning(Span::from(20..31), "long");
        let expected = "\
warning: long
 --> run.toml:2:13
  |
2 | opt_level = [
  |             ^
";
        assert_eq!(render(&source(), &[finding], false), expected);
    }

    #[test]
    fn line_ends_and_marks_of_other_systems_count_for_nothing() {
        let expected = "\
error: x
 --> run.toml:1:5
  |
1 | a = 1
  |     ^ here
2 | b = 2
  | - there
";
        for (text, mark) in [("a = 1\r\nb = 2\r\n", 0), ("\u{feff}a = 1\nb = 2\n", 3)] {
            let source = Source::new(Path::new("run.toml"), text);
            let there = text.find('b').unwrap();
            let finding = Diagnostic::error(Span::from(mark + 4..mark + 5), "x")
                .label("here")
                .related(Span::from(there..there + 1), "there");
            assert_eq!(render(&source, &[finding], false), expected);
            assert_eq!(source.position(mark + 4).column, 5);
        }
    }

    #[test]
    fn places_outside_of_the_text_are_drawn_at_its_end() {
        for (start, end) in [(1000, 2000), (33, 1000), (5, 2)] {
            let finding = Diagnostic::error(Span { start, end }, "odd");
            assert!(render(&source(), &[finding], false).contains("--> run.toml:"));
        }
    }

    #[test]
    fn too_many_findings_are_counted() {
        let findings = vec![Diagnostic::error(None, "x"); MOST + 7];
        assert!(render(&source(), &findings, false).ends_with("\n\n... and 7 more\n"));
        assert_eq!(render(&source(), &[], false), "");
    }
}
