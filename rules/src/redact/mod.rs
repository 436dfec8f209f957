//! Hides secrets in everything that is shown or kept. A secret is found by its place in an address, by the
//! name of its key, or by its value where that is known.
//!
//! Everything works on plain text, without a parser, because a broken file or a tool's message must not show
//! a token either. Hiding too much is fine; hiding too little is not.

mod known;
mod names;
mod urls;
mod values;

use std::borrow::Cow;
use std::ops::Range;

pub use known::Known;
pub use names::names_a_secret;
pub(crate) use urls::{has_credentials, secrets as url_secrets};
pub(crate) use values::assigned_secrets;

/// The text that is shown in place of a secret.
const MASK: &str = "***";

/// Hides users, passwords, queries, fragments and anything that looks like a token, in every address of a
/// text.
#[must_use]
pub fn mask_urls(text: &str) -> Cow<'_, str> {
    replace(text, url_secrets(text))
}

/// Hides the secrets in addresses, and in the headers and settings by which clients of registries identify
/// themselves.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut ranges = url_secrets(text);
    ranges.extend(values::header_secrets(text));
    replace(text, ranges)
}

/// Hides what [`mask`] hides and also the value after each `KEY =` whose key names a secret. This is for
/// messages that quote lines of a configuration file.
#[must_use]
pub fn mask_settings(text: &str) -> Cow<'_, str> {
    let mut ranges = url_secrets(text);
    ranges.extend(values::header_secrets(text));
    ranges.extend(assigned_secrets(text));
    replace(text, ranges)
}

/// Replaces the ranges, which may overlap, by [`MASK`].
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
    fn overlapping_ranges_make_one_mask() {
        assert_eq!(replace("abcdef", vec![1..4, 2..5, 5..5]), "a***f");
        assert_eq!(replace("abc", vec![]), "abc");
    }
}
