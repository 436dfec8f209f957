//! Hides secrets in whatever is shown or kept: in addresses, behind keys that name a secret, and by
//! their value where that is known.
//!
//! Everything works on plain text, without a parser: a broken file or a tool's message must not show a
//! token either. Hiding too much is fine; hiding too little is not.

mod names;
mod urls;
mod values;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Range;

pub use names::names_a_secret;
pub(crate) use urls::has_credentials;
pub(crate) use urls::secrets as url_secrets;
pub(crate) use values::assigned_secrets;

/// What stands for a secret.
const MASK: &str = "***";

/// A shorter value is not searched for: it would blank out ordinary words.
const SHORTEST_SEARCHED: usize = 4;

/// Hides user, password, query, fragment and what looks like a token in every address of a text.
#[must_use]
pub fn mask_urls(text: &str) -> Cow<'_, str> {
    replace(text, url_secrets(text))
}

/// Hides the secrets of addresses and of the headers and settings by which clients of registries
/// identify themselves.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut ranges = url_secrets(text);
    ranges.extend(values::header_secrets(text));
    replace(text, ranges)
}

/// So many values are looked for one by one. Nobody has as many secrets: where there are more, everything
/// that a message quotes is hidden.
const MOST_KNOWN: usize = 500;

/// Hides the same and, behind every `KEY =` whose key names a secret, the value: for messages that
/// quote lines of a configuration.
#[must_use]
pub fn mask_settings(text: &str) -> Cow<'_, str> {
    let mut ranges = url_secrets(text);
    ranges.extend(values::header_secrets(text));
    ranges.extend(assigned_secrets(text));
    replace(text, ranges)
}

/// Values that are known to be secret, to be found in any text.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The longest first, so that no part of one is left.
    values: BTreeSet<(Reverse<usize>, String)>,
}

impl Known {
    /// Adds values; of one with several lines each line too, as messages may show it line by line.
    pub fn extend<'a>(&mut self, values: impl IntoIterator<Item = &'a str>) {
        for value in values {
            let plain = values::unescaped(value);
            for form in [value, &plain] {
                form.lines().for_each(|line| self.add(line));
                self.add(form);
            }
        }
    }

    /// Adds what of an address is secret: as it is written, and decoded.
    pub fn extend_from_url(&mut self, text: &str) {
        for range in url_secrets(text) {
            for part in text[range].split(':') {
                self.extend([part, &urls::decoded(part)]);
            }
        }
    }

    /// Adds the values of another collection.
    pub fn merge(&mut self, other: &Self) {
        other.values.iter().for_each(|(_, value)| self.add(value));
    }

    fn add(&mut self, value: &str) {
        let value = value.trim();
        if value.len() >= SHORTEST_SEARCHED && self.values.len() <= MOST_KNOWN {
            self.values.insert((Reverse(value.len()), value.to_owned()));
        }
    }

    /// Hides the values in a text.
    #[must_use]
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.values.len() > MOST_KNOWN {
            return Cow::Owned(without_quotes(text));
        }
        let found = self.values.iter().filter(|(_, value)| text.contains(value.as_str()));
        found.fold(Cow::Borrowed(text), |text, (_, value)| {
            Cow::Owned(text.replace(value.as_str(), MASK))
        })
    }
}

/// A message without what it quotes.
fn without_quotes(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let masked: Vec<&str> =
        parts.map(|(number, part)| if number % 2 == 0 { part } else { MASK }).collect();
    masked.join("`")
}

/// Puts the mask in the place of the ranges, which may overlap.
fn replace(text: &str, mut ranges: Vec<Range<usize>>) -> Cow<'_, str> {
    ranges.retain(|range| !range.is_empty());
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    ranges.sort_by_key(|range| (range.start, range.end));
    let (mut masked, mut copied) = (String::with_capacity(text.len()), 0);
    for range in ranges {
        if range.start >= copied {
            masked.push_str(&text[copied..range.start]);
            masked.push_str(MASK);
        }
        copied = copied.max(range.end);
    }
    masked.push_str(&text[copied..]);
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_are_hidden_with_each_of_their_lines() {
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
    fn overlapping_ranges_make_one_mask() {
        assert_eq!(replace("abcdef", vec![1..4, 2..5, 5..5]), "a***f");
        assert_eq!(replace("abc", vec![]), "abc");
    }
}
