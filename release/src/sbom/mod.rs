//! Bills of materials: what is in a component and what made it, in [CycloneDX 1.6](https://cyclonedx.org) as JSON.
//!
//! The structs here are the dozen of the specification that are used. The crate `serde-cyclonedx` 0.10 has all of
//! them, and was considered: it needs 14 crates that nothing else here needs, syn 1 and a generator of code of 2021
//! among them, generates the types of three versions in each build, has no documentation of its last release, and
//! checks nothing. So CycloneDX's own validators read what is written here (`release/tests/tools`).
//!
//! The same component is always the same bytes: there is no time, lists are sorted, and the serial number is made of
//! the content.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::build::Package;
use crate::digest::{Algorithm, Sha256};
use crate::json::{self, JsonError};
use crate::purl::Purl;
use crate::statement::Role;
use crate::text::printable;

/// The media type of a bill of materials.
pub const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json";

/// The reference of the component in its bill.
const COMPONENT: &str = "component";

/// A component, of which a bill is to be written.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of its bytes.
    pub digest: Sha256,
    /// Its licence, if the project states one.
    pub licence: Option<String>,
    /// The packages that it needs itself. Others are needed by these.
    pub depends_on: Vec<Purl>,
}

/// The reason why a bill can't be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SbomError {
    /// A package stands there twice.
    #[error("the bill of materials of `{component}` has `{purl}` twice")]
    Twice {
        /// The component.
        component: String,
        /// The package.
        purl: Purl,
    },
    /// A package that something depends on is missing.
    #[error("`{from}` depends on `{purl}`, which is not in the bill of materials of `{component}`")]
    Unknown {
        /// The component.
        component: String,
        /// The thing that depends on the package.
        from: String,
        /// The package.
        purl: Purl,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bom<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    version: u32,
    metadata: Metadata<'a>,
    components: Vec<Part<'a>>,
    dependencies: Vec<Dependency<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    tools: Tools<'a>,
    component: Part<'a>,
}

#[derive(Serialize)]
struct Tools<'a> {
    components: [Part<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Part<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bom_ref: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<Licence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Hash<'a> {
    alg: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Licence {
    Expression(String),
    License { name: String },
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency<'a> {
    r#ref: &'a str,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    depends_on: BTreeSet<&'a str>,
}

/// Writes the bill of materials of a component. `run` is the version of the program that writes it.
///
/// # Errors
/// A package stands there twice, or something depends on one that is missing.
pub fn write(component: &Component, packages: &[Package], run: &str) -> Result<Vec<u8>, SbomError> {
    let mut sorted = BTreeMap::new();
    for package in packages {
        if sorted.insert(package.purl.as_str(), package).is_some() {
            let (component, purl) = (component.name.clone(), package.purl.clone());
            return Err(SbomError::Twice { component, purl });
        }
    }
    let digest = component.digest.hex();
    let tool = Part { version: Some(run), ..Part::new("application", "run") };
    let mut bom = Bom {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: None,
        version: 1,
        metadata: Metadata {
            tools: Tools { components: [tool] },
            component: Part {
                bom_ref: Some(COMPONENT),
                version: Some(&component.version),
                hashes: vec![Hash { alg: "SHA-256", content: &digest }],
                licenses: component.licence.as_deref().map(licence).into_iter().collect(),
                ..Part::new("application", &component.name)
            },
        },
        components: sorted.values().map(|package| part(package)).collect(),
        dependencies: dependencies(component, &sorted)?,
    };
    let content = to_json(&bom);
    bom.serial_number = Some(serial_number(&content));
    Ok(to_json(&bom))
}

impl<'a> Part<'a> {
    fn new(kind: &'static str, name: &'a str) -> Self {
        Self {
            r#type: kind,
            bom_ref: None,
            name,
            version: None,
            scope: None,
            hashes: Vec::new(),
            licenses: Vec::new(),
            purl: None,
            properties: Vec::new(),
        }
    }
}

fn part(package: &Package) -> Part<'_> {
    // A tool runs during the build, and is no part of what is delivered.
    let (kind, scope, role) = match package.role {
        Role::Tool => ("application", "excluded", "tool"),
        Role::Runtime => ("library", "required", "runtime"),
        Role::Wit => ("library", "required", "wit"),
        Role::Library | Role::File | Role::Source => ("library", "required", "library"),
    };
    let mut hashes = Vec::new();
    let mut properties = vec![Property { name: "run:role", value: role.to_owned() }];
    for (algorithm, content) in package.digests.iter() {
        match cyclonedx(algorithm) {
            Some(alg) => hashes.push(Hash { alg, content }),
            None => {
                let value = format!("{algorithm}:{content}");
                properties.push(Property { name: "run:digest", value });
            }
        }
    }
    Part {
        bom_ref: Some(package.purl.as_str()),
        version: package.version.as_deref(),
        scope: Some(scope),
        hashes,
        licenses: package.licence.as_deref().map(licence).into_iter().collect(),
        purl: Some(package.purl.as_str()),
        properties,
        ..Part::new(kind, &package.name)
    }
}

/// Returns the name that CycloneDX has for an algorithm, if it has one.
const fn cyclonedx(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::Blake3 => Some("BLAKE3"),
        Algorithm::Sha1 => Some("SHA-1"),
        Algorithm::Sha256 => Some("SHA-256"),
        Algorithm::Sha512 => Some("SHA-512"),
        Algorithm::DirHash | Algorithm::GitCommit => None,
    }
}

/// Returns the licence that a package states: an SPDX expression, or any other text as a name. Cargo's old form with
/// a slash becomes an expression.
fn licence(text: &str) -> Licence {
    let canonical = spdx::Expression::canonicalize(text);
    let text = canonical.ok().flatten().unwrap_or_else(|| text.to_owned());
    match spdx::Expression::parse(&text) {
        Ok(_) => Licence::Expression(text),
        Err(_) => Licence::License { name: printable(&text, 200) },
    }
}

fn dependencies<'a>(
    component: &'a Component,
    packages: &BTreeMap<&'a str, &'a Package>,
) -> Result<Vec<Dependency<'a>>, SbomError> {
    let own = (COMPONENT, &component.depends_on);
    let others = packages.iter().map(|(purl, package)| (*purl, &package.depends_on));
    let mut dependencies = Vec::new();
    for (from, depends_on) in std::iter::once(own).chain(others) {
        if let Some(purl) = depends_on.iter().find(|purl| !packages.contains_key(purl.as_str())) {
            let (component, purl) = (component.name.clone(), purl.clone());
            return Err(SbomError::Unknown { component, from: from.to_owned(), purl });
        }
        let depends_on = depends_on.iter().map(Purl::as_str).collect();
        dependencies.push(Dependency { r#ref: from, depends_on });
    }
    Ok(dependencies)
}

/// Returns a UUID that is made of the content (RFC 9562, version 8).
fn serial_number(content: &[u8]) -> String {
    let digest = Sha256::of(content);
    let half = digest.bytes()[..16].try_into().expect("a digest has 32 bytes");
    format!("urn:uuid:{}", uuid::Builder::from_custom_bytes(half).into_uuid())
}

fn to_json(bom: &Bom<'_>) -> Vec<u8> {
    serde_json::to_vec(bom).expect("texts and numbers can be written as JSON")
}

/// The part of a bill by which it is checked.
#[derive(Deserialize)]
struct Read {
    metadata: ReadMetadata,
}

#[derive(Deserialize)]
struct ReadMetadata {
    component: ReadComponent,
}

#[derive(Deserialize)]
struct ReadComponent {
    name: String,
    hashes: Vec<ReadHash>,
}

#[derive(Deserialize)]
struct ReadHash {
    alg: String,
    content: String,
}

/// Returns true if a bill of materials is that of a component with this name and digest.
///
/// # Errors
/// It can't be read.
pub fn is_of(json: &[u8], name: &str, digest: &Sha256) -> Result<bool, JsonError> {
    let component = json::read::<Read>(json)?.metadata.component;
    let hash = component.hashes.iter().find(|hash| hash.alg == "SHA-256");
    Ok(component.name == name && hash.is_some_and(|hash| hash.content == digest.hex()))
}

#[cfg(test)]
mod tests;
