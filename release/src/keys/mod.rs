//! Keys: a private key of Ed25519 signs, and public keys of Ed25519 or ECDSA P-256 check.
//!
//! The files are those of openssl and cosign: PKCS#8 for private keys (RFC 5958, RFC 8410) and SubjectPublicKeyInfo
//! for public ones (RFC 5280), both as PEM (RFC 7468). We sign with Ed25519 alone, because its signatures need no
//! random number and are the same each time. P-256 is what `cosign generate-key-pair` makes, so its signatures are
//! checked as well. Both kinds of public key have one encoding each, so the bytes before the key are compared and
//! not parsed.
//!
//! A private key is shown by nothing, `Debug` and errors included, and its bytes are wiped when it is dropped.
//! The copy that *ring* keeps for signing is the exception: *ring* does not wipe it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey,
};
use rustls_pki_types::pem::{PemObject, SectionKind};
use zeroize::Zeroizing;

use crate::digest::Sha256;

/// The bytes before the 32 of a public key of Ed25519.
const ED25519_PUBLIC: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The bytes before the 65 of an uncompressed point of P-256.
const P256_PUBLIC: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The bytes before the 32 of a private key of Ed25519 in PKCS#8, version 1.
const ED25519_PRIVATE: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The longest text that is read as a key. A text before the key, which openssl may write, counts.
const LONGEST: usize = 64 << 10;

/// A key that signs.
pub struct PrivateKey {
    pair: Ed25519KeyPair,
    /// The key as PKCS#8.
    der: Zeroizing<Vec<u8>>,
}

/// A key that checks signatures.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey {
    scheme: Scheme,
    der: Vec<u8>,
}

/// The name of a public key: the SHA-256 of its SubjectPublicKeyInfo. As text it is the hint that cosign writes
/// into a bundle: the digest in base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(Sha256);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scheme {
    Ed25519,
    P256,
}

/// The reason why a key can't be used. It never contains anything of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// There is no key in the text.
    #[error("there is no {0} key in it: it should have a line `-----BEGIN {label} KEY-----`", label = .0.to_uppercase())]
    None(&'static str),
    /// There are several keys in the text.
    #[error("there is more than one key in it")]
    Several,
    /// The text is too long.
    #[error("it is too long for a key")]
    TooLong,
    /// The private key is encrypted.
    #[error("the private key is encrypted: decrypt it first, such as with `openssl pkey`")]
    Encrypted,
    /// A private key was given instead of a public one.
    #[error("it is a private key, and should be a public one")]
    IsPrivate,
    /// A public key was given instead of a private one.
    #[error("it is a public key, and should be a private one")]
    IsPublic,
    /// The lines of the key are damaged.
    #[error("the lines of the key are damaged")]
    Damaged,
    /// It is no private key of Ed25519.
    #[error(
        "it is not a private key of Ed25519 in PKCS#8: make one with `openssl genpkey -algorithm ed25519`"
    )]
    NotEd25519,
    /// It is a public key of another kind.
    #[error("it is a public key neither of Ed25519 nor of ECDSA P-256")]
    OtherPublic,
}

impl PrivateKey {
    /// Makes a key of the system's random numbers.
    ///
    /// # Errors
    /// The system gives none.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(seed.as_mut_slice()).map_err(|_| KeyError::Random)?;
        Self::from_seed(&seed)
    }

    /// Reads the PEM text of a key.
    ///
    /// # Errors
    /// It is not exactly one private key of Ed25519.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.contains("BEGIN ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        let (kind, der) = section(text, "private")?;
        let der = Zeroizing::new(der);
        match kind {
            SectionKind::PrivateKey => Self::from_pkcs8(&der),
            SectionKind::PublicKey => Err(KeyError::IsPublic),
            _ => Err(KeyError::NotEd25519),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        // Version 1 is written by openssl and by us, version 2 has the public key, too.
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::NotEd25519)?;
        Ok(Self { pair, der: Zeroizing::new(der.to_vec()) })
    }

    fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        // The capacity is exact, so that no copy of the key is left behind when the vector grows.
        let mut der = Zeroizing::new(Vec::with_capacity(ED25519_PRIVATE.len() + seed.len()));
        der.extend_from_slice(ED25519_PRIVATE);
        der.extend_from_slice(seed);
        Self::from_pkcs8(&der)
    }

    /// Returns the PEM text of the key, for the one place that keeps it.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem("PRIVATE", &self.der)
    }

    /// Returns the key that checks what this key signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let der = [ED25519_PUBLIC, self.pair.public_key().as_ref()].concat();
        PublicKey { scheme: Scheme::Ed25519, der }
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(*** of {})", self.public().id())
    }
}

impl PublicKey {
    /// Reads the PEM text of a key.
    ///
    /// # Errors
    /// It is not exactly one public key of Ed25519 or ECDSA P-256.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.contains("BEGIN ENCRYPTED") {
            return Err(KeyError::IsPrivate);
        }
        let (kind, der) = section(text, "public")?;
        let der = Zeroizing::new(der);
        match kind {
            SectionKind::PublicKey => Self::from_der(&der),
            SectionKind::PrivateKey | SectionKind::EcPrivateKey | SectionKind::RsaPrivateKey => {
                Err(KeyError::IsPrivate)
            }
            _ => Err(KeyError::None("public")),
        }
    }

    /// Reads a key as SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// It is no public key of Ed25519 or ECDSA P-256.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let scheme = match der.len() {
            44 if der.starts_with(ED25519_PUBLIC) => Scheme::Ed25519,
            // A point that is not on the curve is found by *ring* at each check of a signature.
            91 if der.starts_with(P256_PUBLIC) && der[P256_PUBLIC.len()] == 4 => Scheme::P256,
            _ => return Err(KeyError::OtherPublic),
        };
        Ok(Self { scheme, der: der.to_vec() })
    }

    /// Returns the PEM text of the key.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("PUBLIC", &self.der).to_string()
    }

    /// Returns the name of the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId(Sha256::of(&self.der))
    }

    /// Returns true if a signature of a message was made by this key: 64 bytes for Ed25519, and the ASN.1 of
    /// ECDSA with SHA-256.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.scheme {
            Scheme::Ed25519 => UnparsedPublicKey::new(&ED25519, &self.der[ED25519_PUBLIC.len()..])
                .verify(message, signature),
            Scheme::P256 => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.der[P256_PUBLIC.len()..])
                    .verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?} {})", self.scheme, self.id())
    }
}

impl KeyId {
    /// Returns the first 16 hexadecimal digits of the digest, by which files are named.
    #[must_use]
    pub fn short(&self) -> String {
        let mut hex = self.0.hex();
        hex.truncate(16);
        hex
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0.bytes()))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Any section of a PEM text.
struct Section(SectionKind, Vec<u8>);

impl PemObject for Section {
    fn from_pem(kind: SectionKind, der: Vec<u8>) -> Option<Self> {
        Some(Self(kind, der))
    }
}

/// Returns the only section of a PEM text. `wanted` says in an error what should be there.
fn section(text: &str, wanted: &'static str) -> Result<(SectionKind, Vec<u8>), KeyError> {
    if text.len() > LONGEST {
        return Err(KeyError::TooLong);
    }
    // Sections of unknown kinds are left out by the parser, and may hide nothing here.
    match text.matches("-----BEGIN ").count() {
        0 => return Err(KeyError::None(wanted)),
        1 => {}
        _ => return Err(KeyError::Several),
    }
    match Section::from_pem_slice(text.as_bytes()) {
        Ok(Section(kind, der)) => Ok((kind, der)),
        Err(rustls_pki_types::pem::Error::NoItemsFound) => Err(KeyError::None(wanted)),
        Err(_) => Err(KeyError::Damaged),
    }
}

/// Writes a PEM text with lines of 64 characters.
fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(2 * body.len() + 80));
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str(" KEY-----\n");
    for line in body.as_bytes().chunks(64) {
        text.push_str(str::from_utf8(line).expect("base64 is ASCII"));
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str(" KEY-----\n");
    text
}

#[cfg(test)]
pub(crate) mod tests;
