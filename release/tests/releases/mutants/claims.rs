//! Statements of the right form that a trusted key has signed, and that do not describe the files.
//!
//! A signer who errs, or whose key was stolen, can't make a release whose parts contradict each other.

use release::Sha256;
use release::statement::{Dependency, Role, Statement, StatementError, Subject};
use release::verify::Fault;

use super::Mutant;
use super::statements::signed;
use crate::sample::Sample;

pub(crate) fn mutants() -> Vec<Mutant> {
    let mut mutants = subjects();
    mutants.extend(files());
    mutants.extend(packages());
    mutants.extend(parameters());
    mutants
}

fn change(name: &str, change: fn(&mut Statement), expect: fn(&Fault) -> bool) -> Mutant {
    let mut statement = Sample::new("1.2.0").statement();
    change(&mut statement);
    let json = serde_json::to_vec(&statement).unwrap();
    Mutant::integrity(format!("signed: {name}"), signed(&json), expect)
}

fn dependencies(statement: &mut Statement) -> &mut Vec<Dependency> {
    &mut statement.predicate.build_definition.resolved_dependencies
}

fn dependency<'a>(statement: &'a mut Statement, start: &str) -> &'a mut Dependency {
    let mut all = dependencies(statement).iter_mut();
    all.find(|there| there.shown().starts_with(start)).unwrap()
}

fn subjects() -> Vec<Mutant> {
    let digest = |s: &mut Statement| s.subject[0].digest = Sha256::of(b"x").into();
    let less = |s: &mut Statement| drop(s.subject.remove(0));
    let other = |s: &mut Statement| s.subject[0].name = "components/evil.wasm".to_owned();
    let twice = |s: &mut Statement| s.subject.push(s.subject[0].clone());
    let no_bill =
        |s: &mut Statement| s.subject.retain(|subject| subject.name != "sbom/api.cdx.json");
    vec![
        change(
            "the digest of a subject",
            digest,
            |fault| matches!(fault, Fault::Differs { file, .. } if file == "components/api.wasm"),
        ),
        change(
            "a subject less",
            less,
            |fault| matches!(fault, Fault::Unattested { file, .. } if file == "components/api.wasm"),
        ),
        change(
            "a bill less",
            no_bill,
            |fault| matches!(fault, Fault::Unattested { file, .. } if file == "sbom/api.cdx.json"),
        ),
        change(
            "a subject that is not there",
            other,
            |fault| matches!(fault, Fault::Missing { file, .. } if file == "components/evil.wasm"),
        ),
        change(
            "no subject",
            |s| s.subject.clear(),
            |fault| matches!(fault, Fault::Statement { reason: StatementError::NoSubject, .. }),
        ),
        change("a subject twice", twice, |fault| {
            matches!(fault, Fault::Statement { reason: StatementError::Twice(_), .. })
        }),
    ]
}

fn files() -> Vec<Mutant> {
    let less =
        |s: &mut Statement| dependencies(s).retain(|there| there.shown() != "source/run.lock.toml");
    let as_subject = |s: &mut Statement| {
        let lock = dependency(s, "source/run.lock.toml").clone();
        dependencies(s).retain(|there| *there != lock);
        s.subject.push(Subject { name: lock.name.unwrap(), digest: lock.digest });
    };
    let as_file = |s: &mut Statement| {
        let component = s.subject.remove(0);
        let mut file = dependency(s, "source/run.toml").clone();
        (file.name, file.digest) = (Some(component.name), component.digest);
        dependencies(s).push(file);
    };
    let digest =
        |s: &mut Statement| dependency(s, "source/run.toml").digest = Sha256::of(b"x").into();
    vec![
        change(
            "a lock less",
            less,
            |fault| matches!(fault, Fault::Unattested { file, .. } if file == "source/run.lock.toml"),
        ),
        change(
            "a lock as a subject",
            as_subject,
            |fault| matches!(fault, Fault::Missing { file, .. } if file == "source/run.lock.toml"),
        ),
        change(
            "a component as a file of the project",
            as_file,
            |fault| matches!(fault, Fault::Missing { file, .. } if file == "components/api.wasm"),
        ),
        change(
            "the digest of run.toml",
            digest,
            |fault| matches!(fault, Fault::Differs { file, .. } if file == "source/run.toml"),
        ),
    ]
}

fn packages() -> Vec<Mutant> {
    let is_role =
        |fault: &Fault| matches!(fault, Fault::Statement { reason: StatementError::Role(_), .. });
    let no_purl = |s: &mut Statement| {
        dependency(s, "pkg:cargo/serde@").uri = Some("serde".to_owned());
    };
    let as_file = |s: &mut Statement| {
        dependency(s, "pkg:cargo/serde@").annotations.role = Role::File;
    };
    let no_commit = |s: &mut Statement| {
        dependencies(s).retain(|there| there.annotations.role != Role::Source);
    };
    vec![
        change("a package without an address", no_purl, is_role),
        change("a package with the role of a file", as_file, is_role),
        change("clean sources without a commit", no_commit, |fault| {
            matches!(fault, Fault::Statement { reason: StatementError::Source, .. })
        }),
    ]
}

fn parameters() -> Vec<Mutant> {
    let is_components = |fault: &Fault| matches!(fault, Fault::Components { .. });
    let less = |s: &mut Statement| {
        s.predicate.build_definition.external_parameters.components.remove("api");
    };
    let no_key = |s: &mut Statement| {
        s.predicate.build_definition.internal_parameters.action_keys.remove("api");
    };
    let more = |s: &mut Statement| {
        let keys = &mut s.predicate.build_definition.internal_parameters.action_keys;
        keys.insert("evil".to_owned(), "x".to_owned());
    };
    let version = |s: &mut Statement| {
        s.predicate.build_definition.external_parameters.version.minor = 9;
    };
    vec![
        change("a component less among the parameters", less, is_components),
        change("an action key less", no_key, is_components),
        change("an action key more", more, is_components),
        change(
            "another version than that of the folder",
            version,
            |fault| matches!(fault, Fault::Root { expected, .. } if expected == "shop-1.9.0"),
        ),
    ]
}
