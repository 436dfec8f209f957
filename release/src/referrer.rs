//! Makes what a registry keeps beside a component: attestations and bills of materials as *referrers*.
//!
//! A referrer is a manifest whose `subject` is the component's manifest (OCI Image Specification 1.1). A registry
//! lists the referrers of a manifest. Where it has no such list, clients keep one themselves: an index under the tag
//! [`fallback_tag`], which grows by being read, added to and written again. The layout is the one in which
//! `cosign verify-attestation --key` finds an attestation.
//!
//! This module makes the bytes, and sends nothing. cosign states the time at which a referrer was made; it is left
//! out here, so that the same attestation is the same manifest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bundle;
use crate::digest::Sha256;
use crate::json::{self, JsonError};
use crate::sbom;

/// The media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of the configuration, which is empty.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The bytes of the empty configuration.
const EMPTY_BYTES: &[u8] = b"{}";

/// Names some content of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type.
    pub media_type: String,
    /// `sha256:` and the digits.
    pub digest: String,
    /// The size in bytes.
    pub size: u64,
    /// The kind of a manifest, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The annotations of a manifest, in an index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A referrer: upload the blobs, then the manifest under its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The configuration and the layer.
    pub blobs: [Vec<u8>; 2],
    /// The line for the manifest in an index.
    pub descriptor: Descriptor,
}

/// The reason why an index can't be added to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// It can't be read.
    #[error("the index of referrers can't be read")]
    Json(#[from] JsonError),
    /// Something else has the tag.
    #[error("the tag for referrers has something of the media type `{0}`, and not an index")]
    Kind(String),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u32,
    media_type: &'static str,
    artifact_type: &'static str,
    config: Descriptor,
    layers: [Descriptor; 1],
    subject: &'a Descriptor,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// An index. Fields that are not known here are kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: String,
    manifests: Vec<serde_json::Value>,
    #[serde(flatten)]
    more: serde_json::Map<String, serde_json::Value>,
}

impl Descriptor {
    /// Describes some bytes.
    #[must_use]
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: format!("sha256:{}", Sha256::of(bytes)),
            size: bytes.len() as u64,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// Makes a referrer of a bundle whose statement has this type of predicate.
#[must_use]
pub fn attestation(subject: &Descriptor, bundle: &[u8], predicate_type: &str) -> Referrer {
    let annotation = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let annotations = BTreeMap::from([
        annotation("dev.sigstore.bundle.content", "dsse-envelope"),
        annotation("dev.sigstore.bundle.predicateType", predicate_type),
    ]);
    referrer(subject, bundle::MEDIA_TYPE, bundle, annotations)
}

/// Makes a referrer of a bill of materials.
#[must_use]
pub fn bill(subject: &Descriptor, sbom: &[u8]) -> Referrer {
    referrer(subject, sbom::MEDIA_TYPE, sbom, BTreeMap::new())
}

fn referrer(
    subject: &Descriptor,
    kind: &'static str,
    layer: &[u8],
    annotations: BTreeMap<String, String>,
) -> Referrer {
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST,
        artifact_type: kind,
        config: Descriptor::of(EMPTY, EMPTY_BYTES),
        layers: [Descriptor::of(kind, layer)],
        subject: &Descriptor {
            artifact_type: None,
            annotations: BTreeMap::new(),
            ..subject.clone()
        },
        annotations: &annotations,
    };
    let manifest = serde_json::to_vec(&manifest).expect("texts and numbers can be written as JSON");
    let descriptor = Descriptor {
        artifact_type: Some(kind.to_owned()),
        annotations,
        ..Descriptor::of(MANIFEST, &manifest)
    };
    Referrer { manifest, blobs: [EMPTY_BYTES.to_vec(), layer.to_vec()], descriptor }
}

/// Returns the tag for the referrers of a manifest in a registry that does not list them.
#[must_use]
pub fn fallback_tag(subject: &Sha256) -> String {
    format!("sha256-{subject}")
}

/// Adds a referrer to the index that a registry has, or begins one. Returns nothing if the referrer is there.
///
/// # Errors
/// The registry has something else than an index.
pub fn add_to_index(
    index: Option<&[u8]>,
    referrer: &Referrer,
) -> Result<Option<Vec<u8>>, IndexError> {
    let mut index = match index {
        Some(bytes) => json::read::<Index>(bytes)?,
        None => Index {
            schema_version: 2,
            media_type: INDEX.to_owned(),
            manifests: Vec::new(),
            more: serde_json::Map::new(),
        },
    };
    if index.media_type != INDEX {
        return Err(IndexError::Kind(crate::text::printable(&index.media_type, 80)));
    }
    let digest = &referrer.descriptor.digest;
    if index.manifests.iter().any(|there| there["digest"] == digest.as_str()) {
        return Ok(None);
    }
    let descriptor = serde_json::to_value(&referrer.descriptor);
    index.manifests.push(descriptor.expect("texts and numbers can be written as JSON"));
    Ok(Some(serde_json::to_vec(&index).expect("what was read can be written as JSON")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Descriptor {
        Descriptor::of(MANIFEST, b"manifest")
    }

    #[test]
    fn an_attestation_has_the_layout_that_cosign_finds() {
        let made = attestation(&subject(), b"bundle", "https://slsa.dev/provenance/v1");
        let manifest: serde_json::Value = serde_json::from_slice(&made.manifest).unwrap();
        assert_eq!(manifest["artifactType"], bundle::MEDIA_TYPE);
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
        assert_eq!(
            manifest["config"]["digest"],
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        assert_eq!(manifest["layers"][0]["mediaType"], bundle::MEDIA_TYPE);
        assert_eq!(manifest["layers"][0]["digest"], format!("sha256:{}", Sha256::of(b"bundle")));
        assert_eq!(manifest["subject"]["digest"], subject().digest);
        assert_eq!(manifest["annotations"]["dev.sigstore.bundle.content"], "dsse-envelope");
        assert_eq!(made.descriptor.digest, format!("sha256:{}", Sha256::of(&made.manifest)));
        assert_eq!(made, attestation(&subject(), b"bundle", "https://slsa.dev/provenance/v1"));
    }

    #[test]
    fn an_index_grows_and_keeps_what_others_have_added() {
        let (one, two) = (bill(&subject(), b"one"), bill(&subject(), b"two"));
        let index = add_to_index(None, &one).unwrap().unwrap();
        assert_eq!(add_to_index(Some(&index), &one), Ok(None));
        let foreign = String::from_utf8(index).unwrap();
        let foreign = foreign
            .replacen(r#""schemaVersion""#, r#""annotations":{"a":"b"},"schemaVersion""#, 1)
            .replacen(
                r#"{"mediaType":"application/vnd.oci.image.manifest"#,
                r#"{"platform":{"os":"x"},"mediaType":"application/vnd.oci.image.manifest"#,
                1,
            );
        let both = add_to_index(Some(foreign.as_bytes()), &two).unwrap().unwrap();
        let both: serde_json::Value = serde_json::from_slice(&both).unwrap();
        assert_eq!(both["manifests"].as_array().unwrap().len(), 2);
        assert_eq!(both["manifests"][0]["platform"]["os"], "x");
        assert_eq!(both["annotations"]["a"], "b");
        let other = add_to_index(Some(&one.manifest), &two);
        assert!(matches!(other, Err(IndexError::Json(_))), "{other:?}");
        let other = br#"{"schemaVersion":2,"mediaType":"text/plain","manifests":[]}"#;
        assert_eq!(add_to_index(Some(other), &two), Err(IndexError::Kind("text/plain".to_owned())));
        assert!(fallback_tag(&Sha256::of(b"")).starts_with("sha256-e3b0c442"));
    }
}
