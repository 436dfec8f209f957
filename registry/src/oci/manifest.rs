//! The manifest of a package: what is written, and what is accepted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::CONFIG;
use crate::artifact::WASM;
use crate::digest::Sha256;
use crate::text::printable;

/// The media type of manifests (OCI Image Specification).
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The media types that are asked for. The others are refused with a message that says what they are.
pub(crate) const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// A manifest as it is written. The order of its fields is that of the specification.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    schema_version: u32,
    media_type: &'static str,
    config: Descriptor<'a>,
    layers: [Descriptor<'a>; 1],
    annotations: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'static str,
    digest: String,
    size: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'a str, &'a str>,
}

/// The parts of a manifest.
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a [u8],
    pub(crate) layer: &'a [u8],
    pub(crate) title: &'a str,
    pub(crate) annotations: &'a BTreeMap<String, String>,
}

/// Writes the manifest of a package. Equal parts give equal bytes.
pub(crate) fn manifest(parts: &Parts<'_>) -> Vec<u8> {
    let descriptor = |media_type, bytes: &[u8], annotations| Descriptor {
        media_type,
        digest: Sha256::of(bytes).to_string(),
        size: bytes.len(),
        annotations,
    };
    let title = BTreeMap::from([(crate::artifact::annotation::TITLE, parts.title)]);
    let written = Written {
        schema_version: 2,
        media_type: MANIFEST,
        config: descriptor(CONFIG, parts.config, BTreeMap::new()),
        layers: [descriptor(WASM, parts.layer, title)],
        annotations: parts.annotations,
    };
    serde_json::to_vec(&written).expect("texts and numbers can be written as JSON")
}

/// The one layer of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) digest: Sha256,
    pub(crate) size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    #[serde(default)]
    media_type: String,
    config: Option<Blob>,
    #[serde(default)]
    layers: Vec<Blob>,
    manifests: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    media_type: String,
    digest: String,
    size: u64,
}

/// Returns the layer of a manifest, or the reason why it is not the manifest of a package. `media_type` is that
/// of the answer.
pub(crate) fn layer(manifest: &[u8], media_type: &str) -> Result<Layer, String> {
    let read: Read = serde_json::from_slice(manifest).map_err(|error| {
        let kind = if media_type.is_empty() { "unknown" } else { media_type };
        format!(
            "what is there (media type `{}`) is not a manifest: {}",
            printable(kind, 80),
            printable(&error.to_string(), 120)
        )
    })?;
    let stated = if read.media_type.is_empty() { media_type } else { &read.media_type };
    if read.manifests.is_some()
        || stated.ends_with("image.index.v1+json")
        || stated.ends_with("manifest.list.v2+json")
    {
        return Err("it is an index of several images".to_owned());
    }
    let Some(config) = read.config else {
        return Err(format!("it is a manifest of the unknown kind `{}`", printable(stated, 80)));
    };
    match config.media_type.as_str() {
        CONFIG => {}
        "application/vnd.oci.image.config.v1+json"
        | "application/vnd.docker.container.image.v1+json" => {
            return Err("it is a container image".to_owned());
        }
        other => {
            return Err(format!(
                "its configuration is of the kind `{}`, not `{CONFIG}`",
                printable(other, 80)
            ));
        }
    }
    // It is stated in the manifest, in the answer, or in both.
    if let Some(other) =
        [stated, media_type].into_iter().find(|kind| !kind.is_empty() && *kind != MANIFEST)
    {
        return Err(format!(
            "its manifest is of the kind `{}`, not `{MANIFEST}`",
            printable(other, 80)
        ));
    }
    let [layer] = read.layers.as_slice() else {
        return Err(format!("it has {} layers and not one", read.layers.len()));
    };
    if layer.media_type != WASM {
        return Err(format!(
            "its layer is of the kind `{}`, not `{WASM}`",
            printable(&layer.media_type, 80)
        ));
    }
    // The digest becomes a part of URLs and paths.
    if !layer.digest.starts_with("sha256:") {
        return Err(format!(
            "its layer has the digest `{}`, not one of SHA-256",
            printable(&layer.digest, 80)
        ));
    }
    let digest = layer
        .digest
        .parse()
        .map_err(|error| format!("the digest of its layer is malformed: {error}"))?;
    Ok(Layer { digest, size: layer.size })
}
