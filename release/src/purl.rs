//! Checks package URLs: the names that statements and bills of materials have for packages.
//!
//! Only the form is checked that all types of packages share. Whether a name is a good one for its type is known to
//! whoever makes it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::printable;

/// A [package URL](https://github.com/package-url/purl-spec), such as `pkg:cargo/serde@1.0.229`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Purl(String);

/// The reason why a text is not a package URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a package URL: it begins with `pkg:`, a type, `/` and a name, and has no characters but those of a URL"
)]
pub struct PurlError(String);

impl Purl {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Purl {
    type Err = PurlError;

    fn from_str(text: &str) -> Result<Self, PurlError> {
        let is_package = || {
            let (kind, rest) = text.strip_prefix("pkg:")?.split_once('/')?;
            let name = rest.split(['@', '?', '#']).next()?;
            // RFC 3986: everything else is percent-encoded.
            let is_url =
                |c: u8| c.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&c);
            let is_kind = |c: u8| {
                c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'+' | b'-')
            };
            (kind.starts_with(|c: char| c.is_ascii_lowercase())
                && kind.bytes().all(is_kind)
                && name.split('/').all(|part| !part.is_empty())
                && rest.bytes().all(is_url))
            .then_some(())
        };
        match is_package() {
            Some(()) => Ok(Self(text.to_owned())),
            None => Err(PurlError(printable(text, 200))),
        }
    }
}

impl TryFrom<String> for Purl {
    type Error = PurlError;

    fn try_from(text: String) -> Result<Self, PurlError> {
        text.parse()
    }
}

impl From<Purl> for String {
    fn from(purl: Purl) -> Self {
        purl.0
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_url_names_a_type_and_a_package() {
        for good in [
            "pkg:cargo/serde@1.0.229",
            "pkg:generic/rustc@1.95.0?target=x86_64-unknown-linux-gnu",
            "pkg:npm/%40scope/name@1.0.0",
            "pkg:golang/golang.org/x/text@v0.3.0#encoding",
            "pkg:wasm/wasi/http@0.2.10",
        ] {
            assert_eq!(good.parse::<Purl>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "serde",
            "pkg:cargo",
            "pkg:cargo/",
            "pkg:/serde",
            "pkg:cargo/@1",
            "pkg:Cargo/serde",
            "pkg:cargo/a b",
            "pkg:cargo//serde",
            "pkg:cargo/serde\n",
            "pkg:cargo/ß",
        ] {
            assert!(bad.parse::<Purl>().is_err(), "{bad}");
        }
    }
}
