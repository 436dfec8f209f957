//! Builds that are stated truly, and are not what the policy wants.
//!
//! Both keys sign the same statement about the weak build, except where the mutant is that they differ.

use release::archive::{Files, Limits};
use release::bundle::Bundle;
use release::statement::Sandbox;
use release::verify::Fault;
use release::{Build, JsonError};

use super::Mutant;
use super::raw::Raw;
use crate::sample::{REBUILDER, Sample, attestation};

pub(crate) fn mutants() -> Vec<Mutant> {
    let mut mutants = weak();
    mutants.extend(builders());
    mutants.extend(disagreements());
    mutants.extend(bills());
    mutants
}

fn changed(change: fn(&mut Build)) -> Sample {
    let mut sample = Sample::new("1.2.0");
    change(&mut sample.build);
    sample
}

/// Returns the release that both signers state to be so.
fn stated(name: &str, change: fn(&mut Build), expect: fn(&Fault) -> bool) -> Mutant {
    Mutant::policy(format!("stated: {name}"), changed(change).archive(), expect)
}

fn weak() -> Vec<Mutant> {
    let dirty = |build: &mut Build| build.source.as_mut().unwrap().is_clean = false;
    vec![
        stated("changes after the commit", dirty, |fault| {
            matches!(fault, Fault::Sources { found: "changed after the commit", .. })
        }),
        stated(
            "no repository",
            |build| build.source = None,
            |fault| matches!(fault, Fault::Sources { found: "in no repository", .. }),
        ),
        stated(
            "a weak sandbox",
            |build| build.sandbox = Sandbox::Weak,
            |fault| matches!(fault, Fault::Sandbox { found: "weak", .. }),
        ),
        stated(
            "no sandbox",
            |build| build.sandbox = Sandbox::None,
            |fault| matches!(fault, Fault::Sandbox { found: "none", .. }),
        ),
        stated(
            "no rebuild",
            |build| build.rebuilds = 0,
            |fault| matches!(fault, Fault::Rebuilds { found: 0, needed: 2, .. }),
        ),
        stated(
            "one rebuild",
            |build| build.rebuilds = 1,
            |fault| matches!(fault, Fault::Rebuilds { found: 1, needed: 2, .. }),
        ),
    ]
}

fn builders() -> Vec<Mutant> {
    let other = |build: &mut Build| build.builder.id = "https://laptop.example".to_owned();
    vec![
        stated(
            "another builder",
            other,
            |fault| matches!(fault, Fault::Builder { found, .. } if found == "https://laptop.example"),
        ),
        stated(
            "a builder that is not that of the key",
            |build| build.builder.id.push('x'),
            |fault| matches!(fault, Fault::KeyBuilder { key, .. } if key == "ci"),
        ),
    ]
}

/// The second signer states another build than the first.
fn disagreements() -> Vec<Mutant> {
    let disagree = |what: &'static str, change: fn(&mut Build)| {
        let mut raw = Raw::of(&Sample::new("1.2.0").archive());
        let bundle = Bundle::sign(&changed(change).json(), &REBUILDER);
        raw.set(&attestation(&REBUILDER), bundle.to_json());
        Mutant::policy(
            format!("stated: signers differ in {what}"),
            raw.pack(),
            move |fault| matches!(fault, Fault::Disagreement { what: found, .. } if found.contains(what)),
        )
    };
    vec![
        disagree("external", |build| build.opt_level = "debug".to_owned()),
        disagree("internal", |build| {
            build.action_keys.insert("api".to_owned(), "blake3:other".to_owned());
        }),
        disagree("internal", |build| build.platform = "aarch64-linux".to_owned()),
        disagree("dependencies", |build| drop(build.packages.pop())),
        disagree("dependencies", |build| build.source.as_mut().unwrap().commit = "d".repeat(40)),
    ]
}

/// Releases that their own signers have put together wrongly.
fn bills() -> Vec<Mutant> {
    let sample = Sample::new("1.2.0");
    let bill =
        |component: &str| sample.files.get(&format!("sbom/{component}.cdx.json")).unwrap().to_vec();
    let twice = String::from_utf8(bill("api")).unwrap().replacen(
        "{\"$schema\"",
        "{\"version\":2,\"$schema\"",
        1,
    );
    let with = |name: &str, change: &dyn Fn(&mut Raw), expect: fn(&Fault) -> bool| {
        let mut raw = Raw::of(&sample.archive());
        raw.files.retain(|path, _| !path.starts_with("attestations/"));
        change(&mut raw);
        let mut sample = sample.clone();
        sample.files = Files::read(&raw.pack(), &Limits::STANDARD).unwrap();
        Mutant::integrity(format!("stated: {name}"), sample.archive(), expect)
    };
    vec![
        with(
            "no bill of a component",
            &|raw| drop(raw.files.remove("sbom/api.cdx.json")),
            |fault| matches!(fault, Fault::NoBill(component) if component == "api"),
        ),
        with(
            "a bill of no component",
            &|raw| raw.set("sbom/evil.cdx.json", bill("api")),
            |fault| matches!(fault, Fault::BillOfNothing(path) if path == "sbom/evil.cdx.json"),
        ),
        with(
            "a bill of another component",
            &|raw| raw.set("sbom/api.cdx.json", bill("worker")),
            |fault| matches!(fault, Fault::BillDiffers { component, .. } if component == "api"),
        ),
        with("a bill that is none", &|raw| raw.set("sbom/api.cdx.json", b"{}".to_vec()), |fault| {
            matches!(fault, Fault::Bill { reason: JsonError::Malformed(_), .. })
        }),
        with(
            "a bill with a key twice",
            &|raw| raw.set("sbom/api.cdx.json", twice.clone().into_bytes()),
            |fault| matches!(fault, Fault::Bill { reason: JsonError::Duplicate(key), .. } if key == "version"),
        ),
    ]
}
