//! Digests as statements and bills of materials name them: an algorithm and hexadecimal digits.
//!
//! in-toto's [DigestSet](https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md) names the
//! algorithms. It lets producers use others, which consumers must ignore: so `blake3`, by which this build system
//! knows trees, may stand in a statement, but only *beside* an algorithm of the specification or where nothing
//! else is known of a thing. The subjects of our statements always have `sha256`.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::printable;

/// The SHA-256 of some bytes. It is written as 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

/// The algorithm of a digest, by its name in a DigestSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Algorithm {
    /// BLAKE3 with 256 bits. The specification does not know it.
    Blake3,
    /// The hash of a Go module, without `h1:` and in hexadecimal digits.
    DirHash,
    /// The name of a commit of Git: SHA-1 or SHA-256.
    GitCommit,
    /// SHA-1. It says which package a registry means, and proves nothing.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// The digests of one thing: at least one, each in lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "BTreeMap<Algorithm, String>", try_from = "BTreeMap<Algorithm, String>")]
pub struct Digests(BTreeMap<Algorithm, String>);

/// The reason why something is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The text has other characters or another length.
    #[error(
        "`{digest}` is not a digest of {algorithm}, which has {expected} lower-case hexadecimal digits"
    )]
    Digits {
        /// The algorithm.
        algorithm: Algorithm,
        /// The text.
        digest: String,
        /// The numbers of digits that the algorithm has.
        expected: &'static str,
    },
    /// There is no digest at all.
    #[error("there is no digest")]
    None,
}

impl Sha256 {
    /// Hashes some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Returns the 64 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, byte| {
            // Writing to a `String` can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Returns the 32 bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Sha256 {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        check(Algorithm::Sha256, text)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).expect("it was checked");
            *byte = u8::try_from(digit(0) * 16 + digit(1)).expect("two digits are a byte");
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

impl Algorithm {
    /// Returns the name that a DigestSet has for the algorithm.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::DirHash => "dirHash",
            Self::GitCommit => "gitCommit",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Returns the numbers of digits that a digest may have, and their description.
    const fn digits(self) -> (&'static [usize], &'static str) {
        match self {
            Self::GitCommit => (&[40, 64], "40 or 64"),
            Self::Sha1 => (&[40], "40"),
            Self::Blake3 | Self::DirHash | Self::Sha256 => (&[64], "64"),
            Self::Sha512 => (&[128], "128"),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Digests {
    /// Makes a set of digests.
    ///
    /// # Errors
    /// There is none, or one is not written as its algorithm demands.
    pub fn new(
        digests: impl IntoIterator<Item = (Algorithm, String)>,
    ) -> Result<Self, DigestError> {
        BTreeMap::from_iter(digests).try_into()
    }

    /// Returns the SHA-256, if there is one.
    #[must_use]
    pub fn sha256(&self) -> Option<Sha256> {
        self.0.get(&Algorithm::Sha256)?.parse().ok()
    }

    /// Returns the digests in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (Algorithm, &str)> {
        self.0.iter().map(|(algorithm, digest)| (*algorithm, digest.as_str()))
    }
}

impl From<Sha256> for Digests {
    fn from(digest: Sha256) -> Self {
        Self(BTreeMap::from([(Algorithm::Sha256, digest.hex())]))
    }
}

impl From<Digests> for BTreeMap<Algorithm, String> {
    fn from(digests: Digests) -> Self {
        digests.0
    }
}

impl TryFrom<BTreeMap<Algorithm, String>> for Digests {
    type Error = DigestError;

    fn try_from(digests: BTreeMap<Algorithm, String>) -> Result<Self, DigestError> {
        if digests.is_empty() {
            return Err(DigestError::None);
        }
        for (algorithm, digest) in &digests {
            check(*algorithm, digest)?;
        }
        Ok(Self(digests))
    }
}

impl fmt::Display for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (algorithm, digest)) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { " " };
            write!(f, "{separator}{algorithm}:{digest}")?;
        }
        Ok(())
    }
}

fn check(algorithm: Algorithm, digest: &str) -> Result<(), DigestError> {
    let (lengths, expected) = algorithm.digits();
    let is_hex = digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex && lengths.contains(&digest.len()) {
        return Ok(());
    }
    Err(DigestError::Digits { algorithm, digest: printable(digest, 80), expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_in_one_way() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256::of(b"").hex(), empty);
        assert_eq!(empty.parse(), Ok(Sha256::of(b"")));
        for wrong in [&empty[1..], &empty.to_uppercase(), &format!("sha256:{empty}"), ""] {
            assert!(wrong.parse::<Sha256>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_set_of_digests_has_known_algorithms_only() {
        let commit = "a".repeat(40);
        let set = Digests::new([(Algorithm::GitCommit, commit.clone())]).unwrap();
        let json = format!(r#"{{"gitCommit":"{commit}"}}"#);
        assert_eq!(serde_json::to_string(&set).unwrap(), json);
        assert_eq!(serde_json::from_str::<Digests>(&json).unwrap(), set);
        assert!(serde_json::from_str::<Digests>("{}").is_err());
        assert!(serde_json::from_str::<Digests>(r#"{"md5":"00"}"#).is_err());
        assert!(serde_json::from_str::<Digests>(r#"{"sha256":"00"}"#).is_err());
    }
}
