//! The values of the lock's `[checksums]` table, which are written as `algorithm:hex`. Nothing here computes
//! a checksum.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A checksum, such as `sha256:8623cd8c…`.
///
/// The digits are kept as they were written. A lock that was written by hand may have any text there, which
/// then equals no checksum.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Checksum {
    algorithm: Algorithm,
    digits: String,
}

/// The digest function of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// BLAKE3 of a tree's root `Directory` message.
    Blake3,
    /// SHA-256 of a file.
    Sha256,
}

impl Algorithm {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::Sha256 => "sha256",
        }
    }
}

/// The error for a text that is not a checksum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no checksum (`sha256:HEX` or `blake3:HEX`)")]
pub struct ChecksumError(pub String);

impl Checksum {
    /// Makes a checksum from its parts.
    #[must_use]
    pub const fn new(algorithm: Algorithm, digits: String) -> Self {
        Self { algorithm, digits }
    }

    /// Returns the digest function.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the digits as they were written.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.digits)
    }
}

impl FromStr for Checksum {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        let known = [Algorithm::Blake3, Algorithm::Sha256];
        let parse = |text: &str| {
            let (name, digits) = text.split_once(':')?;
            let algorithm = known.into_iter().find(|algorithm| algorithm.as_str() == name)?;
            (!digits.is_empty()).then(|| Self::new(algorithm, digits.to_owned()))
        };
        parse(text).ok_or_else(|| ChecksumError(text.to_owned()))
    }
}

impl TryFrom<String> for Checksum {
    type Error = ChecksumError;

    fn try_from(text: String) -> Result<Self, ChecksumError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_it_writes() {
        for text in ["sha256:abc123...", "blake3:00ff"] {
            assert_eq!(text.parse::<Checksum>().unwrap().to_string(), text);
        }
        for text in ["", "sha256", "sha256:", "md5:00", ":00"] {
            assert_eq!(text.parse::<Checksum>(), Err(ChecksumError(text.to_owned())));
        }
    }
}
