//! Releases that were changed in one place, each with the fault that has to be found.
//!
//! A mutant counts as refused only if the fault that belongs to it is found, and the verdict has its kind. There are
//! mutants of someone who has no key (`bytes`, `bundles`, `archives`, `swaps`), of someone whose key is trusted and who
//! signs something wrong (`statements`, `claims`, `builds`), and of demands that a good release does not fulfil (`demands`).

pub(crate) mod raw;

mod archives;
mod builds;
mod bundles;
mod bytes;
mod claims;
mod demands;
mod statements;
mod swaps;

use release::verify::{Fault, FaultKind};

use crate::sample::{Demands, Sample};

/// A changed release.
pub(crate) struct Mutant {
    name: String,
    archive: Vec<u8>,
    demands: Demands,
    kind: FaultKind,
    /// Returns true for the fault that has to be found.
    expect: Box<dyn Fn(&Fault) -> bool>,
}

impl Mutant {
    /// A mutant of a release whose bytes or signatures are wrong.
    fn integrity(
        name: impl Into<String>,
        archive: Vec<u8>,
        expect: impl Fn(&Fault) -> bool + 'static,
    ) -> Self {
        let (kind, demands) = (FaultKind::Integrity, Demands::all());
        Self { name: name.into(), archive, demands, kind, expect: Box::new(expect) }
    }

    /// A mutant of a release that does not prove what is demanded.
    fn policy(
        name: impl Into<String>,
        archive: Vec<u8>,
        expect: impl Fn(&Fault) -> bool + 'static,
    ) -> Self {
        Self { kind: FaultKind::Policy, ..Self::integrity(name, archive, expect) }
    }
}

#[test]
fn each_mutant_is_refused_for_its_reason() {
    let mutants: Vec<Mutant> = [
        bytes::mutants(),
        bundles::mutants(),
        archives::mutants(),
        swaps::mutants(),
        statements::mutants(),
        claims::mutants(),
        builds::mutants(),
        demands::mutants(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let number = mutants.len();
    assert!(number >= 450, "there are only {number} mutants");
    let valid = Sample::new("1.2.0").archive();
    let mut survivors = Vec::new();
    for mutant in mutants {
        let changed = mutant.archive != valid || mutant.name.starts_with("demand:");
        let report = mutant.demands.check(&mutant.archive);
        let found = report.faults().any(|fault| (mutant.expect)(fault));
        if !changed || !found || report.verdict() != Some(mutant.kind) {
            let faults: Vec<_> = report.faults().map(ToString::to_string).collect();
            survivors.push(format!("{}: {:?}: {faults:#?}", mutant.name, report.verdict()));
        }
    }
    assert!(survivors.is_empty(), "{} of {number}: {survivors:#?}", survivors.len());
}
