//! Statements of another form, which a trusted key has signed.
//!
//! Each key of each object stands twice once, and each kind of object has a key too many once.

use release::JsonError;
use release::bundle::Bundle;
use release::statement::StatementError;
use release::verify::Fault;

use super::Mutant;
use super::raw::Raw;
use crate::sample::{CI, REBUILDER, Sample, attestation};

/// All keys of objects in a statement.
const KEYS: [&str; 28] = [
    "_type",
    "subject",
    "name",
    "digest",
    "sha256",
    "predicateType",
    "predicate",
    "buildDefinition",
    "buildType",
    "externalParameters",
    "components",
    "optLevel",
    "project",
    "source",
    "version",
    "internalParameters",
    "actionKeys",
    "platform",
    "rebuilds",
    "sandbox",
    "sources",
    "resolvedDependencies",
    "uri",
    "annotations",
    "role",
    "runDetails",
    "builder",
    "id",
];

/// The first keys of all kinds of objects in a statement whose keys are fixed.
const OBJECTS: [&str; 10] = [
    "{\"_type\"",
    "{\"name\"",
    "{\"buildDefinition\"",
    "{\"buildType\"",
    "{\"components\"",
    "{\"actionKeys\"",
    "{\"uri\"",
    "{\"role\"",
    "{\"builder\"",
    "{\"id\"",
];

pub(crate) fn mutants() -> Vec<Mutant> {
    let mut mutants = types();
    mutants.extend(values());
    for key in KEYS {
        let quoted = format!("\"{key}\":");
        mutants.push(change(&quoted, &format!("{quoted}null,{quoted}"), |error| {
            matches!(error, StatementError::Json(JsonError::Duplicate(_)))
        }));
    }
    for object in OBJECTS {
        let more = object.replacen('{', "{\"more\":\"parameter\",", 1);
        mutants.push(change(object, &more, is_malformed));
    }
    mutants
}

/// Returns the release as both keys sign these bytes.
pub(super) fn signed(statement: &[u8]) -> Vec<u8> {
    let mut raw = Raw::of(&Sample::new("1.2.0").archive());
    for key in [&*CI, &*REBUILDER] {
        raw.set(&attestation(key), Bundle::sign(statement, key).to_json());
    }
    raw.pack()
}

/// Changes the text of a statement before it is signed.
fn change(from: &str, to: &str, fits: fn(&StatementError) -> bool) -> Mutant {
    let good = String::from_utf8(Sample::new("1.2.0").json()).unwrap();
    assert!(good.contains(from), "{from}");
    let archive = signed(good.replacen(from, to, 1).as_bytes());
    Mutant::integrity(
        format!("signed: {from} → {to}"),
        archive,
        move |fault| matches!(fault, Fault::Statement { reason, .. } if fits(reason)),
    )
}

fn is_malformed(error: &StatementError) -> bool {
    matches!(error, StatementError::Json(JsonError::Malformed(_)))
}

fn types() -> Vec<Mutant> {
    let is_type = |error: &StatementError| matches!(error, StatementError::Type { .. });
    vec![
        change("Statement/v1", "Statement/v2", is_type),
        change("provenance/v1", "provenance/v0.2", is_type),
        change("https://slsa.dev/provenance/v1", "https://cyclonedx.org/bom", is_type),
        change("urn:x-run:build:v1", "urn:x-run:build:v9", is_type),
        change("}}}}", "}}}} {}", is_malformed),
    ]
}

fn values() -> Vec<Mutant> {
    let is_text = |error: &StatementError| matches!(error, StatementError::Text { .. });
    vec![
        change("\"sandbox\":\"namespaces\"", "\"sandbox\":\"strong\"", is_malformed),
        change("\"sources\":\"clean\"", "\"sources\":\"spotless\"", is_malformed),
        change("\"rebuilds\":2", "\"rebuilds\":-2", is_malformed),
        change("\"rebuilds\":2", "\"rebuilds\":\"2\"", is_malformed),
        change("\"version\":\"1.2.0\"", "\"version\":\"latest\"", is_malformed),
        change("\"sha256\":\"", "\"sha256\":\"00", is_malformed),
        change("\"sha256\":", "\"md5\":", is_malformed),
        change("\"project\":\"shop\"", "\"project\":\"\"", is_text),
        change("\"project\":\"shop\"", "\"project\":\"\\u001b[2Jshop\"", is_text),
    ]
}
