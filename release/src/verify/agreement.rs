//! Checks that all signers vouch for the same build. Only who has built, and when, may differ.
//!
//! That is what makes the number of signatures mean something: two keys that vouch for two different builds are no
//! proof that either can be made again.

use super::{Claim, Fault, Report};

/// Compares each claim with the first one.
pub(super) fn check(report: &mut Report, claims: &[Claim]) {
    let Some((first, others)) = claims.split_first() else { return };
    let faults: Vec<_> = others
        .iter()
        .filter_map(|other| {
            let (one, key) = (first.signer().to_owned(), other.signer().to_owned());
            difference(first, other).map(|what| Fault::Disagreement { one, other: key, what })
        })
        .collect();
    if !others.is_empty() {
        report.note(faults, || {
            format!("the {} keys that have signed agree about the build", claims.len())
        });
    }
}

/// Returns what two claims state differently.
fn difference(one: &Claim, other: &Claim) -> Option<&'static str> {
    let (one, other) = (&one.statement, &other.statement);
    let (a, b) = (&one.predicate.build_definition, &other.predicate.build_definition);
    match () {
        () if one.subject != other.subject => Some("the files that were made"),
        () if a.external_parameters != b.external_parameters => Some("the external parameters"),
        () if a.internal_parameters != b.internal_parameters => Some("the internal parameters"),
        () if a.resolved_dependencies != b.resolved_dependencies => Some("the dependencies"),
        () => None,
    }
}
