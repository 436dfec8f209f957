//! Finds the values of keys that name a secret: in TOML, whole or broken, and in what clients print.
//!
//! It works on the text without a parser, so that a broken file shows no secret either.

use std::collections::HashSet;
use std::ops::Range;

use super::names::names_a_secret;

/// Finds the values of all `KEY = VALUE` whose key, or whose table, names a secret.
///
/// The text need not be valid TOML. If the end of a value is missing, the value is taken to be as long as it
/// could be.
pub(crate) fn assigned_secrets(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut keys = Keys::default();
    let mut tables = Tables { text, at: 0, is_secret: false };
    let mut key = 0;
    for (equals, _) in text.match_indices('=') {
        if found.last().is_some_and(|last| equals < last.end) {
            continue;
        }
        // A line inside a value is not a heading.
        tables.at = tables.at.max(found.last().map_or(0, |last| last.end));
        if tables.is_secret_at(equals, &mut keys) || keys.name_before(text, key, equals) {
            found.push(value_after(text, equals + 1));
        }
        key = equals + 1;
    }
    found.extend(without_equals(text, &mut keys));
    found.sort_by_key(|range| range.start);
    found
}

/// Finds the values of keys that name a secret if the equals sign is missing or replaced by something else.
fn without_equals<'a>(text: &'a str, keys: &mut Keys<'a>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut last_end = 0;
    // In a message, a line number and a bar stand before each quoted line.
    let starts = text.match_indices(['\n', '{', ',', '|']).map(|(at, _)| at + 1);
    for start in std::iter::once(0).chain(starts) {
        if start < last_end {
            continue;
        }
        let blank = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '#');
        let key = start + text[start..].len() - text[start..].trim_start_matches(blank).len();
        let is_of_key = |c: char| c.is_ascii_alphanumeric() || "-_.\\".contains(c);
        let length = text[key..].find(|c| !is_of_key(c)).unwrap_or(text.len() - key);
        let end = key + length.min(LONGEST_KEY);
        last_end = end;
        if !keys.name_a_secret(&text[key..end]) {
            continue;
        }
        let quote = text[end..].starts_with(['"', '\'']);
        let rest = text[end + usize::from(quote)..].trim_start();
        // Keys with an equals sign are found by the caller. What ends a list or begins a comment has no value
        // before it.
        if rest.starts_with(['=', ',', ']', '}', '#']) || rest.is_empty() {
            continue;
        }
        let is_between = |c: char| c.is_whitespace() || c == ':' || c == '=' || !c.is_ascii();
        let value = rest.trim_start_matches(is_between);
        let value = value_at(text, text.len() - value.len());
        // A character that is not ASCII may be part of the value.
        let value = if rest.starts_with(|c: char| !c.is_ascii()) {
            text.len() - rest.len()..value.end
        } else {
            value
        };
        last_end = value.end;
        found.push(value);
    }
    found
}

/// Finds out, for places in ascending order, whether they are in a table whose name names a secret.
struct Tables<'a> {
    text: &'a str,
    /// The start of the next line to look at.
    at: usize,
    is_secret: bool,
}

impl<'a> Tables<'a> {
    /// Returns whether the heading above `place` names a secret. Places must be passed in ascending order.
    fn is_secret_at(&mut self, place: usize, keys: &mut Keys<'a>) -> bool {
        while self.at <= place {
            let line = &self.text[self.at..];
            let length = line.find('\n').map_or(line.len(), |length| length + 1);
            let line = line[..length].trim();
            if let Some(heading) = heading(line) {
                self.is_secret = keys.name_a_secret(heading);
            }
            if self.at + length > place {
                return self.is_secret;
            }
            self.at += length;
        }
        self.is_secret
    }
}

/// Returns the name in a table heading, or `None` if the line is not a heading.
fn heading(line: &str) -> Option<&str> {
    if !line.starts_with('[') {
        return None;
    }
    let mut end = 0;
    while let Some(length) = line[end..].find([']', '"', '\'']) {
        end += length;
        if line[end..].starts_with(']') {
            break;
        }
        let (inner, closed) = string(&line[end..]);
        end += inner.end + if closed { inner.start } else { 0 };
    }
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(']').trim_start();
    (end < line.len() && (rest.is_empty() || rest.starts_with('#'))).then_some(name)
}

/// The maximum length of a key that is looked at, in bytes.
const LONGEST_KEY: usize = 512;

/// Judges the keys of a text. Those that name no secret are remembered, because a text often has the same few keys in
/// thousands of places.
#[derive(Default)]
struct Keys<'a> {
    harmless: HashSet<&'a str>,
}

impl<'a> Keys<'a> {
    /// Returns whether any part of the key before an equals sign names a secret. The key begins after `from`. A
    /// quoted key may begin earlier, because it may hold separators, even an equals sign.
    fn name_before(&mut self, text: &'a str, from: usize, equals: usize) -> bool {
        let before = text[from..equals].trim_end();
        let plain = before.rfind(['\n', '{', ',']).map_or(0, |at| at + 1);
        if self.name_a_secret(&before[plain..]) {
            return true;
        }
        let line = text[..equals].trim_end();
        let line = &line[line.ceil_char_boundary(line.len().saturating_sub(LONGEST_KEY))..];
        line.ends_with(['"', '\''])
            && self.name_a_secret(&line[line.rfind('\n').map_or(0, |at| at + 1)..])
    }

    /// Returns whether a part of a dotted key names a secret.
    fn name_a_secret(&mut self, path: &'a str) -> bool {
        if self.harmless.contains(path) {
            return false;
        }
        let names_one = path_names_a_secret(path);
        if !names_one {
            self.harmless.insert(path);
        }
        names_one
    }
}

/// Returns whether a part of a dotted key names a secret, after its escapes are decoded.
fn path_names_a_secret(path: &str) -> bool {
    let path = unescaped(path);
    let mut parts = path.split(['.', '#', '"', '\'', ' ', '\t', '\r', '[', ']', '=']);
    parts.any(names_a_secret)
}

/// Decodes the escapes of a text (TOML 1.1, "String"). If a sequence is not an escape, only its backslash is
/// removed.
pub(super) fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        plain.push_str(before);
        rest = escape(behind, &mut plain);
    }
    plain + rest
}

/// Decodes the escape at the start of a text, without its backslash, and returns the rest of the text.
fn escape<'a>(text: &'a str, plain: &mut String) -> &'a str {
    let Some(kind) = text.chars().next() else { return text };
    let rest = &text[kind.len_utf8()..];
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    let code = rest.get(..digits).and_then(|code| u32::from_str_radix(code, 16).ok());
    if let Some(decoded) = code.and_then(char::from_u32) {
        plain.push(decoded);
        return &rest[digits..];
    }
    plain.push(match kind {
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        // At the end of a line, an escape removes all blanks and line ends that follow.
        _ if kind.is_whitespace() && starts_with_line_end(text) => return text.trim_start(),
        other => other,
    });
    rest
}

fn starts_with_line_end(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r']).starts_with('\n')
}

/// Returns the ranges of all quoted texts in an array or an inline table, without their quotes.
pub(super) fn strings(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(length) = text[at..].find(['"', '\'']) {
        let start = at + length;
        let (inner, closed) = string(&text[start..]);
        if !closed {
            break;
        }
        found.push(start + inner.start..start + inner.end);
        at = start + inner.end + inner.start;
    }
    found
}

/// Returns the range of the value after an equals sign, without its quotes if it has any.
fn value_after(text: &str, from: usize) -> Range<usize> {
    let first = text.len() - text[from..].trim_start().len();
    let (mut start, mut rest) = (first, &text[first..]);
    // The value may follow on a later line, after comments.
    while rest.starts_with('#') {
        rest = rest[rest.find('\n').unwrap_or(rest.len())..].trim_start();
        start = text.len() - rest.len();
    }
    let value = value_at(text, start);
    if start == first { value } else { first..value.end }
}

/// Returns the range of the value that starts at a place, without its quotes if it has any.
fn value_at(text: &str, start: usize) -> Range<usize> {
    let rest = &text[start..];
    match rest.chars().next() {
        Some('"' | '\'') => {
            let (inner, closed) = string(rest);
            let end = if closed { start + inner.end } else { text.len() };
            start + inner.start..stretched(text, end, inner.start)
        }
        Some('[' | '{') => start + 1..start + brackets(rest),
        _ => start..start + rest.find('\n').unwrap_or(rest.len()),
    }
}

/// Returns the range inside the string that a text starts with, and whether the string has an end. A string
/// that is not closed on its line ends at the next quotation mark, on whatever line that is.
fn string(text: &str) -> (Range<usize>, bool) {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let marks = if text.starts_with(&triple) { triple.as_str() } else { quote };
    let inner = &text[marks.len()..];
    let mut at = 0;
    while let Some(length) = inner[at..].find(['\\', quote.chars().next().unwrap_or('"')]) {
        at += length;
        if inner[at..].starts_with('\\') {
            let escaped = inner[at + 1..].chars().next().map_or(0, char::len_utf8);
            at += 1 + if quote == "\"" { escaped } else { 0 };
        } else if inner[at..].starts_with(marks) {
            // Up to two more quotation marks may belong to the string.
            let more =
                inner[at + marks.len()..].bytes().take(2).take_while(|b| *b == quote.as_bytes()[0]);
            let more = if marks.len() == 3 { more.count() } else { 0 };
            return (marks.len()..marks.len() + at + more, true);
        } else {
            at += 1;
        }
    }
    (marks.len()..text.len(), false)
}

/// Returns the end of a string's value. If what follows shows that the string does not end at its quotation
/// marks, this is the end of the line.
fn stretched(text: &str, end: usize, marks: usize) -> usize {
    let behind = (end + marks).min(text.len());
    let Some(rest) = text.get(behind..) else { return text.len() };
    let line = rest.find('\n').unwrap_or(rest.len());
    let follows = rest[..line].trim_start();
    match follows.is_empty() || follows.starts_with(['#', ',', '}', ']']) {
        true => end,
        false => behind + line,
    }
}

/// Returns the length of the array or inline table that a text starts with, or of the whole text if it has no
/// end.
fn brackets(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(length) = text[at..].find(['[', ']', '{', '}', '"', '\'', '#']) {
        at += length;
        match text.as_bytes()[at] {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b'#' => at += text[at..].find('\n').unwrap_or(text.len() - at - 1),
            _ => {
                let (inner, closed) = string(&text[at..]);
                if !closed {
                    return text.len();
                }
                at += inner.end + inner.start - 1;
            }
        }
        if depth == 0 {
            return at;
        }
        at += 1;
        if at >= text.len() {
            break;
        }
    }
    text.len()
}

/// The texts, in lower case, after which clients of registries send or store what identifies them.
const HEADERS: [&str; 8] = [
    "authorization:",
    "bearer ",
    "_authtoken=",
    "_authtoken =",
    "_password=",
    "_password =",
    "_auth=",
    "_auth =",
];

/// Finds the secrets in headers and in npm's settings in what a client prints. A secret ends at the end of
/// its line, at a quotation mark or, except after `authorization:`, at a blank or a back quote.
pub(super) fn header_secrets(text: &str) -> Vec<Range<usize>> {
    // Only ASCII is changed, so that all offsets stay the same.
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for header in HEADERS {
        let mut last_end = 0;
        for (at, _) in lower.match_indices(header) {
            let start = at + header.len();
            if start <= last_end {
                continue;
            }
            let rest = &text[start..];
            let blank = rest.len() - rest.trim_start_matches([' ', '"', '\'']).len();
            let value = &rest[blank..];
            let ends: &[char] = match header {
                "authorization:" => &['\n', '\r', '"', '\''],
                _ => &['\n', '\r', '"', '\'', ' ', '`'],
            };
            let length = value.find(ends).unwrap_or(value.len());
            // `a bearer of news` is not a header.
            let is_one = header != "bearer " || value[..length].len() >= 8;
            if is_one {
                last_end = start + blank + length;
                found.push(start + blank..last_end);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::mask;

    #[test]
    fn headers_and_settings_of_clients() {
        let check = |text: &str, expect: &str| assert_eq!(mask(text), expect);
        check("> Authorization: Bearer abc.def\nok", "> Authorization: ***\nok");
        check("authorization: 'Basic YTpi'", "authorization: '***'");
        check("with bearer 0123456789 sent", "with bearer *** sent");
        check("a bearer of news", "a bearer of news");
        check("//host/:_authToken=npm_abc", "//host/:_authToken=***");
        check("//host/:_password = \"cGFzcw==\"", "//host/:_password = \"***\"");
        check(
            "GET https://a:b@h/?t=u\n//h/:_auth=eDp5",
            "GET https://***@h/?t=***\n//h/:_auth=***",
        );
    }
}
