//! Package URLs, which name packages of all registries in one way.
//!
//! Source: the purl specification (ECMA-427). This covers only what a lock needs: building a URL, taking one
//! apart and checking its shape. It knows no registry but the naming rules of npm.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A package URL with a version, such as `pkg:pypi/componentize-py@0.25.1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Purl(String);

/// The error for a text that is not a package URL with a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no package URL with a version (`pkg:TYPE/NAME@VERSION`)")]
pub struct PurlError(pub String);

impl Purl {
    /// Builds a package URL. `kind` may include a namespace (`deb/debian`). The qualifiers must be sorted by
    /// key.
    #[must_use]
    pub fn new(kind: &str, name: &str, version: &str, qualifiers: &[(&str, &str)]) -> Self {
        debug_assert!(qualifiers.is_sorted(), "BUG: qualifiers of a purl are sorted by key");
        let mut text = format!("pkg:{kind}/{}@{}", encode(name), encode(version));
        for (index, (key, value)) in qualifiers.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            text.push_str(&format!("{separator}{key}={}", encode(value)));
        }
        Self(text)
    }

    /// Builds the package URL of an npm package. Its scope becomes the namespace.
    #[must_use]
    pub fn npm(name: &str, version: &str) -> Self {
        match name.split_once('/') {
            Some((scope, name)) => Self::new(&format!("npm/{}", encode(scope)), name, version, &[]),
            None => Self::new("npm", name, version, &[]),
        }
    }

    /// Returns the name of an npm package with its scope, or `None` if this is no npm package.
    #[must_use]
    pub fn npm_name(&self) -> Option<String> {
        let path = self.0.strip_prefix("pkg:npm/")?.rsplit_once('@')?.0;
        Some(decode(path))
    }

    /// Returns the package's name without the namespace.
    #[must_use]
    pub fn name(&self) -> String {
        decode(self.parts().map_or("", |(name, _)| name))
    }

    /// Returns the package's version.
    #[must_use]
    pub fn version(&self) -> String {
        decode(self.parts().map_or("", |(_, version)| version))
    }

    /// Returns the package URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> Option<(&str, &str)> {
        let path = self.0.strip_prefix("pkg:")?;
        let path = path.split(['?', '#']).next()?;
        let (path, version) = path.rsplit_once('@')?;
        let (kind, name) = path.rsplit_once('/')?;
        (!kind.is_empty() && !name.is_empty() && !version.is_empty()).then_some((name, version))
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Purl {
    type Error = PurlError;

    fn try_from(text: String) -> Result<Self, PurlError> {
        let purl = Self(text);
        if purl.parts().is_some() { Ok(purl) } else { Err(PurlError(purl.0)) }
    }
}

impl From<Purl> for String {
    fn from(purl: Purl) -> Self {
        purl.0
    }
}

/// Percent-encodes all bytes except those that the specification leaves as they are.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, after @ ..] if *first == b'%' => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, after))
            }
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_and_takes_apart() {
        let check = |kind: &str, name: &str, version: &str, qualifiers: &[_], expect: &str| {
            let purl = Purl::new(kind, name, version, qualifiers);
            assert_eq!(purl.as_str(), expect);
            assert_eq!((purl.name(), purl.version()), (name.to_owned(), version.to_owned()));
            assert_eq!(Purl::try_from(expect.to_owned()), Ok(purl));
        };
        check("pypi", "componentize-py", "0.25.1", &[], "pkg:pypi/componentize-py@0.25.1");
        check(
            "deb/debian",
            "libstdc++6",
            "2:6.2.1+dfsg1-1",
            &[("arch", "amd64"), ("distro", "bookworm")],
            "pkg:deb/debian/libstdc%2B%2B6@2:6.2.1%2Bdfsg1-1?arch=amd64&distro=bookworm",
        );
    }

    #[test]
    fn an_npm_scope_is_a_namespace() {
        let check = |name: &str, expect: &str| {
            let purl = Purl::npm(name, "1.0.0-rc.1");
            assert_eq!(purl.as_str(), expect);
            assert_eq!(purl.npm_name().as_deref(), Some(name));
            assert_eq!(purl.version(), "1.0.0-rc.1");
        };
        check("esbuild", "pkg:npm/esbuild@1.0.0-rc.1");
        check("@esbuild/linux-x64", "pkg:npm/%40esbuild/linux-x64@1.0.0-rc.1");
        assert_eq!(Purl::new("pypi", "x", "1", &[]).npm_name(), None);
    }

    #[test]
    fn refuses_what_is_none() {
        for text in ["", "pkg:pypi/x", "pypi/x@1", "pkg:pypi/@1", "pkg:x@1", "pkg:pypi/x@"] {
            assert_eq!(Purl::try_from(text.to_owned()), Err(PurlError(text.to_owned())));
        }
    }
}
