//! Finds values that are known to be secret in any text, in all the forms in which programs show them.
//!
//! It does not know where the values come from. All of them are searched for at once, so the time grows with
//! the length of the text and not with the number of values.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::{MASK, replace, url_secrets, urls, values};

/// The length of the shortest value that is searched for, in bytes. A shorter one would hide ordinary words.
const SHORTEST: usize = 4;

/// The length, in bytes, of the shortest value that is also searched for in hexadecimal and base64. A shorter
/// value in a configuration file is not taken for a secret.
const SHORTEST_ENCODED: usize = 8;

/// The maximum length of all values together, in bytes. Nobody has as many secrets. If there are more,
/// everything that a message quotes is hidden.
const LONGEST: usize = 1 << 20;

/// A set of secret values.
#[derive(Clone, Default)]
pub struct Known {
    values: BTreeSet<String>,
    length: usize,
    search: OnceLock<Option<AhoCorasick>>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("values", &self.values.len()).finish_non_exhaustive()
    }
}

impl Known {
    /// Adds values. Each line of a value is added as well, because messages may show it line by line, and so
    /// is each quoted text in it, because it may be a list or a table.
    pub fn extend<'a>(&mut self, values: impl IntoIterator<Item = &'a str>) {
        for value in values {
            for form in [value, &values::unescaped(value)] {
                form.lines().for_each(|line| self.add(line));
                self.add(form);
            }
            for range in values::strings(value) {
                let inner = &value[range];
                self.add(inner);
                self.add(&values::unescaped(inner));
            }
        }
    }

    /// Adds the secret parts of an address, both as they are written and decoded.
    pub fn extend_from_url(&mut self, text: &str) {
        for range in url_secrets(text) {
            for part in text[range].split(':') {
                self.extend([part, &urls::decoded(part)]);
            }
        }
    }

    /// Adds all values of another set.
    pub fn merge(&mut self, other: &Self) {
        other.values.iter().for_each(|value| self.insert(value.clone()));
    }

    /// Adds a value in the forms in which programs show it: as it is, as a word of a shell, in JSON, in
    /// Rust's debug format, and percent-encoded.
    fn add(&mut self, value: &str) {
        let value = value.trim();
        if value.len() < SHORTEST || self.values.contains(value) {
            return;
        }
        let json = serde_json::Value::from(value).to_string();
        let encoded = urls::encoded(value);
        let forms = [
            value.to_owned(),
            value.replace('\'', r"'\''"),
            json.trim_matches('"').to_owned(),
            value.escape_debug().to_string(),
            lower_case_escapes(&encoded),
            encoded,
        ];
        forms.into_iter().for_each(|form| self.insert(form));
        if value.len() >= SHORTEST_ENCODED {
            let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
            self.insert(hex.to_uppercase());
            self.insert(hex);
            base64_forms(value).into_iter().for_each(|form| self.insert(form));
        }
    }

    /// Adds the secrets in a client's configuration file: the values of keys that name a secret, the secrets
    /// in addresses and headers, and the passwords of a `.netrc`.
    pub fn extend_from_settings(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let passwords = words.windows(2).filter(|pair| pair[0] == "password").map(|pair| pair[1]);
        let mut ranges = values::assigned_secrets(text);
        ranges.extend(values::header_secrets(text));
        let assigned = ranges.into_iter().map(|range| text[range].trim_matches(['"', '\'', ' ']));
        // A header's secret is also what follows its scheme, such as `Basic`.
        let assigned = assigned.flat_map(|value| [Some(value), value.split_whitespace().nth(1)]);
        let assigned = assigned.flatten();
        // A path or a variable says where a secret is, and is not one. Short values are words such as `true`.
        let is_secret = |value: &&str| {
            value.len() >= SHORTEST_ENCODED && !value.starts_with(['/', '$', '~', '[', '{'])
        };
        self.extend(assigned.chain(passwords).filter(is_secret));
        self.extend_from_url(text);
    }

    fn insert(&mut self, value: String) {
        let length = value.len();
        // A value that is known already must not count twice or cause the search to be built again.
        if self.length <= LONGEST && self.values.insert(value) {
            self.length += length;
            self.search = OnceLock::new();
        }
    }

    /// Replaces the values in a text by the mask.
    #[must_use]
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.values.is_empty() {
            return Cow::Borrowed(text);
        }
        match self.search.get_or_init(|| self.searcher()) {
            Some(search) => replace(text, found(search, text)),
            None => Cow::Owned(without_quotes(text)),
        }
    }

    /// Builds the search for all values at once. Returns `None` if there are too many.
    fn searcher(&self) -> Option<AhoCorasick> {
        let mut builder = AhoCorasick::builder();
        // The other kinds take a hundred times as much memory as the values.
        builder.kind(Some(AhoCorasickKind::ContiguousNFA)).match_kind(MatchKind::LeftmostLongest);
        (self.length <= LONGEST).then(|| builder.build(&self.values).ok()).flatten()
    }
}

/// Returns a percent-encoded text with the hexadecimal digits of its escapes in lower case.
fn lower_case_escapes(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at(2);
        format!("{text}%{}{rest}", digits.to_ascii_lowercase())
    })
}

/// Returns the forms that a value has inside a longer text that is encoded in base64 (RFC 4648, sections 4
/// and 5). Three bytes become four letters, so the form depends on the position of the value's first byte
/// within its group of three. The letters at both ends also depend on the neighbouring bytes, and are left
/// out.
fn base64_forms(value: &str) -> Vec<String> {
    let forms = (0..3).flat_map(|before| {
        let bytes = [&[0; 2][..before], value.as_bytes()].concat();
        let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        let inner = |text: String| text[first..last].to_owned();
        [inner(STANDARD_NO_PAD.encode(&bytes)), inner(URL_SAFE_NO_PAD.encode(&bytes))]
    });
    forms.collect()
}

/// Returns the places of the values in a text. They may overlap.
fn found(search: &AhoCorasick, text: &str) -> Vec<Range<usize>> {
    let next = |from: usize| search.find(Input::new(text).range(from..));
    let starts = std::iter::successors(next(0), |last| next(last.start() + 1));
    starts.map(|found| found.range()).collect()
}

/// Returns a message with everything between back quotes masked.
fn without_quotes(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let masked: Vec<&str> =
        parts.map(|(number, part)| if number % 2 == 0 { part } else { MASK }).collect();
    masked.join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_hidden_with_each_of_their_lines() {
        let mut known = Known::default();
        known.extend(["first-line\nsecond-line\n", "first-line-and-more", "abc"]);
        known.extend_from_url("https://me:p%40ss-word@host/x?token=qwertz");
        let check = |text: &str, expect: &str| assert_eq!(known.mask(text), expect);
        check("a first-line b", "a *** b");
        check("second-line", "***");
        check("first-line-and-more", "***");
        check("abc", "abc");
        check("p@ss-word p%40ss-word qwertz", "*** *** ***");
    }

    #[test]
    fn values_are_hidden_in_every_form() {
        let mut known = Known::default();
        known.extend(["it's \"a\" s\\ecret", "tab\\tand \\u0041 \\e", "cut \\\n   in two"]);
        let check = |text: &str, expect: &str| assert_eq!(known.mask(text), expect);
        check("= it's \"a\" s\\ecret.", "= ***.");
        check(r#"'it'\''s "a" s\ecret'"#, "'***'");
        check(r#"{"a":"it's \"a\" s\\ecret"}"#, r#"{"a":"***"}"#);
        check("?x=it%27s%20%22a%22%20s%5Cecret", "?x=***");
        check("`tab\tand A \u{1b}`", "`***`");
        check("cut in two", "***");
    }

    #[test]
    fn values_are_hidden_in_whatever_is_encoded() {
        let secret = "s3cret-Token?>~";
        let mut known = Known::default();
        known.extend([secret]);
        for before in ["", "a", "ab", "abc", "me:", "user:"] {
            for after in ["", "x", "xy"] {
                let bytes = format!("{before}{secret}{after}");
                for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
                    let masked = known.mask(&text).into_owned();
                    assert!(masked.contains("***") && masked.len() <= 3 + 12, "{bytes}: {masked}");
                }
            }
        }
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(known.mask(&format!("{hex} {}", hex.to_uppercase())), "*** ***");
        assert_eq!(known.mask("s3cret-Token%3f%3e~ s3cret-Token%3F%3E~"), "*** ***");
    }

    #[test]
    fn files_of_clients_have_secrets() {
        let mut known = Known::default();
        for text in [
            "//host/:_authToken=npm_tok-1\nalways-auth=true\nfoo=bar-bar-bar\n//h/:_authToken=${TOKEN}",
            "[registries.own]\ntoken = \"cargo-tok\"\n[registry]\ntoken='cargo-t-2'",
            "machine host login me password netrc-pw\nmachine other\n  login me\n  password netrc-pw-2",
            "[global]\nindex-url = https://me:pip-pw@host/simple",
            "https://me:git-pw@host\n",
            "[http]\n\textraHeader = Authorization: Basic Z2l0OmhlYWRlcg==",
        ] {
            known.extend_from_settings(text);
        }
        let text = "npm_tok-1 cargo-tok cargo-t-2 netrc-pw netrc-pw-2 pip-pw git-pw Z2l0OmhlYWRlcg== \
                    true bar-bar-bar ${TOKEN}";
        let expect = "*** *** *** *** *** *** *** *** true bar-bar-bar ${TOKEN}";
        assert_eq!(known.mask(text), expect);
    }

    #[test]
    fn texts_in_lists_and_tables_are_values() {
        let mut known = Known::default();
        known.extend(["[\"first\", 'second']", "{ a = \"thi\\u0072d\" }"]);
        assert_eq!(known.mask("first second third"), "*** *** ***");
    }

    #[test]
    fn values_that_overlap_are_hidden_together() {
        let mut known = Known::default();
        known.extend(["token", "ken-s3cret", "ken-s"]);
        assert_eq!(known.mask("a token-s3cret b"), "a *** b");
    }

    #[test]
    fn of_too_many_values_no_quote_is_shown() {
        let many: Vec<String> = (0..100_000).map(|n| format!("value-{n:06}")).collect();
        let mut known = Known::default();
        known.extend(many.iter().map(String::as_str));
        assert_eq!(known.mask("not `anything` here"), "not `***` here");
    }

    #[test]
    fn the_time_grows_with_the_text() {
        let many: Vec<String> = (0..20_000).map(|n| format!("value-{n:06}")).collect();
        let mut known = Known::default();
        known.extend(many.iter().map(String::as_str));
        let begin = std::time::Instant::now();
        for number in 0..20_000 {
            assert_eq!(known.mask(&format!("not `value-{number:06}`")), "not `***`");
        }
        assert!(begin.elapsed() < std::time::Duration::from_secs(10), "{:?}", begin.elapsed());
    }
}
