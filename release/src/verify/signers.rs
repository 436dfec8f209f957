//! Finds out who has signed the attestations of a release.
//!
//! All trusted keys are tried, because the hint of a bundle is not signed. But a bundle of ours has the right hint and
//! the right file name, or it was changed: so the hint decides which fault it is, and never that there is none.

use super::{Check, Claim, Demand, Fault, Report, Signer};
use crate::archive::{Files, Place};
use crate::bundle::Bundle;
use crate::statement::Statement;
use crate::text::printable;
use crate::trust::TrustedKey;

/// Tries each attestation with the trusted keys, and notes what is claimed and by whom.
pub(super) fn check(report: &mut Report, files: &Files, demand: &Demand<'_>) {
    let attestations: Vec<_> = files
        .iter()
        .filter_map(|(path, bytes)| match path.place() {
            Place::Attestation(key) => Some((path.as_str(), key, bytes)),
            _ => None,
        })
        .collect();
    if attestations.is_empty() {
        return report.failed(Fault::NoAttestation);
    }
    let mut any_is_wrong = false;
    for (path, key, bytes) in attestations {
        let bundle = match Bundle::read(bytes) {
            Ok(bundle) => bundle,
            Err(reason) => {
                any_is_wrong = true;
                report.failed(Fault::Bundle { path: path.to_owned(), reason });
                continue;
            }
        };
        match signer(&bundle, demand.keys) {
            Some(trusted) => {
                let attestation = Attestation { path, key, bundle: &bundle };
                any_is_wrong |= !attestation.by(trusted, report, demand);
            }
            None => any_is_wrong |= !unknown(path, &bundle, report, demand.keys),
        }
    }
    if !any_is_wrong && !report.claims.iter().any(Claim::is_known) {
        report.failed(Fault::NoTrustedSignature);
    }
}

fn signer<'a>(bundle: &Bundle, keys: &'a [TrustedKey]) -> Option<&'a TrustedKey> {
    keys.iter().find(|trusted| bundle.signed_by(&trusted.key).is_some())
}

/// Notes an attestation that no trusted key has signed. Returns false if it is a fault.
fn unknown(path: &str, bundle: &Bundle, report: &mut Report, keys: &[TrustedKey]) -> bool {
    let named = keys.iter().find(|trusted| trusted.key.id().to_string() == bundle.hint());
    if let Some(trusted) = named {
        report.failed(Fault::Signature { path: path.to_owned(), key: trusted.name.clone() });
        return false;
    }
    let hint = printable(bundle.hint(), 80);
    report.checks.push(Check::NotCounted(format!(
        "`{path}` is not signed by a trusted key (it names `{hint}`), and does not count"
    )));
    if let Ok(statement) = Statement::read(bundle.envelope().unverified()) {
        let signer = Signer::Unknown(hint);
        report.claims.push(Claim { path: path.to_owned(), signer, statement });
    }
    true
}

/// An attestation that a trusted key has signed.
struct Attestation<'a> {
    path: &'a str,
    /// The part of the path that names the key.
    key: &'a str,
    bundle: &'a Bundle,
}

impl Attestation<'_> {
    /// Notes what the attestation claims. Returns false if it claims nothing.
    fn by(&self, trusted: &TrustedKey, report: &mut Report, demand: &Demand<'_>) -> bool {
        let (path, key) = (self.path.to_owned(), trusted.name.clone());
        let id = trusted.key.id();
        if self.bundle.hint() != id.to_string() || self.key != id.short() {
            report.failed(Fault::Hint { path, key });
            return false;
        }
        let statement = match Statement::read(self.bundle.envelope().unverified()) {
            Ok(statement) => statement,
            Err(reason) => {
                report.failed(Fault::Statement { path, key, reason });
                return false;
            }
        };
        let signer = match trusted.expires {
            // Whether that is a fault depends on the others.
            Some(last) if last < demand.today => Signer::Expired(key, last),
            _ => {
                report.passed(format!("the key `{key}` has signed `{path}`"));
                speaks_for(trusted, &statement, report);
                Signer::Trusted(key)
            }
        };
        report.claims.push(Claim { path, signer, statement });
        true
    }
}

/// Notes it if a key speaks for a builder that is not its own.
fn speaks_for(trusted: &TrustedKey, statement: &Statement, report: &mut Report) {
    let found = &statement.predicate.run_details.builder.id;
    if let Some(allowed) = trusted.builder.as_ref().filter(|allowed| *allowed != found) {
        let (key, found, allowed) = (trusted.name.clone(), found.clone(), allowed.clone());
        report.failed(Fault::KeyBuilder { key, found, allowed });
    }
}
