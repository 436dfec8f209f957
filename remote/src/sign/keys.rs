//! Keys of Ed25519 (RFC 8032), in the files that openssl writes (RFC 8410).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

/// The bytes before the 32 bytes of a private key in PKCS#8, and of a public key in a SubjectPublicKeyInfo.
const PRIVATE_PREFIX: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
const PUBLIC_PREFIX: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// The key that results are signed with.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Ed25519KeyPair>,
    public: PublicKey,
}

/// A key whose signatures can be trusted.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    bytes: [u8; 32],
}

/// The reason why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text has no private key of PKCS#8, as `openssl genpkey -algorithm ed25519` writes it.
    #[error("the text has no PEM section `PRIVATE KEY` with an Ed25519 key")]
    Private,
    /// The text is neither a public key in PEM, as `openssl pkey -pubout` writes it, nor 32 bytes in base64.
    #[error(
        "the text is neither a PEM section `PUBLIC KEY` with an Ed25519 key nor 32 bytes in base64"
    )]
    Public,
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    Random,
}

impl SigningKey {
    /// Reads a private key in PEM (PKCS#8).
    ///
    /// # Errors
    /// The text holds no private key of Ed25519.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes());
        let der = der.map_err(|_| KeyError::Private)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
        let pair = pair.map_err(|_| KeyError::Private)?;
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Private)?;
        Ok(Self { pair: Arc::new(pair), public: PublicKey { bytes } })
    }

    /// Makes a new key. Returns the private and the public key, both in PEM.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> Result<(String, String), KeyError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| KeyError::Random)?;
        let private = pem("PRIVATE KEY", PRIVATE_PREFIX, &seed);
        let public = Self::from_pem(&private)?.public.to_pem();
        Ok((private, public))
    }

    /// Returns the public key.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.public.id()).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// Reads a public key in PEM (SubjectPublicKeyInfo), or its 32 bytes in base64.
    ///
    /// # Errors
    /// The text holds no public key of Ed25519.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let bytes = match SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()) {
            Ok(der) => der.strip_prefix(PUBLIC_PREFIX).map(<[u8]>::to_vec),
            Err(_) => STANDARD.decode(text.trim()).ok(),
        };
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(KeyError::Public)?;
        Ok(Self { bytes })
    }

    /// Returns the 32 bytes of the key in base64, in which form a configuration file names it.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.bytes)
    }

    /// Returns the key in PEM, as openssl writes it.
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", PUBLIC_PREFIX, &self.bytes)
    }

    /// Returns the short name of the key: the first 16 hexadecimal digits of its SHA-256.
    pub fn id(&self) -> String {
        let digest = cache::Digest::of(cache::DigestFunction::Sha256, &self.bytes);
        digest.hex()[..16].to_owned()
    }

    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.id()).finish()
    }
}

fn pem(label: &str, prefix: &[u8], key: &[u8; 32]) -> String {
    let body = STANDARD.encode([prefix, key].concat());
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pair that openssl made.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINWirMEZpU6F8Kbt5P4swjtAuVU8qnaHvi9BVBlIa8di\n\
        -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEA8HLFhPOPpj79Na1cOFYF6h5YGE0uR+3cAJ7yJvmXiek=\n\
        -----END PUBLIC KEY-----\n";
    const BARE: &str = "8HLFhPOPpj79Na1cOFYF6h5YGE0uR+3cAJ7yJvmXiek=";

    #[test]
    fn reads_the_keys_that_openssl_writes() {
        let key = SigningKey::from_pem(PRIVATE).unwrap();
        assert_eq!(key.public().to_pem(), PUBLIC);
        assert_eq!(PublicKey::from_pem(PUBLIC).as_ref(), Ok(key.public()));
        assert_eq!(PublicKey::from_pem(BARE).as_ref(), Ok(key.public()));
        assert_eq!(key.public().id().len(), 16);
    }

    #[test]
    fn generated_keys_work_and_differ() {
        let (private, public) = SigningKey::generate().unwrap();
        let key = SigningKey::from_pem(&private).unwrap();
        assert_eq!(PublicKey::from_pem(&public).as_ref(), Ok(key.public()));
        assert!(key.public().has_signed(b"message", &key.sign(b"message")));
        assert_ne!(SigningKey::generate().unwrap().0, private);
    }

    #[test]
    fn refuses_other_texts() {
        for text in
            ["", "x", PUBLIC, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
        {
            assert_eq!(SigningKey::from_pem(text).unwrap_err(), KeyError::Private, "{text}");
        }
        for text in
            ["", "AAAA", PRIVATE, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"]
        {
            assert_eq!(PublicKey::from_pem(text).unwrap_err(), KeyError::Public, "{text}");
        }
    }

    #[test]
    fn nothing_of_a_private_key_is_shown() {
        let key = SigningKey::from_pem(PRIVATE).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ id: {:?}, .. }}", key.public().id()));
    }
}
