//! Compares the files of a release with what was signed about them, and with each other.
//!
//! Both directions count: a file that was signed and is missing, and one that is there and that nobody has signed. A
//! statement names all files of one release, so no file can be exchanged for that of another release.

use std::collections::BTreeMap;

use super::{Claim, Demand, Fault, Report, Signer};
use crate::archive::{Files, Place};
use crate::digest::Sha256;
use crate::sbom;
use crate::statement::Role;

/// Checks that a claim is about the very files of a release, all of them.
pub(super) fn check(report: &mut Report, files: &Files, claim: &Claim) {
    let key = claim.signer().to_owned();
    let definition = &claim.statement.predicate.build_definition;
    let made =
        claim.statement.subject.iter().map(|subject| (subject.name.as_str(), &subject.digest));
    let used = definition.resolved_dependencies.iter().filter_map(|dependency| {
        let is_file = dependency.annotations.role == Role::File;
        is_file.then(|| (dependency.shown(), &dependency.digest))
    });
    let is_made =
        |path: &str| matches!(files.place(path), Some(Place::Component(_) | Place::Sbom(_)));
    let is_used = |path: &str| matches!(files.place(path), Some(Place::Source(_)));
    // A file counts only in the part that it has: a lock is no component, whatever was signed.
    let mut signed: BTreeMap<&str, Option<Sha256>> = BTreeMap::new();
    let mut faults = Vec::new();
    let made = made.map(|(path, digest)| (path, digest, is_made(path)));
    let used = used.map(|(path, digest)| (path, digest, is_used(path)));
    for (path, digest, is_there) in made.chain(used) {
        if is_there {
            signed.insert(path, digest.sha256());
        } else {
            faults.push(Fault::Missing { file: path.to_owned(), key: key.clone() });
        }
    }
    // Nobody can sign their own attestation, so that is the only kind of file that stands for itself.
    let others = files.iter().filter(|(path, _)| !matches!(path.place(), Place::Attestation(_)));
    for (path, bytes) in others {
        let (file, key) = (path.to_string(), key.clone());
        match signed.get(path.as_str()) {
            None => faults.push(Fault::Unattested { file, key }),
            Some(digest) if *digest != Some(Sha256::of(bytes)) => {
                faults.push(Fault::Differs { file, key });
            }
            Some(_) => {}
        }
    }
    let (external, internal) = (&definition.external_parameters, &definition.internal_parameters);
    let names = files.components();
    if external.components != names || !internal.action_keys.keys().eq(&names) {
        faults.push(Fault::Components { key: key.clone() });
    }
    report.note(faults, || {
        format!("the key `{key}` vouches for each of the {} files of the release", signed.len())
    });
}

/// Checks that each component has its bill of materials.
pub(super) fn bills(report: &mut Report, files: &Files) {
    let mut faults = Vec::new();
    for (path, json) in files.iter() {
        let name = match path.place() {
            Place::Component(name) => {
                if files.get(&format!("sbom/{name}.cdx.json")).is_none() {
                    faults.push(Fault::NoBill(name.to_owned()));
                }
                continue;
            }
            Place::Sbom(name) => name.to_owned(),
            Place::Attestation(_) | Place::Source(_) => continue,
        };
        let Some(component) = files.get(&format!("components/{name}.wasm")) else {
            faults.push(Fault::BillOfNothing(path.to_string()));
            continue;
        };
        let path = path.to_string();
        match sbom::is_of(json, &name, &Sha256::of(component)) {
            Ok(true) => {}
            Ok(false) => faults.push(Fault::BillDiffers { path, component: name }),
            Err(reason) => faults.push(Fault::Bill { path, reason }),
        }
    }
    report.note(faults, || "each component has its bill of materials".to_owned());
}

/// Checks that a claim is about the bytes with a digest.
pub(super) fn subject(report: &mut Report, name: &str, digest: &Sha256, claim: &Claim) {
    let key = claim.signer().to_owned();
    let mut subjects = claim.statement.subject.iter();
    if subjects.any(|subject| subject.digest.sha256() == Some(*digest)) {
        return report.passed(format!("the key `{key}` vouches for `{name}`"));
    }
    report.failed(Fault::Differs { file: name.to_owned(), key });
}

/// Checks that the folder of a release is called like the release.
pub(super) fn root(report: &mut Report, files: &Files, claim: &Claim) {
    let external = &claim.statement.predicate.build_definition.external_parameters;
    let expected = format!("{}-{}", external.project, external.version);
    if files.root() != expected {
        report.failed(Fault::Root { found: files.root().to_owned(), expected });
    }
}

/// Checks which project and version the release is of.
pub(super) fn identity(report: &mut Report, claim: &Claim, demand: &Demand<'_>) {
    let external = &claim.statement.predicate.build_definition.external_parameters;
    let mut faults = Vec::new();
    if let Some(expected) = demand.project.filter(|expected| *expected != external.project) {
        let (found, expected) = (external.project.clone(), expected.to_owned());
        faults.push(Fault::Project { found, expected });
    }
    // What follows a `+` does not order versions.
    if let Some(minimum) = demand.minimum
        && external.version.cmp_precedence(minimum).is_lt()
    {
        let (found, minimum) = (external.version.clone(), minimum.clone());
        faults.push(Fault::Rollback { found, minimum });
    }
    report.note(faults, || {
        format!("the release is version {} of `{}`", external.version, external.project)
    });
}

impl Claim {
    /// Returns the name of the key.
    pub(super) fn signer(&self) -> &str {
        match &self.signer {
            Signer::Trusted(key) | Signer::Expired(key, _) | Signer::Unknown(key) => key,
        }
    }
}
