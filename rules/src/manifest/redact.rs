//! Hides secrets before any text of `run.toml` can be shown.
//!
//! A token must not reach a terminal or a CI log, not even when the file is broken in a way that
//! leaves the TOML parser guessing. So this works on the raw text, without the parser: whatever
//! follows `KEY =`, where KEY looks like the name of a secret, is replaced by asterisks, as are the
//! credentials of a URL. Hiding too much is fine; the offsets of everything else must not move.

use std::ops::Range;

/// Words which mark a key as the name of a secret, in snake case.
const SECRET_WORDS: [&str; 7] =
    ["token", "secret", "password", "passwd", "credential", "api_key", "private_key"];
/// The key of the registry's token; misspellings of it are secret too.
const TOKEN_KEY: &str = "auth_token";
/// A shorter secret is not searched for in messages: it would blank out ordinary words.
const SHORTEST_SEARCHED: usize = 4;

/// A text without its secrets, and the secrets, to keep them out of messages too.
#[derive(Clone)]
pub(super) struct Redacted {
    text: String,
    secrets: Vec<String>,
}

impl Redacted {
    /// Finds and hides the secrets of a text.
    pub(super) fn new(text: &str) -> Self {
        let mut ranges = assigned_secrets(text);
        ranges.extend(url_credentials(text));
        let found = ranges.iter().map(|range| text[range.clone()].trim());
        let mut secrets: Vec<String> =
            found.filter(|secret| secret.len() >= SHORTEST_SEARCHED).map(str::to_owned).collect();
        secrets.sort();
        secrets.dedup();
        Self { text: mask(text, &ranges), secrets }
    }

    /// The text with asterisks for secrets; as long as the original, byte for byte.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Replaces the secrets wherever they occur in a message.
    pub(super) fn redact(&self, message: String) -> String {
        self.secrets.iter().fold(message, |message, secret| {
            if message.contains(secret) { message.replace(secret, "***") } else { message }
        })
    }
}

/// Replaces each byte of the ranges by an asterisk; keeps line ends.
fn mask(text: &str, ranges: &[Range<usize>]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut ranges = ranges.to_vec();
    ranges.sort_by_key(|range| range.start);
    for range in ranges {
        let start = range.start.max(masked.len());
        masked.push_str(&text[masked.len()..start]);
        for char in text[start..range.end.max(start)].chars() {
            match char {
                '\n' | '\r' => masked.push(char),
                _ => masked.extend(std::iter::repeat_n('*', char.len_utf8())),
            }
        }
    }
    masked.push_str(&text[masked.len()..]);
    masked
}

/// The values of all `KEY = VALUE` whose key names a secret.
fn assigned_secrets(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (equals, _) in text.match_indices('=') {
        let inside = found.last().is_some_and(|last| equals < last.end);
        if !inside && key_before(text, equals).is_some_and(names_a_secret) {
            found.push(value_after(text, equals + 1));
        }
    }
    found
}

/// The last segment of the key before an equals sign, without its quotes.
fn key_before(text: &str, equals: usize) -> Option<&str> {
    let before = text[..equals].trim_end_matches([' ', '\t']).trim_end_matches(['"', '\'']);
    let is_key = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let start = before.rfind(|c| !is_key(c)).map_or(0, |at| before.ceil_char_boundary(at + 1));
    Some(&before[start..]).filter(|key| !key.is_empty())
}

fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| key.contains(word))
        || strsim::damerau_levenshtein(&key, TOKEN_KEY) <= 2
}

/// The extent of the value after an equals sign, without its quotes where it has any.
///
/// A value whose end is missing extends to the end of the line, or of the file if it is of a form
/// that may span lines.
fn value_after(text: &str, from: usize) -> Range<usize> {
    let rest = text[from..].trim_start();
    let start = text.len() - rest.len();
    let line_end = rest.find('\n').unwrap_or(rest.len());
    for quotes in ["\"\"\"", "'''"] {
        if let Some(inner) = rest.strip_prefix(quotes) {
            let length = inner.find(quotes).unwrap_or(inner.len());
            return start + 3..start + 3 + length;
        }
    }
    match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => start + 1..start + closing_quote(&rest[..line_end], quote),
        Some('[') => start + 1..start + rest.find(']').unwrap_or(rest.len()),
        Some('{') => start + 1..start + rest.find('}').unwrap_or(rest.len()),
        _ => start..start + line_end,
    }
}

/// Offset of the quote that closes the one a line starts with.
///
/// The length of the line if it has none, or if what follows shows that the quotes are not what
/// they seem.
fn closing_quote(line: &str, quote: char) -> usize {
    let mut escaped = false;
    let closing = line.char_indices().skip(1).find(|(_, char)| {
        let closes = *char == quote && !escaped;
        escaped = *char == '\\' && !escaped && quote == '"';
        closes
    });
    let Some((offset, _)) = closing else { return line.len() };
    let rest = line[offset + 1..].trim_start();
    if rest.is_empty() || rest.starts_with(['#', ',', '}', ']']) { offset } else { line.len() }
}

/// The credentials of every `scheme://user:password@host`; the user of `ssh://` is no secret.
fn url_credentials(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.match_indices("://").filter_map(|(at, separator)| {
        let start = at + separator.len();
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '/' | '?' | '#');
        let authority = text[start..].split(ends).next()?;
        let (user, _) = authority.rsplit_once('@')?;
        let secret = user.contains(':') || !text[..at].ends_with("ssh");
        secret.then(|| start..start + user.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let redacted = Redacted::new(text);
        assert_eq!(redacted.as_str(), expected);
        assert_eq!(redacted.as_str().len(), text.len(), "offsets moved");
    }

    #[test]
    fn values_of_secret_keys_are_hidden() {
        check(r#"auth_token = "s3cret""#, r#"auth_token = "******""#);
        check(r#"auth_token="s3cret" # mine"#, r#"auth_token="******" # mine"#);
        check(r#"registry.auth_token = 's3\'"#, r#"registry.auth_token = '***'"#);
        check(r#"r = { auth_token = "s", url = "u" }"#, r#"r = { auth_token = "*", url = "u" }"#);
        check(r#""auth_token" = "a\"b""#, r#""auth_token" = "****""#);
        check(r#"'auth_token' = "ab""#, r#"'auth_token' = "**""#);
        check(
            "auth_token = \"\"\"\nab\ncd\"\"\"\nx = 1",
            "auth_token = \"\"\"\n**\n**\"\"\"\nx = 1",
        );
        check("auth_token = '''ab'''", "auth_token = '''**'''");
        check("API-Token = 12", "API-Token = **");
        check("auth_token = \"ä\"", "auth_token = \"**\"");
        check("password = [\"a\",\n\"b\"]", "password = [****\n***]");
    }

    #[test]
    fn misspelt_and_broken_secrets_are_hidden_too() {
        check("auth_tokn = \"ab\"", "auth_tokn = \"**\"");
        check("auth_token = \"ab\nx = 1", "auth_token = \"**\nx = 1");
        check("auth_token = \"ab\"cd\"", "auth_token = \"******");
        check("auth_token = ab\r\nx = 1", "auth_token = **\r\nx = 1");
        check("auth_token =\n\"ab\"", "auth_token =\n\"**\"");
        check("auth_token = \"\"\"ab", "auth_token = \"\"\"**");
        check("# auth_token = \"ab\"", "# auth_token = \"**\"");
        check("auth_token =", "auth_token =");
    }

    #[test]
    fn everything_else_is_kept() {
        check("name = \"api\"\n= 1\n", "name = \"api\"\n= 1\n");
        check("watch = [\"a\"]", "watch = [\"a\"]");
        check("url = \"https://host/a@b:c\"", "url = \"https://host/a@b:c\"");
        check("git = \"ssh://git@host/x\"", "git = \"ssh://git@host/x\"");
    }

    #[test]
    fn credentials_in_urls_are_hidden() {
        check("url = \"https://me:pw@host/x\"", "url = \"https://*****@host/x\"");
        check("url = \"https://ab@host/x\"", "url = \"https://**@host/x\"");
        check("url = \"ssh://me:pw@host/x\"", "url = \"ssh://*****@host/x\"");
    }

    #[test]
    fn messages_lose_the_secrets_of_the_file() {
        let redacted = Redacted::new("auth_token = \"s3cret\"");
        assert_eq!(redacted.redact("found s3cret here".into()), "found *** here");
    }
}
