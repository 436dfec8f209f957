//! Lists everything that can be wrong with a release. Each fault names the file, the key or the claim that is wrong.
//!
//! A fault is one sentence, with the reason of a lower layer in it, because a report shows many of them below each
//! other.

use semver::Version;

use crate::archive::ArchiveError;
use crate::bundle::BundleError;
use crate::json::JsonError;
use crate::statement::StatementError;
use crate::trust::Day;

/// The kind of a fault, the graver first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Bytes or signatures are wrong.
    Integrity,
    /// Bytes and signatures are right, and do not prove what was demanded.
    Policy,
}

/// Something that is wrong with a release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The archive is not a release.
    #[error("the archive is not a release: {0}")]
    Archive(ArchiveError),
    /// Nobody vouches for the release.
    #[error("the release has no attestation")]
    NoAttestation,
    /// An attestation can't be read.
    #[error("`{path}` is not an attestation: {reason}{}", causes(.reason))]
    Bundle {
        /// The attestation.
        path: String,
        /// The reason.
        reason: BundleError,
    },
    /// No trusted key has signed anything.
    #[error("none of the trusted keys has signed the release")]
    NoTrustedSignature,
    /// An attestation names a trusted key that has not signed it.
    #[error("`{path}` names the key `{key}`, which has not signed what is in it")]
    Signature {
        /// The attestation.
        path: String,
        /// The key.
        key: String,
    },
    /// An attestation is signed by a key and names another one, or has the name of another one's file.
    #[error("`{path}` is signed by the key `{key}`, but names another key")]
    Hint {
        /// The attestation.
        path: String,
        /// The key.
        key: String,
    },
    /// A trusted key has signed something that is not a statement about a release.
    #[error("what the key `{key}` has signed in `{path}` is not the provenance of a release: {reason}{}", causes(.reason))]
    Statement {
        /// The attestation.
        path: String,
        /// The key.
        key: String,
        /// The reason.
        reason: StatementError,
    },
    /// A file differs from the one that was signed.
    #[error("`{file}` is another file than the one that the key `{key}` vouches for")]
    Differs {
        /// The file.
        file: String,
        /// The key.
        key: String,
    },
    /// A file that was signed is missing.
    #[error("the key `{key}` vouches for `{file}`, which is missing")]
    Missing {
        /// The file.
        file: String,
        /// The key.
        key: String,
    },
    /// Nobody has signed a file.
    #[error("the key `{key}` does not vouch for `{file}`")]
    Unattested {
        /// The file.
        file: String,
        /// The key.
        key: String,
    },
    /// The parameters have other components than the release.
    #[error("the key `{key}` states the build of other components than the release has")]
    Components {
        /// The key.
        key: String,
    },
    /// A component has no bill of materials.
    #[error("there is no bill of materials of the component `{0}`")]
    NoBill(String),
    /// A bill of materials is of no component.
    #[error("`{0}` is the bill of materials of a component that the release does not have")]
    BillOfNothing(String),
    /// A bill of materials can't be read.
    #[error("`{path}` is not a bill of materials: {reason}")]
    Bill {
        /// The bill.
        path: String,
        /// The reason.
        reason: JsonError,
    },
    /// A bill of materials is of another component.
    #[error(
        "`{path}` is not the bill of materials of `{component}`: it states another name or digest"
    )]
    BillDiffers {
        /// The bill.
        path: String,
        /// The component.
        component: String,
    },
    /// The folder in the archive has another name.
    #[error("the folder in the archive is called `{found}`, and the release is `{expected}`")]
    Root {
        /// The name that it has.
        found: String,
        /// The name that it should have.
        expected: String,
    },
    /// The release is of another project.
    #[error("the release is of the project `{found}`, not of `{expected}`")]
    Project {
        /// The project that it is of.
        found: String,
        /// The project that was expected.
        expected: String,
    },
    /// The release is older than the one that is demanded.
    #[error("the release has the version {found}, which is lower than {minimum}")]
    Rollback {
        /// The version.
        found: Version,
        /// The lowest one that is accepted.
        minimum: Version,
    },
    /// A key has expired.
    #[error("the key `{key}`, which has signed `{path}`, has expired: its last day was {expired}")]
    KeyExpired {
        /// The attestation.
        path: String,
        /// The key.
        key: String,
        /// The last day.
        expired: Day,
    },
    /// A key speaks for a builder that is not its own.
    #[error("the key `{key}` may speak for the builder `{allowed}`, and speaks for `{found}`")]
    KeyBuilder {
        /// The key.
        key: String,
        /// The builder that it claims to be.
        found: String,
        /// The builder that it is trusted as.
        allowed: String,
    },
    /// Two signers state different builds.
    #[error("the keys `{one}` and `{other}` do not vouch for the same build: {what} differ")]
    Disagreement {
        /// A key.
        one: String,
        /// Another key.
        other: String,
        /// The part of the build that differs.
        what: &'static str,
    },
    /// Too few keys vouch for the release.
    #[error("{found} of the trusted keys vouch for the release, and {needed} are required")]
    Signatures {
        /// The number of keys.
        found: usize,
        /// The number that is needed.
        needed: usize,
    },
    /// The builder is not accepted.
    #[error("the key `{key}` speaks for the builder `{found}`, which the policy does not accept")]
    Builder {
        /// The key.
        key: String,
        /// The builder.
        found: String,
    },
    /// The sources were not those of a commit.
    #[error("the policy requires clean sources, and the key `{key}` states that they were {found}")]
    Sources {
        /// The key.
        key: String,
        /// The state of the sources.
        found: &'static str,
    },
    /// The sandbox was too weak.
    #[error(
        "the policy requires a strong sandbox, and the key `{key}` states that it was `{found}`"
    )]
    Sandbox {
        /// The key.
        key: String,
        /// The name of the sandbox.
        found: &'static str,
    },
    /// The components were not built anew often enough.
    #[error("the policy requires {needed} rebuilds, and the key `{key}` states {found}")]
    Rebuilds {
        /// The key.
        key: String,
        /// The number of rebuilds.
        found: u32,
        /// The number that is needed.
        needed: u32,
    },
}

impl Fault {
    /// Returns the kind of the fault.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Archive(_)
            | Self::NoAttestation
            | Self::Bundle { .. }
            | Self::NoTrustedSignature
            | Self::Signature { .. }
            | Self::Hint { .. }
            | Self::Statement { .. }
            | Self::Differs { .. }
            | Self::Missing { .. }
            | Self::Unattested { .. }
            | Self::Components { .. }
            | Self::NoBill(_)
            | Self::BillOfNothing(_)
            | Self::Bill { .. }
            | Self::BillDiffers { .. }
            | Self::Root { .. } => FaultKind::Integrity,
            Self::Project { .. }
            | Self::Rollback { .. }
            | Self::KeyExpired { .. }
            | Self::KeyBuilder { .. }
            | Self::Disagreement { .. }
            | Self::Signatures { .. }
            | Self::Builder { .. }
            | Self::Sources { .. }
            | Self::Sandbox { .. }
            | Self::Rebuilds { .. } => FaultKind::Policy,
        }
    }
}

/// Returns what caused an error, so that a fault is one sentence.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(|cause| format!(": {cause}")).collect()
}
