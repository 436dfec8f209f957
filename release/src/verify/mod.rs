//! Checks a release: its bytes, who vouches for them, what they claim, and whether that is enough.
//!
//! The order is that of trust. First the archive is read, which must be exactly one release. Then each attestation is
//! tried with the trusted keys; what no trusted key has signed counts for nothing, and only [`explain`](crate::explain())
//! shows it. What a trusted key has signed must describe the very files of the release, all of them. Then the
//! attestations that count must agree about the build, and fulfil the [`Policy`].
//!
//! Nothing stops at the first fault: the [`Report`] has every check that could be made. A fault of bytes or signatures
//! is one of [`FaultKind::Integrity`], which `run` ends with 102. One of the policy, also that signers disagree, is one
//! of [`FaultKind::Policy`], which it ends with 104.

mod agreement;
mod contents;
mod fault;
mod policy;
mod signers;

use semver::Version;

use crate::archive::{Files, Limits};
use crate::bundle::{Bundle, BundleError};
use crate::digest::Sha256;
use crate::keys::{KeyId, PublicKey};
use crate::policy::Policy;
use crate::statement::{Header, Statement, StatementError};
use crate::trust::{Day, TrustedKey};

pub use fault::{Fault, FaultKind};

/// The demands of the one who checks a release.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The keys that may vouch for it.
    pub keys: &'a [TrustedKey],
    /// The policy that the release has to fulfil.
    pub policy: &'a Policy,
    /// The project that it has to be of, if that is known.
    pub project: Option<&'a str>,
    /// The lowest version that is accepted, such as that of the release in use. An older one may have known faults.
    pub minimum: Option<&'a Version>,
    /// Today.
    pub today: Day,
}

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is as it should be. The sentence says what.
    Passed(String),
    /// Something was left out of account, which is no fault. The sentence says what and why.
    NotCounted(String),
    /// It is not as it should be.
    Failed(Fault),
}

/// The content of an attestation that could be read, with its signer.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The path of the attestation in the release.
    pub path: String,
    /// The one who claims it.
    pub signer: Signer,
    /// The trusted key that has signed it, if one has.
    pub key: Option<KeyId>,
    /// The claims.
    pub statement: Statement,
}

/// The signer of an attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The trusted key of this name. It counts.
    Trusted(String),
    /// The trusted key of this name, whose last day was this one. It counts no more.
    Expired(String, Day),
    /// Nobody whom we know. The attestation names this key, which proves nothing.
    Unknown(String),
}

/// Everything that was found out about a release.
#[derive(Clone, Debug)]
pub struct Report {
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
    /// The claims, in the order of the attestations.
    pub claims: Vec<Claim>,
    /// The files, if the archive could be read.
    pub files: Option<Files>,
}

impl Report {
    /// Returns the faults, in the order in which they were found.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.checks.iter().filter_map(|check| match check {
            Check::Failed(fault) => Some(fault),
            Check::Passed(_) | Check::NotCounted(_) => None,
        })
    }

    /// Returns nothing if the release is accepted, else the graver kind of its faults.
    #[must_use]
    pub fn verdict(&self) -> Option<FaultKind> {
        self.faults().map(Fault::kind).min()
    }

    fn passed(&mut self, sentence: impl Into<String>) {
        self.checks.push(Check::Passed(sentence.into()));
    }

    fn failed(&mut self, fault: Fault) {
        self.checks.push(Check::Failed(fault));
    }

    /// Notes the faults, or that there was none.
    fn note(&mut self, faults: Vec<Fault>, sentence: impl FnOnce() -> String) {
        if faults.is_empty() {
            self.passed(sentence());
        }
        self.checks.extend(faults.into_iter().map(Check::Failed));
    }
}

/// Checks the archive of a release.
#[must_use]
pub fn release(archive: &[u8], demand: &Demand<'_>) -> Report {
    let mut report = Report { checks: Vec::new(), claims: Vec::new(), files: None };
    let files = match Files::read(archive, &Limits::STANDARD) {
        Ok(files) => files,
        Err(error) => {
            report.failed(Fault::Archive(error));
            return report;
        }
    };
    let number = files.iter().count();
    report.passed(format!(
        "the archive has the {number} files that SHA256SUMS lists, each with its checksum, and nothing else"
    ));
    signers::check(&mut report, &signers::attestations(&files), demand);
    contents::bills(&mut report, &files);
    let claims = judged(&report.claims);
    for claim in &claims {
        contents::check(&mut report, &files, claim);
    }
    if let Some(claim) = claims.first() {
        contents::root(&mut report, &files, claim);
    }
    sufficient(&mut report, &claims, demand);
    report.files = Some(files);
    report
}

/// Checks one file or manifest by the attestations that a registry or somebody else keeps beside it: each has a name for
/// people and the bytes of a bundle. `name` is what the file is called, such as its address in a registry.
///
/// Statements that are no provenance do not count, whoever has signed them. What belongs to a release as a whole (its
/// other files, bills of materials) can't be checked here.
#[must_use]
pub fn artifact(
    name: &str,
    digest: &Sha256,
    attestations: &[(String, Vec<u8>)],
    demand: &Demand<'_>,
) -> Report {
    let mut report = Report { checks: Vec::new(), claims: Vec::new(), files: None };
    let attestations: Vec<_> = attestations
        .iter()
        .map(|(path, bytes)| signers::Attestation { path, named: None, bytes })
        .collect();
    signers::check(&mut report, &attestations, demand);
    let claims = judged(&report.claims);
    for claim in &claims {
        contents::subject(&mut report, name, digest, claim);
    }
    sufficient(&mut report, &claims, demand);
    report
}

/// Checks whether the claims are what is demanded.
fn sufficient(report: &mut Report, claims: &[Claim], demand: &Demand<'_>) {
    agreement::check(report, claims);
    if let Some(claim) = claims.first() {
        contents::identity(report, claim, demand);
    }
    policy::check(report, demand.policy);
}

/// Returns the claims that are judged: those that count. If there is none, those of expired keys are, so that one is told
/// whether the expiry is all that is wrong.
fn judged(claims: &[Claim]) -> Vec<Claim> {
    let of = |wanted: fn(&Claim) -> bool| -> Vec<Claim> {
        claims.iter().filter(|claim| wanted(claim)).cloned().collect()
    };
    let counted = of(Claim::counts);
    if counted.is_empty() { of(Claim::is_known) } else { counted }
}

impl Claim {
    /// Returns true if a trusted key has signed it, expired or not.
    fn is_known(&self) -> bool {
        !matches!(self.signer, Signer::Unknown(_))
    }

    /// Returns true if a trusted key that has not expired has signed it.
    fn counts(&self) -> bool {
        matches!(self.signer, Signer::Trusted(_))
    }
}

/// The reason why a bundle does not vouch for a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// The bundle can't be read.
    #[error("the attestation is not a bundle of a key")]
    Bundle(#[from] BundleError),
    /// Another key has signed it, or the signature is wrong.
    #[error("the key has not signed the attestation")]
    Signature,
    /// The signed statement can't be read.
    #[error("the attestation has no statement")]
    Statement(#[from] StatementError),
    /// The statement is about other files.
    #[error("the attestation is about other files than the one with the SHA-256 {0}")]
    Subject(Sha256),
    /// The statement has another predicate.
    #[error("the attestation has a predicate of the type `{found}`, not `{expected}`")]
    Predicate {
        /// The type that it has.
        found: String,
        /// The type that was asked for.
        expected: String,
    },
}

/// Checks that a bundle of any tool, such as cosign, has a statement with a predicate of this type about one file, and
/// that the key has signed it. Returns the JSON of the statement.
///
/// # Errors
/// It does not.
pub fn attestation(
    bundle: &[u8],
    file: &Sha256,
    predicate_type: &str,
    key: &PublicKey,
) -> Result<Vec<u8>, AttestationError> {
    let bundle = Bundle::read(bundle)?;
    let statement = bundle.signed_by(key).ok_or(AttestationError::Signature)?;
    let header = Header::read(statement)?;
    if !header.is_about(file) {
        return Err(AttestationError::Subject(*file));
    }
    if header.predicate_type() != predicate_type {
        return Err(AttestationError::Predicate {
            found: crate::text::printable(header.predicate_type(), 120),
            expected: predicate_type.to_owned(),
        });
    }
    Ok(statement.to_vec())
}
