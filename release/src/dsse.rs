//! The DSSE envelope: a payload, the type of the payload, and signatures of both.
//!
//! It follows the [protocol](https://github.com/secure-systems-lab/dsse/blob/master/protocol.md) with two choices.
//! Base64 is of the standard or the URL-safe alphabet, as every verifier must accept, and in either strict: padded,
//! without line breaks, without stray bits. And unknown keys are errors, as they are for cosign in a bundle, although
//! the protocol ignores them in an envelope that stands alone: nobody signs them, so nobody may rely on them.
//!
//! A `keyid` is not signed, and decides nothing.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};

use crate::json::{self, JsonError};
use crate::keys::{KeyId, PrivateKey, PublicKey};
use crate::text::printable;

/// The type of a payload that is an in-toto Statement.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The most signatures that an envelope may have.
const MOST_SIGNATURES: usize = 64;

/// A payload with its signatures, which need not be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<Vec<u8>>,
}

/// The reason why an envelope is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// The text is not the JSON of an envelope.
    #[error("the envelope can't be read")]
    Json(#[from] JsonError),
    /// A field is not base64.
    #[error("the {0} of the envelope is not base64 with padding and nothing else")]
    Base64(&'static str),
    /// The payload is of another type.
    #[error("the payload of the envelope is of the type `{0}`, not `{IN_TOTO}`")]
    Type(String),
    /// There are too many signatures, or none.
    #[error("the envelope has {0} signatures, and should have 1 to {MOST_SIGNATURES}")]
    Count(usize),
    /// Too few of the keys have signed.
    #[error("{found} of the trusted keys have signed the envelope, and {threshold} should have")]
    Threshold {
        /// The number of different keys that have signed.
        found: usize,
        /// The number that is needed.
        threshold: usize,
    },
}

/// An envelope as JSON. The order of the fields is that of the specification.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Wire {
    payload: String,
    payload_type: String,
    signatures: Vec<WireSignature>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    sig: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    keyid: String,
}

/// Returns the bytes that are signed: the *pre-authentication encoding* of a payload and its type.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

impl Envelope {
    /// Signs an in-toto Statement with a key.
    #[must_use]
    pub fn sign(statement: &[u8], key: &PrivateKey) -> Self {
        Self {
            payload_type: IN_TOTO.to_owned(),
            payload: statement.to_vec(),
            signatures: vec![key.sign(&pae(IN_TOTO, statement))],
        }
    }

    /// Reads the JSON of an envelope.
    ///
    /// # Errors
    /// It is not the JSON of an envelope with an in-toto Statement and at least one signature.
    pub fn read(json: &[u8]) -> Result<Self, DsseError> {
        Self::from_wire(&json::read(json)?)
    }

    pub(crate) fn from_wire(wire: &Wire) -> Result<Self, DsseError> {
        if wire.payload_type != IN_TOTO {
            return Err(DsseError::Type(printable(&wire.payload_type, 80)));
        }
        if !(1..=MOST_SIGNATURES).contains(&wire.signatures.len()) {
            return Err(DsseError::Count(wire.signatures.len()));
        }
        let signature = |signature: &WireSignature| decode(&signature.sig, "signature");
        Ok(Self {
            payload_type: wire.payload_type.clone(),
            payload: decode(&wire.payload, "payload")?,
            signatures: wire.signatures.iter().map(signature).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn to_wire(&self) -> Wire {
        let signature =
            |sig: &Vec<u8>| WireSignature { sig: STANDARD.encode(sig), keyid: String::new() };
        Wire {
            payload: STANDARD.encode(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: self.signatures.iter().map(signature).collect(),
        }
    }

    /// Returns the JSON of the envelope.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.to_wire()).expect("texts can be written as JSON")
    }

    /// Returns the number of signatures, whether right or wrong.
    #[must_use]
    pub const fn signatures(&self) -> usize {
        self.signatures.len()
    }

    /// Returns true if one of the signatures was made by this key.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let message = pae(&self.payload_type, &self.payload);
        self.signatures.iter().any(|signature| key.has_signed(&message, signature))
    }

    /// Returns the payload, if at least `threshold` different keys have signed it.
    ///
    /// # Errors
    /// Fewer have, or the threshold is zero, which would accept anything.
    pub fn verify(&self, keys: &[PublicKey], threshold: usize) -> Result<&[u8], DsseError> {
        let signers: BTreeSet<KeyId> =
            keys.iter().filter(|key| self.is_signed_by(key)).map(PublicKey::id).collect();
        if threshold == 0 || signers.len() < threshold {
            return Err(DsseError::Threshold { found: signers.len(), threshold });
        }
        Ok(&self.payload)
    }

    /// Returns the payload, although nothing is known of the signatures.
    #[must_use]
    pub fn unverified(&self) -> &[u8] {
        &self.payload
    }
}

fn decode(text: &str, field: &'static str) -> Result<Vec<u8>, DsseError> {
    let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
    decoded.map_err(|_| DsseError::Base64(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::rfc8032;

    const STATEMENT: &[u8] = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;

    /// Signatures of that statement by the keys of tests 1 and 2 of RFC 8032, among the test vectors of DSSE.
    const BY_1: &str =
        "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA==";
    const BY_2: &str =
        "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw==";

    fn envelope(payload: &str, kind: &str, signatures: &[&str]) -> Vec<u8> {
        let signatures: Vec<_> =
            signatures.iter().map(|sig| serde_json::json!({ "sig": sig, "keyid": "x" })).collect();
        let envelope = serde_json::json!({
            "payload": payload, "payloadType": kind, "signatures": signatures,
        });
        envelope.to_string().into_bytes()
    }

    #[test]
    fn the_encoding_is_that_of_the_protocol() {
        let expect = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
        assert_eq!(pae("http://example.com/HelloWorld", b"hello world"), expect);
        // Lengths are those of bytes.
        assert!(pae("application/vnd.ex\u{e4}mple+json", b"").starts_with(b"DSSEv1 29 "));
    }

    #[test]
    fn the_example_of_the_protocol_was_signed_over_this_encoding() {
        let number = |text: &str| -> Vec<u8> {
            let mut bytes = vec![0u8; 32];
            for digit in text.bytes() {
                let mut carry = u32::from(digit - b'0');
                for byte in bytes.iter_mut().rev() {
                    carry += u32::from(*byte) * 10;
                    *byte = (carry & 0xff) as u8;
                    carry >>= 8;
                }
            }
            bytes
        };
        let point = [
            vec![4],
            number("46950820868899156662930047687818585632848591499744589407958293238635476079160"),
            number("5640078356564379163099075877009565129882514886557779369047442380624545832820"),
        ]
        .concat();
        let signature = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==";
        let signature = STANDARD.decode(signature).unwrap();
        let message = pae("http://example.com/HelloWorld", b"hello world");
        ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, &point)
            .verify(&message, &signature)
            .unwrap();
    }

    #[test]
    fn a_signature_is_that_of_the_test_vectors() {
        let (one, two) = (rfc8032(1), rfc8032(2));
        let expect = envelope(&STANDARD.encode(STATEMENT), IN_TOTO, &[BY_1]);
        assert_eq!(Envelope::sign(STATEMENT, &one), Envelope::read(&expect).unwrap());
        let both = envelope(&STANDARD.encode(STATEMENT), IN_TOTO, &[BY_2, BY_1]);
        let both = Envelope::read(&both).unwrap();
        let keys = [one.public(), two.public()];
        assert_eq!(both.verify(&keys, 2), Ok(STATEMENT));
        assert_eq!(both.unverified(), STATEMENT);
        // One key that signs twice is one signer, and one key that is trusted twice is one key.
        let twice = envelope(&STANDARD.encode(STATEMENT), IN_TOTO, &[BY_1, BY_1]);
        let few = |found| Err(DsseError::Threshold { found, threshold: 2 });
        assert_eq!(Envelope::read(&twice).unwrap().verify(&keys, 2), few(1));
        assert_eq!(both.verify(&[one.public(), one.public()], 2), few(1));
        assert_eq!(both.verify(&[], 2), few(0));
        let zero = Err(DsseError::Threshold { found: 2, threshold: 0 });
        assert_eq!(both.verify(&keys, 0), zero);
    }

    #[test]
    fn base64_has_two_alphabets_and_one_form() {
        // The payload of the vector `url-safe-base64` has the bytes whose digits differ.
        let sig = "P-_KHICeR7tI6S_YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU_svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw==";
        let read = |payload: &str| Envelope::read(&envelope(payload, IN_TOTO, &[sig]));
        for payload in ["-_-_Pj8=", "+/+/Pj8="] {
            let envelope = read(payload).unwrap();
            let payload = [0xfb, 0xff, 0xbf, 0x3e, 0x3f].as_slice();
            assert_eq!(envelope.verify(&[rfc8032(1).public()], 1), Ok(payload));
        }
        for payload in ["+_+_Pj8=", "-_-_Pj8", "-_-_Pj9=", "-_-_Pj8=\n", " -_-_Pj8=", "-_-_Pj8=="] {
            assert_eq!(read(payload), Err(DsseError::Base64("payload")), "{payload}");
        }
        let wrong = envelope("", IN_TOTO, &["x"]);
        assert_eq!(Envelope::read(&wrong), Err(DsseError::Base64("signature")));
    }

    #[test]
    fn an_envelope_is_refused_if_it_has_another_type_or_shape() {
        let payload = STANDARD.encode(STATEMENT);
        let other = "application/vnd.example.other+json";
        let wrong = Envelope::read(&envelope(&payload, other, &[BY_1]));
        assert_eq!(wrong, Err(DsseError::Type(other.to_owned())));
        assert!(matches!(
            Envelope::read(&envelope(&payload, "", &[BY_1])),
            Err(DsseError::Type(_))
        ));
        assert_eq!(Envelope::read(&envelope(&payload, IN_TOTO, &[])), Err(DsseError::Count(0)));
        let many = [BY_1; MOST_SIGNATURES + 1];
        assert!(matches!(
            Envelope::read(&envelope(&payload, IN_TOTO, &many)),
            Err(DsseError::Count(65))
        ));
        let text = format!(
            r#"{{"payload":"","payloadType":"{IN_TOTO}","signatures":[{{"sig":"","sig":""}}]}}"#
        );
        let duplicate = DsseError::Json(JsonError::Duplicate("sig".to_owned()));
        assert_eq!(Envelope::read(text.as_bytes()), Err(duplicate));
        let text =
            format!(r#"{{"payload":"","payloadType":"{IN_TOTO}","signatures":[],"more":1}}"#);
        assert!(matches!(
            Envelope::read(text.as_bytes()),
            Err(DsseError::Json(JsonError::Malformed(_)))
        ));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let envelope = Envelope::sign(STATEMENT, &rfc8032(1));
        assert_eq!(Envelope::read(&envelope.to_json()).unwrap(), envelope);
    }
}
