//! Finds out who has signed the attestations of a release.
//!
//! All trusted keys are tried, because the hint of a bundle is not signed. But a bundle of ours has the right hint and
//! the right file name, or it was changed: so the hint decides which fault it is, and never that there is none.

use super::{Check, Claim, Demand, Fault, Report, Signer};
use crate::archive::{Files, MemberPath, Place};
use crate::bundle::Bundle;
use crate::statement::{Statement, StatementError};
use crate::text::printable;
use crate::trust::TrustedKey;

/// An attestation that is to be tried.
pub(super) struct Attestation<'a> {
    /// Its path in the release, or another name for it.
    pub(super) path: &'a str,
    /// The key after which its file in the release is named. In a registry it has no such name.
    pub(super) named: Option<&'a str>,
    /// The JSON of the bundle.
    pub(super) bytes: &'a [u8],
}

/// Returns the attestations in a release.
pub(super) fn attestations(files: &Files) -> Vec<Attestation<'_>> {
    files.iter().filter_map(|(path, bytes)| attestation(path, bytes)).collect()
}

fn attestation<'a>(path: &'a MemberPath, bytes: &'a [u8]) -> Option<Attestation<'a>> {
    match path.place() {
        Place::Attestation(key) => {
            Some(Attestation { path: path.as_str(), named: Some(key), bytes })
        }
        Place::Component(_) | Place::Sbom(_) | Place::Source(_) => None,
    }
}

/// Tries each attestation with the trusted keys, and notes what is claimed and by whom.
pub(super) fn check(report: &mut Report, attestations: &[Attestation<'_>], demand: &Demand<'_>) {
    if attestations.is_empty() {
        return report.failed(Fault::NoAttestation);
    }
    let mut any_is_wrong = false;
    for attestation in attestations {
        let path = attestation.path;
        let bundle = match Bundle::read(attestation.bytes) {
            Ok(bundle) => bundle,
            Err(reason) => {
                any_is_wrong = true;
                report.failed(Fault::Bundle { path: path.to_owned(), reason });
                continue;
            }
        };
        any_is_wrong |= match signer(&bundle, demand.keys) {
            Some(trusted) => !attestation.by(trusted, &bundle, report, demand),
            None => !unknown(path, &bundle, report, demand.keys),
        };
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
        report.claims.push(Claim { path: path.to_owned(), signer, key: None, statement });
    }
    true
}

impl Attestation<'_> {
    /// Notes what the attestation claims, which a trusted key has signed. Returns false if it is a fault.
    fn by(
        &self,
        trusted: &TrustedKey,
        bundle: &Bundle,
        report: &mut Report,
        demand: &Demand<'_>,
    ) -> bool {
        let (path, key, id) = (self.path.to_owned(), trusted.name.clone(), trusted.key.id());
        let is_other = |named: &str| bundle.hint() != id.to_string() || named != id.short();
        if self.named.is_some_and(is_other) {
            report.failed(Fault::Hint { path, key });
            return false;
        }
        let statement = match Statement::read(bundle.envelope().unverified()) {
            Ok(statement) => statement,
            // A registry keeps statements of all kinds beside a component.
            Err(StatementError::Type { what: "predicateType", found, .. })
                if self.named.is_none() =>
            {
                report.checks.push(Check::NotCounted(format!(
                    "`{path}` is signed by the key `{key}` and is no provenance but `{found}`"
                )));
                return true;
            }
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
        report.claims.push(Claim { path, signer, key: Some(id), statement });
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
