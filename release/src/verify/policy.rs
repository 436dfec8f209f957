//! Checks whether what is claimed is enough.
//!
//! Claims of unknown and expired keys count for nothing here. A requirement about the build holds for each claim that
//! counts, so that no signer can be outvoted about a weak sandbox or a foreign builder.

use std::collections::BTreeSet;

use super::{Check, Claim, Fault, Report, Signer};
use crate::policy::{Policy, REBUILDS};
use crate::statement::{Sandbox, Sources};

/// Checks the claims that count against a policy. Requirements about the build hold for each of them.
pub(super) fn check(report: &mut Report, policy: &Policy) {
    let claims: Vec<Claim> = report.claims.iter().filter(|claim| claim.counts()).cloned().collect();
    // A registry may have several attestations of one key.
    let keys: BTreeSet<_> = claims.iter().filter_map(|claim| claim.key).collect();
    signatures(report, keys.len(), policy.signatures());
    for claim in &claims {
        builder(report, claim, policy);
        sources(report, claim, policy);
        sandbox(report, claim, policy);
        rebuilds(report, claim, policy);
    }
}

/// Checks the number of different keys.
fn signatures(report: &mut Report, found: usize, needed: usize) {
    let is_enough = found >= needed;
    for claim in report.claims.clone() {
        let Signer::Expired(key, expired) = claim.signer else { continue };
        let path = claim.path;
        // A release that was signed anew with another key is as good as if the old signature were not there.
        report.checks.push(if is_enough {
            Check::NotCounted(format!(
                "`{path}` is signed by the key `{key}`, whose last day was {expired}, and does not count"
            ))
        } else {
            Check::Failed(Fault::KeyExpired { path, key, expired })
        });
    }
    if is_enough {
        report.passed(format!(
            "{found} of the trusted keys vouch for the release, {needed} required"
        ));
    } else {
        report.failed(Fault::Signatures { found, needed });
    }
}

fn builder(report: &mut Report, claim: &Claim, policy: &Policy) {
    let found = &claim.statement.predicate.run_details.builder.id;
    if policy.builders().is_empty() {
        return;
    }
    if policy.builders().contains(found) {
        return report.passed(format!("the builder `{found}` is accepted"));
    }
    report.failed(Fault::Builder { key: claim.signer().to_owned(), found: found.clone() });
}

fn sources(report: &mut Report, claim: &Claim, policy: &Policy) {
    let parameters = &claim.statement.predicate.build_definition.internal_parameters;
    let found = match parameters.sources {
        _ if !policy.needs_clean_sources() => return,
        Sources::Clean => {
            return report.passed(format!("the key `{}` states clean sources", claim.signer()));
        }
        Sources::Dirty => "changed after the commit",
        Sources::Untracked => "in no repository",
    };
    report.failed(Fault::Sources { key: claim.signer().to_owned(), found });
}

fn sandbox(report: &mut Report, claim: &Claim, policy: &Policy) {
    let parameters = &claim.statement.predicate.build_definition.internal_parameters;
    let found = match parameters.sandbox {
        _ if !policy.needs_strong_sandbox() => return,
        Sandbox::Namespaces => {
            return report.passed(format!("the key `{}` states a strong sandbox", claim.signer()));
        }
        Sandbox::Weak => "weak",
        Sandbox::None => "none",
    };
    report.failed(Fault::Sandbox { key: claim.signer().to_owned(), found });
}

fn rebuilds(report: &mut Report, claim: &Claim, policy: &Policy) {
    let found = claim.statement.predicate.build_definition.internal_parameters.rebuilds;
    if !policy.needs_reproduced() {
        return;
    }
    if found >= REBUILDS {
        return report.passed(format!("the key `{}` states {found} rebuilds", claim.signer()));
    }
    report.failed(Fault::Rebuilds { key: claim.signer().to_owned(), found, needed: REBUILDS });
}
