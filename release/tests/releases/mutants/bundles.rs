//! Attestations that are changed in one field, signed by a stranger, missing, or under another name.
//!
//! Whoever makes these has none of the trusted keys, and has written a right list of files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use release::bundle::{Bundle, BundleError};
use release::dsse::DsseError;
use release::verify::Fault;
use release::{JsonError, keys::PrivateKey};
use serde_json::Value;

use super::Mutant;
use super::raw::Raw;
use crate::sample::{CI, REBUILDER, STRANGER, Sample, attestation};

pub(crate) fn mutants() -> Vec<Mutant> {
    let mut mutants = texts();
    mutants.extend(leaves());
    mutants.extend(signers());
    mutants
}

/// Returns the release with another attestation of the key of the continuous integration.
fn with(bundle: impl Into<Vec<u8>>) -> Vec<u8> {
    let mut raw = Raw::of(&Sample::new("1.2.0").archive());
    raw.set(&attestation(&CI), bundle.into());
    raw.pack()
}

fn bundle(statement: &[u8], key: &PrivateKey) -> String {
    String::from_utf8(Bundle::sign(statement, key).to_json()).unwrap()
}

/// Changes of the text of a bundle.
fn texts() -> Vec<Mutant> {
    let good = bundle(&Sample::new("1.2.0").json(), &CI);
    let change = |from: &str, to: &str, fits: fn(&BundleError) -> bool| {
        assert!(good.contains(from), "{from}");
        let expect =
            move |fault: &Fault| matches!(fault, Fault::Bundle { reason, .. } if fits(reason));
        Mutant::integrity(
            format!("bundle: {from} → {to}"),
            with(good.replacen(from, to, 1)),
            expect,
        )
    };
    let twice = |error: &BundleError| {
        matches!(
            error,
            BundleError::Json(JsonError::Duplicate(_))
                | BundleError::Envelope(DsseError::Json(JsonError::Duplicate(_)))
        )
    };
    let malformed =
        |error: &BundleError| matches!(error, BundleError::Json(JsonError::Malformed(_)));
    let mut mutants = vec![
        change("v0.3+json", "v0.2+json", |error| matches!(error, BundleError::MediaType(_))),
        change("v0.3+json", "v0.3", |error| matches!(error, BundleError::MediaType(_))),
        change("in-toto+json", "in-toto", |error| {
            matches!(error, BundleError::Envelope(DsseError::Type(_)))
        }),
        change("application/vnd.in-toto+json", "", |error| {
            matches!(error, BundleError::Envelope(DsseError::Type(_)))
        }),
        change("\"publicKey\"", "\"certificate\":{\"rawBytes\":\"AA==\"},\"publicKey\"", |error| {
            *error == BundleError::Keyless
        }),
        change("\"publicKey\"", "\"x509CertificateChain\":{},\"publicKey\"", |error| {
            *error == BundleError::Keyless
        }),
        change("\"publicKey\"", "\"timestampVerificationData\"", |error| {
            *error == BundleError::NoKey
        }),
        change("\"dsseEnvelope\"", "\"messageSignature\"", |error| {
            *error == BundleError::NoEnvelope
        }),
        change("[{\"sig\"", "[{\"sig\":\"AA==\"},{\"sig\"", |error| {
            *error == BundleError::Several(2)
        }),
        change("{\"sig\":\"", "{\"sig\":\" ", |error| {
            *error == BundleError::Envelope(DsseError::Base64("signature"))
        }),
        change("\"payload\":\"", "\"payload\":\"\\n", |error| {
            *error == BundleError::Envelope(DsseError::Base64("payload"))
        }),
        change("\"signatures\":[", "\"signatures\":[],\"x\":[", malformed),
        change("}]}}", "}]}}{}", malformed),
        change("}]}}", "}]}}\0", malformed),
        change("}]}}", "}]}", malformed),
        change("{\"mediaType\"", "\u{feff}{\"mediaType\"", malformed),
    ];
    for key in [
        "mediaType",
        "verificationMaterial",
        "publicKey",
        "hint",
        "dsseEnvelope",
        "payload",
        "payloadType",
        "signatures",
        "sig",
    ] {
        let quoted = format!("\"{key}\":");
        mutants.push(change(&quoted, &format!("\"{key}\":null,\"{key}\":"), twice));
        mutants.push(change(&quoted, &format!("\"more\":1,{quoted}"), malformed));
    }
    mutants
}

/// Each value of the signed statement is another, and the signature is as it was.
fn leaves() -> Vec<Mutant> {
    let sample = Sample::new("1.2.0");
    let statement: Value = serde_json::from_slice(&sample.json()).unwrap();
    let good = bundle(&sample.json(), &CI);
    let payload = STANDARD.encode(sample.json());
    let mut pointers = Vec::new();
    collect(&statement, String::new(), &mut pointers);
    assert!(pointers.len() > 50, "{}", pointers.len());
    let mutant = |pointer: &String| {
        let mut other = statement.clone();
        let value = other.pointer_mut(pointer).unwrap();
        *value = match value {
            Value::String(text) => Value::from(format!("{text}0")),
            Value::Number(number) => Value::from(number.as_u64().unwrap() + 1),
            other => panic!("{other:?}"),
        };
        let text = good.replace(&payload, &STANDARD.encode(other.to_string()));
        let archive = with(text);
        Mutant::integrity(
            format!("statement: {pointer} changed after it was signed"),
            archive,
            is_unsigned,
        )
    };
    pointers.iter().map(mutant).collect()
}

fn collect(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect(value, format!("{at}/{key}"), pointers);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                collect(value, format!("{at}/{index}"), pointers);
            }
        }
        _ => pointers.push(at),
    }
}

fn is_unsigned(fault: &Fault) -> bool {
    matches!(fault, Fault::Signature { key, .. } if key == "ci")
}

/// Other signers than those who should have signed.
fn signers() -> Vec<Mutant> {
    let sample = Sample::new("1.2.0");
    let json = sample.json();
    let ci = CI.public().id().to_string();
    let stranger = bundle(&json, &STRANGER);
    let claims_to_be_ci = stranger.replace(&STRANGER.public().id().to_string(), &ci);
    let good = bundle(&json, &CI);
    let of = |payload: &[u8]| STANDARD.encode(payload);
    let other_type = good.replace(&of(&json), &of(b"{}"));
    let hint = good.replace(&ci, &REBUILDER.public().id().to_string());
    let is_hint = |fault: &Fault| matches!(fault, Fault::Hint { key, .. } if key == "ci");
    let is_untrusted = |fault: &Fault| *fault == Fault::NoTrustedSignature;
    let mut renamed = Raw::of(&sample.archive());
    let bytes = renamed.files.remove(&attestation(&CI)).unwrap();
    renamed.set("attestations/0123456789abcdef.sigstore.json", bytes);
    vec![
        Mutant::integrity(
            "signer: a stranger who names the key",
            with(claims_to_be_ci),
            is_unsigned,
        ),
        Mutant::integrity("signer: another payload", with(other_type), is_unsigned),
        Mutant::integrity("signer: the hint is another trusted key", with(hint), is_hint),
        Mutant::integrity("signer: the hint is empty", with(good.replace(&ci, "")), is_hint),
        Mutant::integrity("signer: the file has the name of another key", renamed.pack(), is_hint),
        Mutant::integrity("signer: a stranger alone", sample.signed(&[&STRANGER]), is_untrusted),
        Mutant::integrity("signer: nobody", sample.signed(&[]), |fault| {
            *fault == Fault::NoAttestation
        }),
        Mutant::policy("signer: one of two", sample.signed(&[&CI]), |fault| {
            *fault == Fault::Signatures { found: 1, needed: 2 }
        }),
        Mutant::policy(
            "signer: one of two, and a stranger",
            sample.signed(&[&CI, &STRANGER]),
            |fault| *fault == Fault::Signatures { found: 1, needed: 2 },
        ),
    ]
}
