//! Puts the messages of the development server into words, for people and for programs.

use dev::{Message, RequestLine};
use runtime::{Level, Stream};
use serde_json::{Value, json};

use crate::ui::{Printer, Style, duration};

/// The width of the names of components, so that what they say begins in one column.
const WIDTH: usize = 12;

/// Returns the line for a message; `None` if the user does not want to see it.
pub(super) fn text(message: &Message<'_>, printer: &Printer) -> Option<String> {
    let status = |style, verb: &str, text: &str| printer.status_line(style, verb, text);
    let is_quiet = printer.verbosity < 0;
    Some(match message {
        Message::Warning(text) => format!("{} {text}", printer.styled(Style::Warn, "warning:")),
        Message::Broken { component, reason } => {
            let error = printer.styled(Style::Bad, "error:");
            format!("{error} {component} cannot be run: {reason}")
        }
        Message::Denied { component, text } => {
            said(printer, component, Some(Style::Bad), "denied", text)
        }
        Message::Output { component, line, .. } => said(printer, component, None, "", line),
        Message::Entry { component, level, context, message } => {
            let style = match level {
                Level::Critical | Level::Error => Style::Bad,
                Level::Warn => Style::Warn,
                _ => Style::Note,
            };
            let message = if context.is_empty() {
                (*message).to_owned()
            } else {
                format!("{context}: {message}")
            };
            said(printer, component, Some(style), level.as_str(), &message)
        }
        Message::Ended { component, status: None, trap, .. } => {
            let why = trap.as_deref().unwrap_or("it failed");
            said(printer, component, Some(Style::Bad), "failed", why)
        }
        _ if is_quiet => return None,
        Message::Serving { component, url } => {
            status(Style::Good, "Serving", &format!("{component} at {url}"))
        }
        Message::Reloaded { components, took, unchanged, all } => {
            let rest = if *unchanged > 0 {
                format!(" ({unchanged} of {all} components unchanged)")
            } else {
                String::new()
            };
            let text = format!("{} in {}{rest}", components.join(", "), duration(*took));
            status(Style::Good, "Reloaded", &text)
        }
        Message::NotReloaded { components } => {
            let text = format!(
                "{}: hot_reload is false, so start again to serve the new version",
                components.join(", ")
            );
            status(Style::Warn, "Built", &text)
        }
        Message::Touched { path, more } => {
            let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
            status(Style::Good, "Changed", &format!("{path}{more}"))
        }
        Message::Mended => status(Style::Good, "Mended", "everything is built again"),
        Message::Request(line) => request(line, printer),
        Message::Started { component } => {
            said(printer, component, Some(Style::Note), "started", "")
        }
        Message::Ended { component, status: Some(code), took, .. } => {
            let style = if *code == 0 { Style::Good } else { Style::Bad };
            let text = format!("with status {code} after {}", duration(*took));
            said(printer, component, Some(style), "ended", &text)
        }
    })
}

/// Returns a line of a component.
fn said(
    printer: &Printer,
    component: &str,
    style: Option<Style>,
    word: &str,
    text: &str,
) -> String {
    let name = printer.styled(colour(component), &format!("{component:>WIDTH$}"));
    let mut line = format!("{name} |");
    if let Some(style) = style {
        line = format!("{line} {}", printer.styled(style, word));
    }
    if text.is_empty() { line } else { format!("{line} {text}") }
}

/// Returns the colour of a component, always the same one.
fn colour(component: &str) -> Style {
    let sum = component.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    Style::Name(sum)
}

fn request(line: &RequestLine, printer: &Printer) -> String {
    let RequestLine { method, path, status, took, component, version, .. } = line;
    let style = match status {
        500.. => Style::Bad,
        400.. => Style::Warn,
        _ => Style::Good,
    };
    let by = match (component, version) {
        (Some(component), Some(version)) => format!(" ({component} {version})"),
        _ => String::new(),
    };
    let status = printer.styled(style, &status.to_string());
    printer.status_line(Style::Note, method, &format!("{path} {status} in {}{by}", duration(*took)))
}

/// Returns the object for a message.
pub(super) fn json(message: &Message<'_>) -> Value {
    let millis = |time: &std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match message {
        Message::Serving { component, url } => {
            json!({"event": "component_serving", "component": component, "url": url})
        }
        Message::Reloaded { components, took, unchanged, all } => json!({
            "event": "reloaded", "components": components, "ms": millis(took),
            "unchanged": unchanged, "all": all,
        }),
        Message::NotReloaded { components } => {
            json!({"event": "not_reloaded", "components": components})
        }
        Message::Touched { path, more } => {
            json!({"event": "file_changed", "path": path, "more": more})
        }
        Message::Mended => json!({"event": "mended"}),
        Message::Request(line) => json!({
            "event": "request", "method": line.method, "path": line.path, "status": line.status,
            "ms": millis(&line.took), "component": line.component, "version": line.version,
            "failure": line.failure,
        }),
        Message::Output { component, stream, line } => {
            let stream = match stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
            };
            json!({"event": "output", "component": component, "stream": stream, "line": line})
        }
        Message::Entry { component, level, context, message } => json!({
            "event": "log", "component": component, "level": level.as_str(), "context": context,
            "message": message,
        }),
        Message::Denied { component, text } => {
            json!({"event": "denied", "component": component, "message": text})
        }
        Message::Started { component } => {
            json!({"event": "command_started", "component": component})
        }
        Message::Ended { component, status, took, trap } => json!({
            "event": "command_ended", "component": component, "status": status, "ms": millis(took),
            "failure": trap,
        }),
        Message::Broken { component, reason } => {
            json!({"event": "broken", "component": component, "message": reason})
        }
        Message::Warning(text) => json!({"event": "warning", "message": text}),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_for_people() {
        let printer = Printer::plain();
        let check = |message: &Message<'_>, expect: &str| {
            assert_eq!(text(message, &printer).as_deref(), Some(expect));
            assert!(json(message)["event"].is_string());
        };
        let components = ["api".to_owned(), "web".to_owned()];
        let took = Duration::from_millis(412);
        check(
            &Message::Reloaded { components: &components[..1], took, unchanged: 2, all: 3 },
            "    Reloaded api in 412 ms (2 of 3 components unchanged)",
        );
        check(
            &Message::Reloaded { components: &components, took, unchanged: 0, all: 2 },
            "    Reloaded api, web in 412 ms",
        );
        let line = RequestLine {
            method: "GET".to_owned(),
            path: "/a?b".to_owned(),
            status: 200,
            took: Duration::from_millis(3),
            component: Some("api".to_owned()),
            version: Some("0123456789ab".to_owned()),
            failure: None,
        };
        check(&Message::Request(&line), "         GET /a?b 200 in 3 ms (api 0123456789ab)");
        let output = Message::Output { component: "tool", stream: Stream::Stdout, line: "hello" };
        check(&output, "        tool | hello");
        let entry = Message::Entry {
            component: "tool",
            level: Level::Warn,
            context: "db",
            message: "slow",
        };
        check(&entry, "        tool | warn db: slow");
        let quiet = Printer { verbosity: -1, ..printer };
        assert_eq!(text(&Message::Mended, &quiet), None);
        assert!(text(&Message::Warning("x"), &quiet).is_some());
    }

    #[test]
    fn names_have_colours_that_stay() {
        let printer = Printer { color: true, ..Printer::plain() };
        let line = said(&printer, "api", None, "", "x");
        assert_eq!(line, said(&printer, "api", None, "", "x"));
        assert!(line.starts_with("\u{1b}[") && line.ends_with("\u{1b}[0m | x"), "{line:?}");
    }
}
