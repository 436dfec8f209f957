//! Escapes text for HTML. Everything that comes from outside (paths, messages, names) goes through here.

use std::fmt::{self, Write as _};

/// A text whose special characters are shown as they are. It may stand in an element or in a quoted attribute.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            '\n' | '\t' => f.write_char(c),
            // A browser would drop or misread them.
            c if c.is_control() => f.write_char('\u{fffd}'),
            c => f.write_char(c),
        })
    }
}

/// Returns a tool's message as HTML that keeps its colours. `text` may have the colours of terminals (ECMA-48, SGR); every
/// other control sequence is dropped.
pub(crate) fn colours(text: &str) -> String {
    let (mut html, mut style) = (String::new(), Style::default());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        style.write(&mut html, &rest[..at]);
        let (codes, behind) = sequence(&rest[at + 1..]);
        if let Some(codes) = codes {
            style.apply(codes);
        }
        rest = behind;
    }
    style.write(&mut html, rest);
    html
}

/// Splits the control sequence at the start of a text (behind its escape) from what follows. Returns its codes if it is
/// about colours.
fn sequence(text: &str) -> (Option<&str>, &str) {
    let Some(inner) = text.strip_prefix('[') else { return (None, text) };
    let is_parameter = |c: char| matches!(c, '0'..='9' | ';' | ':' | '?' | ' ');
    let end = inner.find(|c| !is_parameter(c)).unwrap_or(inner.len());
    let mut behind = inner[end..].chars();
    match behind.next() {
        Some('m') => (Some(&inner[..end]), behind.as_str()),
        Some(_) => (None, behind.as_str()),
        None => (None, ""),
    }
}

/// The way in which text is shown.
#[derive(Default)]
struct Style {
    bold: bool,
    dim: bool,
    /// The number of the colour, 0 to 7.
    colour: Option<u8>,
}

impl Style {
    fn apply(&mut self, codes: &str) {
        let mut codes = codes.split(';').map(|code| code.parse::<u8>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                22 => (self.bold, self.dim) = (false, false),
                30..=37 => self.colour = Some(code - 30),
                90..=97 => self.colour = Some(code - 90),
                39 => self.colour = None,
                38 | 48 => {
                    // The colour of a palette of 256 has one more number, and one of red, green and blue has three.
                    let palette = codes.next() == Some(5);
                    let numbers: Vec<u8> =
                        codes.by_ref().take(if palette { 1 } else { 3 }).collect();
                    if let (38, true, [number]) = (code, palette, numbers.as_slice()) {
                        self.colour = (*number < 16).then_some(number % 8);
                    }
                }
                _ => {}
            }
        }
    }

    fn write(&self, html: &mut String, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut classes = Vec::new();
        classes.extend(self.bold.then(|| "b".to_owned()));
        classes.extend(self.dim.then(|| "d".to_owned()));
        classes.extend(self.colour.map(|colour| format!("c{colour}")));
        let text = Escaped(text);
        let _ = match classes.is_empty() {
            true => write!(html, "{text}"),
            false => write!(html, "<span class=\"{}\">{text}</span>", classes.join(" ")),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let text = "<script>alert(\"x\" & 'y')</script>\n\u{7}";
        assert_eq!(
            Escaped(text).to_string(),
            "&lt;script&gt;alert(&quot;x&quot; &amp; &#39;y&#39;)&lt;/script&gt;\n\u{fffd}"
        );
    }

    #[test]
    fn colours_become_classes() {
        let check = |text: &str, html: &str| assert_eq!(colours(text), html);
        check("plain <b>", "plain &lt;b&gt;");
        check(
            "\u{1b}[1m\u{1b}[38;5;9merror\u{1b}[0m: no `<T>`",
            "<span class=\"b c1\">error</span>: no `&lt;T&gt;`",
        );
        check(
            "\u{1b}[31ma\u{1b}[39mb\u{1b}[2mc\u{1b}[md",
            "<span class=\"c1\">a</span>b<span class=\"d\">c</span>d",
        );
        check("\u{1b}[38;2;1;2;3ma\u{1b}[48;5;1mb", "ab");
        check("\u{1b}[2Ja\u{1b}[?25lb\u{1b}", "ab");
        check("\u{1b}[1", "");
        check("\u{1b}[31m\"><script>", "<span class=\"c1\">&quot;&gt;&lt;script&gt;</span>");
    }
}
