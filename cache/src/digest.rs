//! A digest names some bytes by a digest function, its 32-byte hash of them, and their size.
//!
//! The size belongs to the identity, as in the Remote Execution API: with it, a reader notices a truncated file by one
//! `stat`, and can plan a transfer before it starts. The function is part of the value, so that
//! digests of two functions can't be mixed up; the wire form ([`reapi::Digest`]) leaves it out.

use std::fmt;
use std::str::FromStr;

use crate::hasher::Hasher;
use crate::reapi;

/// A hash function that digests are made with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestFunction {
    /// BLAKE3 with its default 32-byte output.
    #[default]
    Blake3,
    /// SHA-256, for remotes that speak nothing else.
    Sha256,
}

impl DigestFunction {
    /// Lists every function, in a fixed order.
    pub const ALL: [Self; 2] = [Self::Blake3, Self::Sha256];

    /// Returns the name in lower case, as the Remote Execution API writes it in resource names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::Sha256 => "sha256",
        }
    }
}

impl fmt::Display for DigestFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DigestFunction {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let known = Self::ALL.into_iter().find(|function| function.name() == text);
        known.ok_or_else(|| ParseDigestError::Function(text.to_owned()))
    }
}

/// The name of a blob: function, hash and size in bytes.
///
/// Shown and parsed as `blake3:<64 hex digits>/<size>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    function: DigestFunction,
    hash: [u8; 32],
    size: u64,
}

impl Digest {
    /// Makes a digest from its parts, as a store or a peer names it. Nothing is hashed.
    pub fn new(function: DigestFunction, hash: [u8; 32], size: u64) -> Self {
        Self { function, hash, size }
    }

    /// Computes the digest of `bytes`.
    pub fn of(function: DigestFunction, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(function);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Returns the digest of zero bytes, which is also the digest of the empty `Directory` message.
    pub fn empty(function: DigestFunction) -> Self {
        Self::of(function, &[])
    }

    /// Returns the function that made the hash.
    pub fn function(&self) -> DigestFunction {
        self.function
    }

    /// Returns the raw bytes of the hash.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Returns the size of the blob in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the hash as 64 lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = String::with_capacity(64);
        for byte in self.hash {
            hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
            hex.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        hex
    }

    /// Converts the digest to its wire form, which does not say which function made the hash.
    ///
    /// # Panics
    /// Never for a digest of real bytes: sizes above `i64::MAX` don't exist.
    pub fn to_reapi(&self) -> reapi::Digest {
        let size_bytes = i64::try_from(self.size).expect("no blob has more than i64::MAX bytes");
        reapi::Digest { hash: self.hex(), size_bytes }
    }

    /// Reads the wire form of a digest whose hash was made by `function`.
    pub fn from_reapi(
        function: DigestFunction,
        digest: &reapi::Digest,
    ) -> Result<Self, ParseDigestError> {
        let size = u64::try_from(digest.size_bytes)
            .map_err(|_| ParseDigestError::Size(digest.size_bytes.to_string()))?;
        Ok(Self { function, hash: parse_hash(&digest.hash)?, size })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.function, self.hex(), self.size)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let form = || ParseDigestError::Form(text.to_owned());
        let (function, rest) = text.split_once(':').ok_or_else(form)?;
        let (hash, size) = rest.split_once('/').ok_or_else(form)?;
        Ok(Self { function: function.parse()?, hash: parse_hash(hash)?, size: parse_size(size)? })
    }
}

/// The reason why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseDigestError {
    /// The text does not have the form `function:hash/size`.
    #[error("`{}` is not of the form `function:hash/size`", .0.escape_debug())]
    Form(String),
    /// The function is not one of [`DigestFunction::ALL`].
    #[error("unknown digest function `{}`, expected `blake3` or `sha256`", .0.escape_debug())]
    Function(String),
    /// The hash is not 64 lower-case hexadecimal digits.
    #[error("`{}` is not a hash of 64 lower-case hexadecimal digits", .0.escape_debug())]
    Hash(String),
    /// The size is not a plain decimal number.
    #[error("`{}` is not a size in bytes", .0.escape_debug())]
    Size(String),
}

pub(crate) fn parse_hash(hex: &str) -> Result<[u8; 32], ParseDigestError> {
    let error = || ParseDigestError::Hash(hex.to_owned());
    let mut hash = [0; 32];
    if hex.len() != 64 {
        return Err(error());
    }
    for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = nibble(pair[0]).zip(nibble(pair[1])).map(|(h, l)| h << 4 | l).ok_or_else(error)?;
    }
    Ok(hash)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Reads a size. A digest has only one spelling, so signs and leading zeros are refused.
fn parse_size(text: &str) -> Result<u64, ParseDigestError> {
    let size = text.parse::<u64>().ok().filter(|size| size.to_string() == text);
    size.ok_or_else(|| ParseDigestError::Size(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_BLAKE3: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ABC_BLAKE3: &str = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
    const ABC_SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn published_vectors() {
        let check = |function, bytes: &[u8], hex: &str| {
            let digest = Digest::of(function, bytes);
            assert_eq!(digest.hex(), hex);
            assert_eq!(digest.size(), bytes.len() as u64);
            assert_eq!(digest.function(), function);
        };
        check(DigestFunction::Blake3, b"", EMPTY_BLAKE3);
        check(DigestFunction::Sha256, b"", EMPTY_SHA256);
        check(DigestFunction::Blake3, b"abc", ABC_BLAKE3);
        check(DigestFunction::Sha256, b"abc", ABC_SHA256);
    }

    #[test]
    fn text_and_wire_forms_round_trip() {
        for function in DigestFunction::ALL {
            let digest = Digest::of(function, b"hello");
            assert_eq!(digest.to_string().parse(), Ok(digest));
            assert_eq!(Digest::from_reapi(function, &digest.to_reapi()), Ok(digest));
        }
    }

    #[test]
    fn refuses_every_other_spelling() {
        let check = |text: &str, message: &str| {
            assert_eq!(text.parse::<Digest>().unwrap_err().to_string(), message);
        };
        let upper = EMPTY_BLAKE3.to_uppercase();
        check("", "`` is not of the form `function:hash/size`");
        check("blake3:ab", "`blake3:ab` is not of the form `function:hash/size`");
        check("md5:ab/1", "unknown digest function `md5`, expected `blake3` or `sha256`");
        check("blake3:ab/1", "`ab` is not a hash of 64 lower-case hexadecimal digits");
        check(
            &format!("blake3:{upper}/0"),
            &format!("`{upper}` is not a hash of 64 lower-case hexadecimal digits"),
        );
        check(&format!("blake3:{EMPTY_BLAKE3}/+0"), "`+0` is not a size in bytes");
        check(&format!("blake3:{EMPTY_BLAKE3}/00"), "`00` is not a size in bytes");
        check("a\nb", "`a\\nb` is not of the form `function:hash/size`");
    }

    #[test]
    fn refuses_a_negative_size_from_the_wire() {
        let wire = reapi::Digest { hash: EMPTY_BLAKE3.to_owned(), size_bytes: -1 };
        let error = Digest::from_reapi(DigestFunction::Blake3, &wire).unwrap_err();
        assert_eq!(error, ParseDigestError::Size("-1".to_owned()));
    }
}
