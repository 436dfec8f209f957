//! A good release that is asked for by somebody who demands something else.
//!
//! The archive is the valid one, byte for byte; only keys, policy, version, project or day are others.

use release::policy::Policy;
use release::trust::TrustedKey;
use release::verify::{Fault, FaultKind};

use super::Mutant;
use crate::sample::{CI, Demands, STRANGER, Sample, day, trusted, version};

pub(crate) fn mutants() -> Vec<Mutant> {
    let mut mutants = trust();
    mutants.extend(expiry());
    mutants.extend(wishes());
    mutants
}

fn demand(name: &str, change: fn(&mut Demands), expect: fn(&Fault) -> bool) -> Mutant {
    let mut demands = Demands::all();
    change(&mut demands);
    let archive = Sample::new("1.2.0").archive();
    Mutant { demands, ..Mutant::policy(format!("demand: {name}"), archive, expect) }
}

fn trust() -> Vec<Mutant> {
    let is_untrusted = |fault: &Fault| *fault == Fault::NoTrustedSignature;
    let strangers = [
        demand("no key", |demands| demands.keys.clear(), is_untrusted),
        demand(
            "a stranger's",
            |demands| demands.keys = vec![trusted("x", &STRANGER)],
            is_untrusted,
        ),
    ];
    let mut mutants: Vec<_> = strangers
        .into_iter()
        .map(|mutant| Mutant { kind: FaultKind::Integrity, ..mutant })
        .collect();
    let change = |demands: &mut Demands| {
        demands.keys = vec![trusted("ci", &CI), trusted("the same", &CI)];
    };
    mutants.push(demand("one key of two", |demands| drop(demands.keys.pop()), one_is_missing));
    mutants.push(demand("one key under two names", change, one_is_missing));
    let change = |demands: &mut Demands| {
        let builder = Some("https://other.example".to_owned());
        demands.keys[0] = TrustedKey { builder, ..trusted("ci", &CI) };
    };
    mutants.push(demand("a key of another builder", change, |fault| {
        matches!(fault, Fault::KeyBuilder { allowed, .. } if allowed == "https://other.example")
    }));
    mutants
}

fn one_is_missing(fault: &Fault) -> bool {
    *fault == Fault::Signatures { found: 1, needed: 2 }
}

fn expiry() -> Vec<Mutant> {
    let is_expired = |fault: &Fault| matches!(fault, Fault::KeyExpired { .. });
    let yesterday = |demands: &mut Demands| demands.keys[0].expires = Some(day("2026-11-30"));
    let long_ago = |demands: &mut Demands| demands.keys[1].expires = Some(day("2020-01-01"));
    let both = |demands: &mut Demands| demands.today = day("2027-01-01");
    let alone = |demands: &mut Demands| {
        demands.policy = Policy::default();
        demands.today = day("2027-01-01");
    };
    vec![
        demand("a key that expired yesterday", yesterday, is_expired),
        demand("an expired key does not count", long_ago, one_is_missing),
        demand("an expired key alone", alone, is_expired),
        demand("both keys after their last day", both, |fault| {
            *fault == Fault::Signatures { found: 0, needed: 2 }
        }),
    ]
}

fn wishes() -> Vec<Mutant> {
    let is_old = |fault: &Fault| matches!(fault, Fault::Rollback { .. });
    let builder = |demands: &mut Demands| {
        demands.policy = Policy::of(&["builder:https://other.example"]).unwrap();
    };
    let three = |demands: &mut Demands| demands.policy = Policy::of(&["signatures:3"]).unwrap();
    let patch = |demands: &mut Demands| demands.minimum = Some(version("1.2.1"));
    let minor = |demands: &mut Demands| demands.minimum = Some(version("1.10.0"));
    let major = |demands: &mut Demands| demands.minimum = Some(version("2.0.0-alpha"));
    vec![
        demand("another builder", builder, |fault| matches!(fault, Fault::Builder { .. })),
        demand("three signatures", three, |fault| {
            *fault == Fault::Signatures { found: 2, needed: 3 }
        }),
        demand(
            "another project",
            |demands| demands.project = Some("bank"),
            |fault| matches!(fault, Fault::Project { found, .. } if found == "shop"),
        ),
        demand("a later patch", patch, is_old),
        demand("a later minor version", minor, is_old),
        demand("a later major version", major, is_old),
    ]
}
