//! npm's `integrity` of a tarball, in the format of Subresource Integrity, such as `sha512-Base64==`.
//!
//! Source: the SRI recommendation of the W3C. If there are several hashes, the strongest one counts. SHA-1,
//! which very old lockfiles have, is too weak to pin anything and is refused.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// The hash that pins a tarball in npm's lockfile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Integrity {
    function: Function,
    hash: Vec<u8>,
}

/// The hash functions of the recommendation, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Function {
    Sha256,
    Sha384,
    Sha512,
}

/// The error for a text that contains no usable hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no integrity by SHA-512, SHA-384 or SHA-256")]
pub(crate) struct IntegrityError(String);

impl Function {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    const fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl Integrity {
    /// Returns the integrity of these bytes by the same hash function.
    pub(crate) fn of(&self, bytes: &[u8]) -> Self {
        Self { function: self.function, hash: self.function.hash(bytes) }
    }

    /// Returns the integrity of bytes with this SHA-256.
    pub(crate) fn of_sha256(hash: &[u8; 32]) -> Self {
        Self { function: Function::Sha256, hash: hash.to_vec() }
    }

    /// Returns the name of the function and the hash in hexadecimal, as `run.lock.toml` has them.
    pub(crate) fn hex(&self) -> String {
        format!("{}:{}", self.function.name(), hexadecimal(&self.hash))
    }

    /// Returns the integrity of bytes by each function except SHA-512, the one that names content in npm's
    /// cache.
    pub(super) fn others(bytes: &[u8]) -> [Self; 2] {
        [Function::Sha256, Function::Sha384]
            .map(|function| Self { function, hash: function.hash(bytes) })
    }

    /// Returns the path of content with this hash in npm's cache, below the cache's folder of contents.
    pub(super) fn cache_path(&self) -> String {
        let hex = hexadecimal(&self.hash);
        format!("{}/{}/{}/{}", self.function.name(), &hex[..2], &hex[2..4], &hex[4..])
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.function.name(), STANDARD.encode(&self.hash))
    }
}

impl FromStr for Integrity {
    type Err = IntegrityError;

    fn from_str(text: &str) -> Result<Self, IntegrityError> {
        let one = |word: &str| {
            let (name, rest) = word.split_once('-')?;
            let function = Function::ALL.into_iter().find(|function| function.name() == name)?;
            // Options after a question mark have no meaning yet, so they are ignored.
            let hash = STANDARD.decode(rest.split('?').next()?).ok()?;
            (hash.len() == function.size()).then_some(Self { function, hash })
        };
        let strongest = text.split_whitespace().filter_map(one).max_by_key(|one| one.function);
        strongest.ok_or_else(|| IntegrityError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The integrity of the word "npm".
    const SHA256: &str = "sha256-15Z3GIaH57MrQ96dI2Wh/4rm8anj1JRxm+VCOU2Z990=";

    #[test]
    fn the_strongest_hash_holds() {
        let sha512 = Integrity { function: Function::Sha512, hash: vec![7; 64] }.to_string();
        let check = |text: &str, expect: &str| {
            assert_eq!(text.parse::<Integrity>().unwrap().to_string(), expect);
        };
        check(&sha512, &sha512);
        check(&format!("{SHA256} {sha512}?opt sha1-AAAA"), &sha512);
        check(&format!("sha512-AAAA {SHA256}"), SHA256);
    }

    #[test]
    fn what_pins_nothing_is_refused() {
        for text in ["", "sha512", "sha512-", "sha512-AAAA", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="] {
            assert_eq!(text.parse::<Integrity>(), Err(IntegrityError(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn bytes_are_compared_by_its_function() {
        let integrity: Integrity = SHA256.parse().unwrap();
        assert_eq!(integrity.of(b"npm"), integrity);
        assert_ne!(integrity.of(b"nmp"), integrity);
        assert_eq!(
            integrity.cache_path(),
            "sha256/d7/96/77188687e7b32b43de9d2365a1ff8ae6f1a9e3d494719be542394d99f7dd"
        );
    }
}
