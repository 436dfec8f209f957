//! The Sigstore bundle, version 0.3: an envelope with a hint which key checks it.
//!
//! It is the file that `cosign verify-blob-attestation --key` reads, and that `cosign attest-blob --key` writes
//! ([schema](https://github.com/sigstore/protobuf-specs)). Only bundles of a key are read here. A *keyless* bundle
//! has a certificate instead, which means something only together with a trusted root and a transparency log.
//!
//! Entries of a transparency log and time stamps, which cosign may add to a bundle of a key, are not looked at: the
//! key is known to the one who checks, so they would add when it was used, and nothing more. The hint is not signed.

use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dsse::{self, DsseError, Envelope};
use crate::json::{self, JsonError};
use crate::keys::{PrivateKey, PublicKey};
use crate::text::printable;

/// The media type of a bundle.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// An envelope with one signature, and the hint which key made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    hint: String,
    envelope: Envelope,
}

/// The reason why a bundle is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The text is not the JSON of a bundle.
    #[error("the bundle can't be read")]
    Json(#[from] JsonError),
    /// It is of another type or version.
    #[error("it is of the media type `{0}`, not `{MEDIA_TYPE}`")]
    MediaType(String),
    /// It has a certificate.
    #[error("it was signed with a certificate (keyless), and only signatures of a key are checked")]
    Keyless,
    /// It has no public key.
    #[error("it does not say by which kind of key it was signed")]
    NoKey,
    /// It signs a file and not a statement.
    #[error("it has the signature of a file, and no statement")]
    NoEnvelope,
    /// Its envelope is wrong.
    #[error(transparent)]
    Envelope(#[from] DsseError),
    /// It has several signatures.
    #[error("it has {0} signatures, and a bundle has one")]
    Several(usize),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    media_type: String,
    verification_material: Material,
    #[serde(skip_serializing_if = "Option::is_none")]
    dsse_envelope: Option<dsse::Wire>,
    #[serde(skip_serializing)]
    message_signature: Option<serde::de::IgnoredAny>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<Hint>,
    #[serde(skip_serializing)]
    certificate: Option<serde::de::IgnoredAny>,
    #[serde(skip_serializing, rename = "x509CertificateChain")]
    chain: Option<serde::de::IgnoredAny>,
    /// Empty when we write it, as Python's model of a bundle wants it to be there.
    #[serde(default, rename = "tlogEntries", serialize_with = "none", deserialize_with = "any")]
    _log: (),
    #[serde(skip_serializing, rename = "timestampVerificationData")]
    _time: Option<serde::de::IgnoredAny>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hint {
    #[serde(default)]
    hint: String,
}

/// Writes an empty list.
fn none<S: Serializer>((): &(), serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_seq(Some(0))?.end()
}

/// Passes over any value.
fn any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| ())
}

impl Bundle {
    /// Signs an in-toto Statement.
    #[must_use]
    pub fn sign(statement: &[u8], key: &PrivateKey) -> Self {
        Self { hint: key.public().id().to_string(), envelope: Envelope::sign(statement, key) }
    }

    /// Reads the JSON of a bundle. The signature is not checked yet.
    ///
    /// # Errors
    /// It is not a bundle of a key with one signed in-toto Statement.
    pub fn read(json: &[u8]) -> Result<Self, BundleError> {
        let wire: Wire = json::read(json)?;
        if wire.media_type != MEDIA_TYPE {
            return Err(BundleError::MediaType(printable(&wire.media_type, 80)));
        }
        let material = wire.verification_material;
        if material.certificate.is_some() || material.chain.is_some() {
            return Err(BundleError::Keyless);
        }
        let hint = material.public_key.ok_or(BundleError::NoKey)?.hint;
        if wire.message_signature.is_some() {
            return Err(BundleError::NoEnvelope);
        }
        let envelope = wire.dsse_envelope.as_ref().ok_or(BundleError::NoEnvelope)?;
        let envelope = Envelope::from_wire(envelope)?;
        match envelope.signatures() {
            1 => Ok(Self { hint, envelope }),
            several => Err(BundleError::Several(several)),
        }
    }

    /// Returns the JSON of the bundle. Equal bundles give equal bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: Material {
                public_key: Some(Hint { hint: self.hint.clone() }),
                certificate: None,
                chain: None,
                _log: (),
                _time: None,
            },
            dsse_envelope: Some(self.envelope.to_wire()),
            message_signature: None,
        };
        serde_json::to_vec(&wire).expect("texts can be written as JSON")
    }

    /// Returns the hint which key has signed. Nobody signs the hint.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Returns the envelope.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Returns the statement, if this key has signed it.
    #[must_use]
    pub fn signed_by(&self, key: &PublicKey) -> Option<&[u8]> {
        self.envelope.is_signed_by(key).then(|| self.envelope.unverified())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::rfc8032;

    const STATEMENT: &[u8] = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;

    #[test]
    fn a_bundle_has_the_form_that_cosign_reads() {
        let key = rfc8032(1);
        let bundle = Bundle::sign(STATEMENT, &key);
        let json = String::from_utf8(bundle.to_json()).unwrap();
        let expect = concat!(
            r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","#,
            r#""verificationMaterial":{"publicKey":{"hint":"HINT"},"tlogEntries":[]},"dsseEnvelope":{"#,
            r#""payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==","#,
            r#""payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"#,
            r#""2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA=="}]}}"#,
        );
        assert_eq!(json, expect.replace("HINT", &key.public().id().to_string()));
        let read = Bundle::read(json.as_bytes()).unwrap();
        assert_eq!(read, bundle);
        assert_eq!(read.signed_by(&key.public()), Some(STATEMENT));
        assert_eq!(read.signed_by(&rfc8032(2).public()), None);
    }

    #[test]
    fn what_is_not_a_bundle_of_a_key_is_refused_with_its_reason() {
        let bundle = String::from_utf8(Bundle::sign(STATEMENT, &rfc8032(1)).to_json()).unwrap();
        let check = |from: &str, to: &str, fits: fn(&BundleError) -> bool| {
            assert!(bundle.contains(from), "{from}");
            let wrong = bundle.replacen(from, to, 1);
            let error = Bundle::read(wrong.as_bytes()).expect_err(to);
            assert!(fits(&error), "{to}: {error:?}");
        };
        let duplicate =
            |error: &BundleError| matches!(error, BundleError::Json(JsonError::Duplicate(_)));
        check("v0.3", "v0.2", |error| matches!(error, BundleError::MediaType(_)));
        check(r#""publicKey""#, r#""certificate":{},"publicKey""#, |error| {
            *error == BundleError::Keyless
        });
        check(r#""publicKey""#, r#""x509CertificateChain":{},"publicKey""#, |error| {
            *error == BundleError::Keyless
        });
        check(r#""publicKey""#, r#""timestampVerificationData""#, |error| {
            *error == BundleError::NoKey
        });
        check(r#""publicKey""#, r#""public_key""#, |error| {
            matches!(error, BundleError::Json(JsonError::Malformed(_)))
        });
        check(r#""dsseEnvelope""#, r#""messageSignature""#, |error| {
            *error == BundleError::NoEnvelope
        });
        check(r#""dsseEnvelope""#, r#""messageSignature":{},"dsseEnvelope""#, |error| {
            *error == BundleError::NoEnvelope
        });
        check(r#"[{"sig""#, r#"[{"sig":"AA=="},{"sig""#, |error| *error == BundleError::Several(2));
        check(r#""dsseEnvelope""#, r#""mediaType":"","dsseEnvelope""#, duplicate);
        check(r#"{"hint":"#, r#"{"hint":"","hint":"#, duplicate);
        check("in-toto+json", "in-toto", |error| {
            matches!(error, BundleError::Envelope(DsseError::Type(_)))
        });
    }

    #[test]
    fn what_cosign_adds_to_a_bundle_of_a_key_is_passed_over() {
        let bundle = Bundle::sign(STATEMENT, &rfc8032(1));
        let json = String::from_utf8(bundle.to_json()).unwrap();
        let more = r#""tlogEntries":[{"logIndex":"1"}],"timestampVerificationData":{"rfc3161Timestamps":[]}"#;
        let json = json.replacen(r#""tlogEntries":[]"#, more, 1);
        assert_eq!(Bundle::read(json.as_bytes()).unwrap(), bundle);
        let less =
            String::from_utf8(bundle.to_json()).unwrap().replacen(r#","tlogEntries":[]"#, "", 1);
        assert_eq!(Bundle::read(less.as_bytes()).unwrap(), bundle);
    }
}
