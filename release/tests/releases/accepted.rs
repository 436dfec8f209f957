//! A valid release is accepted, whoever asks for how much of it.
//!
//! These tests would fail if a check refused too much; the mutants would survive if one refused too little.

use release::policy::Policy;
use release::statement::{Role, STATEMENT, Subject};
use release::verify::{Check, Fault, Signer, attestation as verify_attestation};
use release::{Sha256, archive::Files, archive::Limits, bundle::Bundle};

use crate::sample::{BUILDER, CI, Demands, REBUILDER, STRANGER, Sample, day, trusted, version};

#[test]
fn a_release_that_fulfils_everything_is_accepted() {
    let archive = Sample::new("1.2.0").archive();
    let report = Demands::all().check(&archive);
    assert_eq!(report.verdict(), None, "{:#?}", report.checks);
    assert!(report.checks.len() >= 14, "{:#?}", report.checks);
    assert!(report.checks.iter().all(|check| matches!(check, Check::Passed(_))));
    let signers: Vec<_> = report.claims.iter().map(|claim| claim.signer.clone()).collect();
    let key = |name: &str| Signer::Trusted(name.to_owned());
    assert!(signers.contains(&key("ci")) && signers.contains(&key("rebuilder")), "{signers:?}");
}

#[test]
fn the_same_release_is_the_same_bytes() {
    assert_eq!(Sample::new("1.2.0").archive(), Sample::new("1.2.0").archive());
    let keys = [&*REBUILDER, &*CI];
    assert_eq!(Sample::new("1.2.0").signed(&keys), Sample::new("1.2.0").archive());
}

#[test]
fn one_trusted_key_is_enough_if_no_more_is_required() {
    let mut demands = Demands::all();
    demands.policy = Policy::default();
    let archive = Sample::new("1.2.0").signed(&[&CI]);
    assert_eq!(demands.check(&archive).verdict(), None);
    demands.keys = vec![trusted("rebuilder", &REBUILDER), trusted("ci", &CI)];
    assert_eq!(demands.check(&archive).verdict(), None);
    // Neither a project nor a version needs to be known, nor a builder.
    demands.project = None;
    demands.minimum = None;
    demands.keys[1].builder = None;
    demands.keys[1].expires = None;
    assert_eq!(demands.check(&archive).verdict(), None);
}

#[test]
fn the_signature_of_a_stranger_counts_for_nothing_and_spoils_nothing() {
    let archive = Sample::new("1.2.0").signed(&[&CI, &REBUILDER, &STRANGER]);
    let report = Demands::all().check(&archive);
    assert_eq!(report.verdict(), None, "{:#?}", report.checks);
    let ignored = |check: &&Check| matches!(check, Check::NotCounted(_));
    assert_eq!(report.checks.iter().filter(ignored).count(), 1);
}

#[test]
fn a_key_counts_on_its_last_day_and_a_version_from_the_lowest_on() {
    let archive = Sample::new("1.2.0").archive();
    let mut demands = Demands::all();
    demands.today = day("2026-12-31");
    assert_eq!(demands.check(&archive).verdict(), None);
    for minimum in ["1.2.0", "1.2.0+build.7", "1.2.0-rc.9", "1.1.99", "0.9.0"] {
        demands.minimum = Some(version(minimum));
        assert_eq!(demands.check(&archive).verdict(), None, "{minimum}");
    }
}

#[test]
fn rebuilders_may_be_other_builders_with_other_versions() {
    let sample = Sample::new("1.2.0");
    let mut other = sample.clone();
    other.build.builder.id = "https://rebuilder.example/1".to_owned();
    other.build.builder.version.insert("run".to_owned(), "0.1.1".to_owned());
    let mut files = sample.files.clone();
    files.add_attestation(&Bundle::sign(&sample.json(), &CI), &CI.public()).unwrap();
    let bundle = Bundle::sign(&other.json(), &REBUILDER);
    files.add_attestation(&bundle, &REBUILDER.public()).unwrap();
    let mut demands = Demands::all();
    demands.keys[1].builder = Some("https://rebuilder.example/1".to_owned());
    let first = format!("builder:{BUILDER}");
    let list = ["signatures:2", &first, "builder:https://rebuilder.example/1"];
    demands.policy = Policy::of(&list).unwrap();
    let report = demands.check(&files.to_archive().unwrap());
    assert_eq!(report.verdict(), None, "{:#?}", report.checks);
}

#[test]
fn what_is_read_can_be_signed_once_more() {
    let one = Sample::new("1.2.0").signed(&[&CI]);
    let mut files = Files::read(&one, &Limits::STANDARD).unwrap();
    let bundle = Bundle::sign(&Sample::new("1.2.0").json(), &REBUILDER);
    files.add_attestation(&bundle, &REBUILDER.public()).unwrap();
    assert_eq!(files.to_archive().unwrap(), Sample::new("1.2.0").archive());
}

#[test]
fn a_component_in_a_registry_has_its_own_attestation() {
    let sample = Sample::new("1.2.0");
    let manifest = Sha256::of(b"manifest");
    let subject = Subject { name: "registry.example/shop/api".to_owned(), digest: manifest.into() };
    let statement = sample.build.statement_about(vec![subject], &sample.files).unwrap();
    let bundle = Bundle::sign(&statement.to_json().unwrap(), &CI).to_json();
    let provenance = "https://slsa.dev/provenance/v1";
    let found = verify_attestation(&bundle, &manifest, provenance, &CI.public()).unwrap();
    assert!(String::from_utf8(found).unwrap().contains(STATEMENT));
    let files = statement.predicate.build_definition.resolved_dependencies;
    assert!(files.iter().any(|file| file.annotations.role == Role::File));
    let other = verify_attestation(&bundle, &Sha256::of(b"x"), provenance, &CI.public());
    assert!(matches!(other, Err(release::verify::AttestationError::Subject(_))));
    let other = verify_attestation(&bundle, &manifest, "https://cyclonedx.org/bom", &CI.public());
    assert!(matches!(other, Err(release::verify::AttestationError::Predicate { .. })));
    let other = verify_attestation(&bundle, &manifest, provenance, &STRANGER.public());
    assert_eq!(other, Err(release::verify::AttestationError::Signature));
}

#[test]
fn a_release_that_was_signed_anew_does_not_need_its_expired_key() {
    let archive = Sample::new("1.2.0").archive();
    let mut demands = Demands::all();
    demands.policy = Policy::default();
    demands.keys[0].expires = Some(day("2020-01-01"));
    let report = demands.check(&archive);
    assert_eq!(report.verdict(), None, "{:#?}", report.checks);
    assert!(report.checks.iter().any(
        |check| matches!(check, Check::NotCounted(sentence) if sentence.contains("2020-01-01"))
    ));
}

#[test]
fn a_component_in_a_registry_fulfils_the_same_policy() {
    let sample = Sample::new("1.2.0");
    let (name, manifest) = ("registry.example/shop/api", Sha256::of(b"manifest"));
    let attest = |digest: Sha256, key: &release::keys::PrivateKey| {
        let subject = Subject { name: name.to_owned(), digest: digest.into() };
        let statement = sample.build.statement_about(vec![subject], &sample.files).unwrap();
        let bundle = Bundle::sign(&statement.to_json().unwrap(), key);
        (format!("referrer {}", key.public().id().short()), bundle.to_json())
    };
    let both = [attest(manifest, &CI), attest(manifest, &REBUILDER)];
    let demands = Demands::all();
    let report = demands.check_artifact(name, &manifest, &both);
    assert_eq!(report.verdict(), None, "{:#?}", report.checks);
    let faults = |attestations: &[(String, Vec<u8>)]| {
        let report = demands.check_artifact(name, &manifest, attestations);
        report.faults().cloned().collect::<Vec<_>>()
    };
    assert_eq!(faults(&[])[0], Fault::NoAttestation);
    // One key that has attested twice is one key.
    let one = Fault::Signatures { found: 1, needed: 2 };
    assert_eq!(faults(&[both[0].clone(), both[0].clone()]), std::slice::from_ref(&one));
    // A stranger, and another statement of a trusted key, change nothing.
    let other = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"00"}}],"predicateType":"https://cyclonedx.org/bom","predicate":{}}"#;
    let other = ("other".to_owned(), Bundle::sign(other, &CI).to_json());
    let many = [attest(manifest, &STRANGER), other, both[0].clone(), both[1].clone()];
    assert_eq!(faults(&many), []);
    assert_eq!(faults(&many[..3]), [one]);
    assert_eq!(faults(&many[..2])[0], Fault::NoTrustedSignature);
    // An attestation of another manifest is no attestation of this one.
    let wrong = faults(&[both[0].clone(), attest(Sha256::of(b"old"), &REBUILDER)]);
    assert!(wrong.contains(&Fault::Differs { file: name.to_owned(), key: "rebuilder".to_owned() }));
}
